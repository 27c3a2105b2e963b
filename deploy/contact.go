package deploy

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptrace"
	"regexp"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/cenkalti/backoff/v5"
	"github.com/hashicorp/nomad/api"
)

const (
	contactBudget  = 10 * time.Second // how long contact is sought before the register
	requestTimeout = 30 * time.Second // a plan or register over a slow link
)

// retry runs op until it succeeds, fails for a reason that repeating cannot
// mend, or budget is used up. Each attempt has the given timeout. A budget of 0
// lasts until ctx ends.
func retry[T any](ctx context.Context, what string, budget, timeout time.Duration, op func(context.Context) (T, error)) (T, error) {
	start := time.Now()
	pause := backoff.NewExponentialBackOff()
	pause.InitialInterval, pause.MaxInterval = 200*time.Millisecond, 2*time.Second
	for {
		v, err := attempt(ctx, timeout, op)
		if err == nil {
			return v, nil
		}
		if ctx.Err() != nil {
			return v, fmt.Errorf("%s: %w", what, context.Cause(ctx))
		}
		if !Transient(err) {
			return v, refusal(what, err)
		}
		wait := pause.NextBackOff()
		if budget > 0 {
			left := budget - time.Since(start)
			if left <= 0 {
				return v, &Unreachable{Op: what, After: time.Since(start).Round(time.Second), Err: err}
			}
			wait = min(wait, left)
		}
		if !sleep(ctx, wait) {
			return v, fmt.Errorf("%s: %w (%v)", what, context.Cause(ctx), err)
		}
	}
}

func attempt[T any](ctx context.Context, timeout time.Duration, op func(context.Context) (T, error)) (T, error) {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	var lookedUp atomic.Pointer[string] // the name that is being looked up
	v, err := op(httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{
		DNSStart: func(i httptrace.DNSStartInfo) { lookedUp.Store(&i.Host) },
		DNSDone:  func(httptrace.DNSDoneInfo) { lookedUp.Store(nil) },
	}))
	if host := lookedUp.Load(); host != nil && errors.Is(err, context.DeadlineExceeded) {
		err = fmt.Errorf("look up %s: the name server does not answer: %w", *host, err)
	}
	return v, err
}

func sleep(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// passing lists what Nomad answers, with status 500 like any refusal, while a
// server restarts or the leadership changes hands.
var passing = [...]string{
	"No cluster leader", "Not ready to serve consistent reads", "leadership", "not the leader", "No servers",
	"connection refused", "connection reset", "broken pipe", "i/o timeout", "EOF", "shutdown", "raft is already",
}

// Transient reports whether the same request may succeed a moment later.
func Transient(err error) bool {
	reply, ok := errors.AsType[api.UnexpectedResponseError](err)
	if !ok {
		return true // no reply at all, or one cut short
	}
	switch reply.StatusCode() {
	case http.StatusTooManyRequests, http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout:
		return true
	case http.StatusInternalServerError:
		return slices.ContainsFunc(passing[:], func(s string) bool { return strings.Contains(reply.Body(), s) })
	}
	return false
}

func notFound(err error) bool {
	reply, ok := errors.AsType[api.UnexpectedResponseError](err)
	return ok && reply.StatusCode() == http.StatusNotFound
}

// refusal says what failed: a [Refused] where the server replied.
func refusal(what string, err error) error {
	reply, ok := errors.AsType[api.UnexpectedResponseError](err)
	if !ok {
		return fmt.Errorf("%s: %w", what, err)
	}
	text := cmp.Or(OneSentence(reply.Body()), http.StatusText(reply.StatusCode()))
	return &Refused{Op: what, Status: reply.StatusCode(), Text: text}
}

// counted is the heading of Nomad's lists of errors.
var counted = regexp.MustCompile(`\d+ errors? occurred:$`)

// OneSentence makes one line of a server's answer: of lists within lists, in which
// each error has a line with a star, too.
func OneSentence(text string) string {
	var b strings.Builder
	headed := true // what comes next belongs to what is before
	for line := range strings.Lines(text) {
		line = strings.TrimPrefix(strings.TrimSpace(line), "* ")
		plain := strings.TrimSpace(counted.ReplaceAllString(line, ""))
		if plain == "" {
			continue
		}
		switch {
		case b.Len() == 0:
		case headed:
			b.WriteByte(' ')
		default:
			b.WriteString("; ")
		}
		b.WriteString(plain)
		headed = plain != line || strings.HasSuffix(plain, ":")
	}
	return b.String()
}
