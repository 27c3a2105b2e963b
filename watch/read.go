package watch

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"time"

	"github.com/hashicorp/nomad/api"
)

const (
	readTimeout = 10 * time.Second // for one request that should be answered at once
	blockFor    = 10 * time.Second // how long a blocking query may hang
	readEvery   = 12 * time.Second // how long before all is read afresh, changed or not
	minPause    = 300 * time.Millisecond
)

// reader reads the objects of one job.
type reader struct {
	client *api.Client
	target Target
	newest uint64 // JobModifyIndex of the newest registration that is known
}

// indexes are where the blocking queries of [reader.await] continue.
type indexes struct{ allocs, evals uint64 }

// read fills in the job's objects. The evaluations are read before and after the
// rest, until they did not change in between: then an allocation that is seen to
// have failed has also been seen by the evaluation that may replace it. Where they
// never rest, the last look stands.
func (r *reader) read(ctx context.Context, s *Snapshot) (indexes, error) {
	var at indexes
	evals, _, err := r.evals(ctx, 0)
	if err != nil {
		return at, err
	}
	for range 5 {
		if s.Deployments, err = r.deployments(ctx); err != nil {
			return at, err
		}
		if s.Job, err = r.job(ctx); err != nil {
			return at, err
		}
		if err := r.notOlder(ctx, s.Job); err != nil {
			return at, err
		}
		if s.Allocs, at.allocs, err = r.allocs(ctx, 0); err != nil {
			return at, err
		}
		if s.Evals, at.evals, err = r.evals(ctx, 0); err != nil {
			return at, err
		}
		if slices.EqualFunc(evals, s.Evals, func(a, b *api.Evaluation) bool { return a.ID == b.ID && a.ModifyIndex == b.ModifyIndex }) {
			return at, nil
		}
		evals = s.Evals
	}
	return at, nil
}

// await returns when the job's allocations or evaluations have changed, after the
// given time, or soon when they cannot be waited for: then the next read tells.
func (r *reader) await(ctx context.Context, at indexes, atMost time.Duration) {
	ctx, cancel := context.WithTimeout(ctx, atMost)
	defer cancel()
	done := make(chan time.Duration, 2)
	go func() { done <- r.changed(ctx, at.allocs, r.allocsIndex) }()
	go func() { done <- r.changed(ctx, at.evals, r.evalsIndex) }()
	for range 2 {
		if rest := <-done; ctx.Err() == nil && rest < atMost {
			time.AfterFunc(rest, cancel)
		}
	}
	<-ctx.Done()
}

// changed blocks until the index is another one and returns how long to wait
// before all is read again: not at all after a change, a second where blocking
// is not possible, and a whole round when nothing changed.
func (r *reader) changed(ctx context.Context, index uint64, query func(context.Context, uint64) (uint64, error)) time.Duration {
	if index == 0 {
		return time.Second
	}
	now, err := query(ctx, index)
	switch {
	case err != nil:
		return time.Second
	case now == index:
		return readEvery
	}
	return 0
}

func (r *reader) allocsIndex(ctx context.Context, index uint64) (uint64, error) {
	_, now, err := r.allocs(ctx, index)
	return now, err
}

func (r *reader) evalsIndex(ctx context.Context, index uint64) (uint64, error) {
	_, now, err := r.evals(ctx, index)
	return now, err
}

func (r *reader) allocs(ctx context.Context, index uint64) ([]*api.AllocationListStub, uint64, error) {
	ctx, cancel := context.WithTimeout(ctx, timeout(index))
	defer cancel()
	list, meta, err := r.client.Jobs().Allocations(r.target.JobID, true, r.options(ctx, index))
	return list, lastIndex(meta), err
}

func (r *reader) evals(ctx context.Context, index uint64) ([]*api.Evaluation, uint64, error) {
	ctx, cancel := context.WithTimeout(ctx, timeout(index))
	defer cancel()
	list, meta, err := r.client.Jobs().Evaluations(r.target.JobID, r.options(ctx, index))
	return list, lastIndex(meta), err
}

func (r *reader) deployments(ctx context.Context) ([]*api.Deployment, error) {
	ctx, cancel := context.WithTimeout(ctx, readTimeout)
	defer cancel()
	list, _, err := r.client.Jobs().Deployments(r.target.JobID, true, r.options(ctx, 0))
	return list, err
}

// job returns nil for a job that the server does not have.
func (r *reader) job(ctx context.Context) (*api.Job, error) {
	ctx, cancel := context.WithTimeout(ctx, readTimeout)
	defer cancel()
	job, _, err := r.client.Jobs().Info(r.target.JobID, r.options(ctx, 0))
	if status(err) == http.StatusNotFound {
		return nil, nil
	}
	return job, err
}

// notOlder refuses a state from before the newest registration that is known: that
// of a follower that lags behind, or of another server that has the address now.
// Nothing that it lacks is purged.
func (r *reader) notOlder(ctx context.Context, job *api.Job) error {
	if index := deref(job).JobModifyIndex; deref(index) >= r.newest {
		r.newest = deref(index)
		return nil
	}
	index, err := r.jobsIndex(ctx)
	switch {
	case status(err) == http.StatusForbidden:
		return nil // this token cannot tell
	case err != nil:
		return err
	case index >= r.newest:
		return nil
	}
	return fmt.Errorf("what answers has an older state: it is at index %d, and job %s was registered at %d", index, r.target.JobID, r.newest)
}

// jobsIndex is the index of the last write to any job.
func (r *reader) jobsIndex(ctx context.Context) (uint64, error) {
	ctx, cancel := context.WithTimeout(ctx, readTimeout)
	defer cancel()
	q := r.options(ctx, 0)
	q.Prefix = r.target.JobID
	_, meta, err := r.client.Jobs().List(q)
	return lastIndex(meta), err
}

func (r *reader) options(ctx context.Context, index uint64) *api.QueryOptions {
	q := &api.QueryOptions{Namespace: r.target.Namespace, Region: r.target.Region, WaitIndex: index}
	if index > 0 {
		q.WaitTime = blockFor
	}
	return q.WithContext(ctx)
}

func timeout(index uint64) time.Duration {
	if index > 0 {
		return readEvery
	}
	return readTimeout
}

func lastIndex(meta *api.QueryMeta) uint64 {
	if meta == nil {
		return 0
	}
	return meta.LastIndex
}

// status is the HTTP status of a reply that is an error, 0 where there was no
// reply.
func status(err error) int {
	if reply, ok := errors.AsType[api.UnexpectedResponseError](err); ok {
		return reply.StatusCode()
	}
	return 0
}

// hopeless reports whether asking again gives the same answer: the server took
// the request and refused it.
func hopeless(err error) bool {
	code := status(err)
	return code >= 400 && code < 500 && code != http.StatusTooManyRequests
}
