package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/cenkalti/backoff/v5"
	"github.com/hashicorp/nomad/api"

	"ostro/deploy"
	"ostro/watch"
)

// contactTime is how long contact is sought before anything is submitted.
const contactTime = 10 * time.Second

// sought reads until somebody answers, for [contactTime] at most: a server may be
// about to start, or about to elect its leader.
func sought[T any](ctx context.Context, read func(*api.QueryOptions) (T, *api.QueryMeta, error)) (T, error) {
	pause := backoff.NewExponentialBackOff()
	pause.InitialInterval, pause.MaxInterval = 200*time.Millisecond, 2*time.Second
	return backoff.Retry(ctx, func() (T, error) {
		ctx, cancel := context.WithTimeout(ctx, contactTime)
		defer cancel()
		value, _, err := read((&api.QueryOptions{}).WithContext(ctx))
		if err != nil && (!deploy.Transient(err) || errors.Is(err, watch.ErrNoJob)) {
			return value, backoff.Permanent(err)
		}
		return value, err
	}, backoff.WithBackOff(pause), backoff.WithMaxElapsedTime(contactTime))
}

// readJob is a job that there has to be.
func readJob(ctx context.Context, client *api.Client, id string) (*api.Job, error) {
	job, err := sought(ctx, func(q *api.QueryOptions) (*api.Job, *api.QueryMeta, error) { return client.Jobs().Info(id, q) })
	if err != nil {
		return nil, jobError(err, id)
	}
	return job, nil
}

// jobError names the job that is not there.
func jobError(err error, id string) error {
	refused, ok := errors.AsType[api.UnexpectedResponseError](err)
	if errors.Is(err, watch.ErrNoJob) || ok && refused.StatusCode() == http.StatusNotFound {
		return withHint(fmt.Errorf("there is no job %q", id), "ostro status lists the jobs")
	}
	return unreachable(err)
}

// unreachable adds what to do when nobody answers, or the server refuses.
func unreachable(err error) error {
	refused, ok := errors.AsType[api.UnexpectedResponseError](err)
	switch {
	case !ok || !refused.HasStatusCode():
		return withHint(err, "check -address, -ssh and NOMAD_ADDR, or try -standalone")
	case refused.StatusCode() == http.StatusForbidden:
		return withHint(refusal(refused), tokenHint)
	}
	return refusal(refused)
}

const tokenHint = "check -token, NOMAD_TOKEN and -namespace: a token needs read-job to look, and submit-job to change something"

// refusal is a server's no, in its own words.
func refusal(reply api.UnexpectedResponseError) error {
	return fmt.Errorf("nomad refused (%d): %s", reply.StatusCode(), orDefault(deploy.OneSentence(reply.Body()), reply.StatusText()))
}
