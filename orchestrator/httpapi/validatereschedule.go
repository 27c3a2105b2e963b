package httpapi

import (
	"math"
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
	fit, needed := viableAttempts(r)
	if fit == *r.Attempts {
		return nil
	}
	p := &problems{}
	if *r.DelayFunction == "constant" {
		p.refuse(true, "Nomad can only make %v attempts in %v with initial delay %v and delay function %q", fit, *r.Interval, *r.Delay, *r.DelayFunction)
	} else {
		p.refuse(true, "Nomad can only make %v attempts in %v with initial delay %v, delay function %q, and delay ceiling %v",
			fit, *r.Interval, *r.Delay, *r.DelayFunction, *r.MaxDelay)
	}
	p.refuse(true, "Set the interval to at least %v to accommodate %v attempts", needed.Round(time.Second), *r.Attempts)
	return p.err()
}

// viableAttempts is how many attempts the interval has room for, and how long all of them take, as Nomad reckons here: the
// delays that grow are not added up before they reach their ceiling. It costs the same for any number of attempts.
func viableAttempts(r *api.ReschedulePolicy) (fit int, needed time.Duration) {
	attempts, delay, ceiling := *r.Attempts, *r.Delay, *r.MaxDelay
	if *r.DelayFunction == "constant" {
		if needed = time.Duration(attempts) * delay; *r.Interval < needed {
			return int(*r.Interval / delay), needed
		}
		return attempts, needed
	}
	room := *r.Interval // An attempt fits that comes by then.
	if *r.DelayFunction == "exponential" {
		room--
	}
	last, before := delay, time.Duration(0)
	for i := range attempts {
		next := last
		switch {
		case *r.DelayFunction == "exponential" && i > 0:
			next = doubled(last)
		case i > 1:
			next = last + before
		}
		if next > ceiling || next < last {
			if next = ceiling; *r.DelayFunction == "exponential" {
				next = last + min(ceiling, math.MaxInt64-last)
			}
			return fit + roomFor(attempts-i, next, ceiling, room), next + time.Duration(attempts-i-1)*ceiling
		}
		if next <= room {
			fit++
		}
		before, last, needed = last, next, next
	}
	return fit, needed
}

// doubled is twice a duration, and the longest there is when that is too much.
func doubled(d time.Duration) time.Duration {
	if d > math.MaxInt64/2 {
		return math.MaxInt64
	}
	return 2 * d
}

// roomFor is how many of n attempts come within the room, the first at a time and each other a step later.
func roomFor(n int, first, step, room time.Duration) int {
	if first > room {
		return 0
	}
	return min(n, 1+int((room-first)/step))
}
