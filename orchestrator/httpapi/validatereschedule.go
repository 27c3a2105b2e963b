package httpapi

import (
	"slices"
	"time"

	"github.com/hashicorp/nomad/api"
)

// validateReschedule checks a policy that replaces anything at all.
func validateReschedule(r *api.ReschedulePolicy) error {
	attempts, unlimited, interval := *r.Attempts, *r.Unlimited, *r.Interval
	if attempts == 0 && !unlimited {
		return nil
	}
	p := &problems{}
	p.refuse(attempts > 0 && interval <= 0, "Interval must be a non zero value if Attempts > 0")
	p.refuse(attempts > 0 && unlimited, "Reschedule Policy with Attempts = %v, Interval = %v, and Unlimited = %v is ambiguous",
		attempts, interval, unlimited)
	p.refuse(attempts > 0 && unlimited, "If Attempts >0, Unlimited cannot also be set to true")
	delays := validateDelays(r)
	p.merge(delays)
	if !unlimited {
		p.refuse(interval < minRescheduleInterval, "Interval cannot be less than %v (got %v)", minRescheduleInterval, interval)
		if delays == nil {
			p.merge(validateAttempts(r))
		}
	}
	return p.err()
}

func validateDelays(r *api.ReschedulePolicy) error {
	p := &problems{}
	p.refuse(*r.Delay < minRescheduleDelay, "Delay cannot be less than %v (got %v)", minRescheduleDelay, *r.Delay)
	functions := []string{"constant", "exponential", "fibonacci"}
	p.refuse(!slices.Contains(functions, *r.DelayFunction), "Invalid delay function %q, must be one of %q", *r.DelayFunction, functions)
	if *r.DelayFunction != "constant" {
		p.refuse(*r.MaxDelay < minRescheduleDelay, "Max Delay cannot be less than %v (got %v)", minRescheduleDelay, *r.Delay)
		p.refuse(*r.MaxDelay < *r.Delay, "Max Delay cannot be less than Delay %v (got %v)", *r.Delay, *r.MaxDelay)
	}
	return p.err()
}

// validateAttempts checks that the interval has room for all attempts with their delays.
func validateAttempts(r *api.ReschedulePolicy) error {
	times := attemptTimes(r)
	fit := 0
	for _, t := range times {
		if t < *r.Interval || t == *r.Interval && *r.DelayFunction != "exponential" {
			fit++
		}
	}
	if fit == len(times) {
		return nil
	}
	p := &problems{}
	if *r.DelayFunction == "constant" {
		p.refuse(true, "Nomad can only make %v attempts in %v with initial delay %v and delay function %q", fit, *r.Interval, *r.Delay, *r.DelayFunction)
	} else {
		p.refuse(true, "Nomad can only make %v attempts in %v with initial delay %v, delay function %q, and delay ceiling %v",
			fit, *r.Interval, *r.Delay, *r.DelayFunction, *r.MaxDelay)
	}
	p.refuse(true, "Set the interval to at least %v to accommodate %v attempts", times[len(times)-1].Round(time.Second), *r.Attempts)
	return p.err()
}

// attemptTimes is after how long each attempt comes, as Nomad reckons here: the delays that grow are not added up before they
// reach their ceiling.
func attemptTimes(r *api.ReschedulePolicy) []time.Duration {
	var times []time.Duration
	last, before, ceiling := *r.Delay, time.Duration(0), *r.MaxDelay
	capped := false
	for i := range *r.Attempts {
		next := last
		switch {
		case *r.DelayFunction == "constant":
			next = time.Duration(i+1) * *r.Delay
		case *r.DelayFunction == "exponential" && i > 0 && !capped:
			next = *r.Delay << min(i, 32)
		case *r.DelayFunction == "fibonacci" && i > 1 && !capped:
			next = last + before
		case capped:
			next = last + ceiling
		}
		if *r.DelayFunction != "constant" && !capped && next > ceiling {
			capped = true
			if next = ceiling; *r.DelayFunction == "exponential" {
				next = last + ceiling
			}
		}
		before, last = last, next
		times = append(times, next)
	}
	return times
}
