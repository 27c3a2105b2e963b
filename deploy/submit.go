package deploy

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/hashicorp/nomad/api"
)

// maxPlans is how often a job is planned when others keep changing it.
const maxPlans = 5

// Options say how a job is submitted. The zero value is the careful way.
type Options struct {
	Force           bool               // submit without a plan: unchanged, unplaceable, whatever index
	ForceBatch      bool               // launch a periodic job at once
	ForceCount      bool               // use the job's counts, not those that run
	CheckIndex      *uint64            // the only job modify index to submit over; 0: the job must not exist
	RefuseNoChanges bool               // return ErrNoChanges instead of a Receipt with NoChange
	WaitForCapacity time.Duration      // above 0, what cannot be placed now is submitted all the same
	Submission      *api.JobSubmission // the source to store with the version, may be nil
	Rerun           bool               // run a batch job that is over again, although it is unchanged
	Planned         func(*PlanResult)  // called with each plan before it is acted upon, may be nil
	Contact         func(error)        // called when the answer to a register is lost, and with nil when it is known what became of it; may be nil
}

// Receipt identifies what a submit made, or found when there was nothing to do.
type Receipt struct {
	JobID, Namespace, Region string

	EvalID         string   // evaluation of the register, or of the forced launch; "" for periodic and parameterized jobs
	JobVersion     uint64   // of the job, or of Child
	JobModifyIndex uint64   // likewise
	NoChange       bool     // the server already had this job, and nothing was launched
	Previous       *api.Job // what was there before, nil for a new job
	Warnings       []string
	Child          string // ID of the job launched by ForceBatch, else ""
}

// Submit plans and registers the job. What is registered is what the plan
// showed: the server refuses it when the job has changed since. Then it is planned
// again, five times at most, and submitted if what would change is still what the
// first plan showed.
//
// Errors: [*Unreachable], [*Refused], [*Unplaceable], [*Conflict] and
// [ErrNoChanges] mean that nothing was submitted; [*Unsettled] that nobody
// knows. An answer that is lost is settled by reading the job, until ctx ends.
func Submit(ctx context.Context, c *api.Client, job *api.Job, o Options) (*Receipt, error) {
	s := submitter{client: c, wanted: job, opts: o}
	receipt, err := s.submit(ctx)
	if err != nil || !o.ForceBatch || job.Periodic == nil {
		return receipt, err
	}
	return receipt, s.launch(ctx, receipt)
}

type submitter struct {
	client *api.Client
	wanted *api.Job
	opts   Options
	shown  *PlanResult // the first plan, which is what somebody may have seen
}

func (s *submitter) submit(ctx context.Context) (*Receipt, error) {
	var conflict *Conflict
	for n := range maxPlans {
		receipt, err := s.once(ctx)
		var again bool
		if conflict, again = errors.AsType[*Conflict](err); !again || s.opts.CheckIndex != nil || conflict.Now != nil {
			return receipt, err
		}
		conflict.Attempts = n + 1
	}
	return nil, conflict
}

// once makes one plan and one register. A [Conflict] means that the job changed
// in between.
func (s *submitter) once(ctx context.Context) (*Receipt, error) {
	previous, err := readJob(ctx, s.client, s.wanted, contactBudget, contactBudget)
	if err != nil {
		return nil, err
	}
	job := s.wanted
	if !s.opts.ForceCount {
		job = withRunningCounts(job, previous)
	}
	index := jobIndex(previous)
	if err := s.checkIndex(index); err != nil {
		return nil, err
	}
	if s.opts.Force {
		if s.opts.Rerun && over(previous) {
			return s.rerun(ctx)
		}
		return s.register(ctx, job, previous)
	}

	p, err := plan(ctx, s.client, job, contactBudget)
	if err != nil {
		return nil, err
	}
	if p.JobModifyIndex != index {
		return nil, &Conflict{JobID: deref(job.ID), Want: index, Have: p.JobModifyIndex, Attempts: 1}
	}
	if s.opts.Planned != nil {
		s.opts.Planned(p)
	}
	switch {
	case p.NoChange() && s.opts.RefuseNoChanges:
		return nil, ErrNoChanges
	case p.NoChange() && s.opts.Rerun && over(previous):
		return s.rerun(ctx)
	case p.NoChange():
		r := newReceipt(previous, previous)
		r.NoChange, r.Warnings = true, p.Warnings
		return r, nil
	case s.shown != nil && !sameChange(s.shown, p):
		return nil, &Conflict{JobID: p.JobID, Want: s.shown.JobModifyIndex, Have: p.JobModifyIndex, Attempts: 2, Now: p}
	case len(p.Failed) > 0 && s.opts.WaitForCapacity == 0:
		return nil, &Unplaceable{JobID: p.JobID, Groups: p.Failed}
	}
	if s.shown == nil {
		s.shown = p
	}
	return s.register(ctx, job, previous)
}

func (s *submitter) checkIndex(have uint64) error {
	if want := s.opts.CheckIndex; want != nil && *want != have {
		return &Conflict{JobID: deref(s.wanted.ID), Want: *want, Have: have, Attempts: 1}
	}
	return nil
}

// register sends the job until it is known to be there or refused. Before
// anything was sent contact is sought for [contactBudget]; after that there is
// no way back, and it is sought until ctx ends.
func (s *submitter) register(ctx context.Context, job, previous *api.Job) (*Receipt, error) {
	opts := &api.RegisterOptions{
		EnforceIndex: !s.opts.Force || s.opts.CheckIndex != nil,
		ModifyIndex:  jobIndex(previous),
		Submission:   s.opts.Submission,
	}
	told := false
	defer func() {
		if told && s.opts.Contact != nil && ctx.Err() == nil {
			s.opts.Contact(nil)
		}
	}()
	for {
		reply, err := attempt(ctx, requestTimeout, func(ctx context.Context) (*api.JobRegisterResponse, error) {
			reply, _, err := s.client.Jobs().RegisterOpts(job, opts, writeOptions(ctx, job))
			return reply, err
		})
		switch {
		case err == nil:
			return s.receipt(ctx, job, previous, reply), nil
		case isConflict(err):
			return nil, &Conflict{JobID: deref(job.ID), Want: opts.ModifyIndex, Have: conflictIndex(err), Attempts: 1}
		case !Transient(err):
			return nil, refusal("register job "+deref(job.ID), err)
		}
		if !told && s.opts.Contact != nil {
			s.opts.Contact(err)
		}
		told = true
		receipt, settleErr := s.settle(ctx, job, previous)
		if receipt != nil || settleErr != nil {
			return receipt, s.lost(settleErr, err)
		}
		if !sleep(ctx, time.Second) {
			return nil, s.lost(context.Cause(ctx), err)
		}
	}
}

// lost is the error of a register whose answer never came: whoever stopped the
// waiting, what matters is that the outcome is unknown.
func (s *submitter) lost(err, cause error) error {
	if err == nil {
		return nil
	}
	if _, known := errors.AsType[*Conflict](err); known {
		return err
	}
	return &Unsettled{JobID: deref(s.wanted.ID), Err: errors.Join(err, cause)}
}

// settle finds out, by reading the job, what became of a register whose answer
// was lost: a receipt when it took place, nil when it did not, a [Conflict] when
// somebody else's did.
func (s *submitter) settle(ctx context.Context, job, previous *api.Job) (*Receipt, error) {
	now, err := readJob(ctx, s.client, job, 0, contactBudget)
	if err != nil {
		return nil, err
	}
	if jobIndex(now) == jobIndex(previous) {
		return nil, nil
	}
	p, err := plan(ctx, s.client, job, 0)
	if err != nil {
		return nil, err
	}
	if now == nil || !p.NoChange() || p.JobModifyIndex != jobIndex(now) {
		return nil, &Conflict{JobID: deref(job.ID), Want: jobIndex(previous), Have: jobIndex(now), Attempts: 1}
	}
	r := newReceipt(now, previous)
	r.Warnings = p.Warnings
	r.EvalID, err = s.registerEval(ctx, now)
	return r, err
}

// registerEval finds the evaluation that a register made: both are one write, so
// they share an index.
func (s *submitter) registerEval(ctx context.Context, job *api.Job) (string, error) {
	evals, err := retry(ctx, "read evaluations of job "+deref(job.ID), 0, contactBudget, func(ctx context.Context) ([]*api.Evaluation, error) {
		evals, _, err := s.client.Jobs().Evaluations(deref(job.ID), queryOptions(ctx, job))
		return evals, err
	})
	i := slices.IndexFunc(evals, func(e *api.Evaluation) bool {
		return e.TriggeredBy == "job-register" && (e.CreateIndex == jobIndex(job) || e.JobModifyIndex == jobIndex(job))
	})
	if i < 0 {
		return "", err
	}
	return evals[i].ID, nil
}

// receipt describes an answered register. The version is not in the answer, and
// for an unchanged job the answer's index is not the stored one: both are read.
// Where that fails they follow from what was there before, as the server counts
// versions up by one.
func (s *submitter) receipt(ctx context.Context, job, previous *api.Job, reply *api.JobRegisterResponse) *Receipt {
	r := newReceipt(job, previous)
	r.JobModifyIndex, r.JobVersion = reply.JobModifyIndex, 0
	if previous != nil {
		r.JobVersion = deref(previous.Version) + 1
	}
	now, err := readJob(ctx, s.client, job, contactBudget, contactBudget)
	if err == nil && reply.EvalID != "" && jobIndex(now) == jobIndex(previous) && s.seen(ctx, job, reply.EvalID) {
		now, err = readJob(ctx, s.client, job, contactBudget, contactBudget)
	}
	if err == nil && now != nil {
		r.Namespace, r.Region = deref(now.Namespace), deref(now.Region)
		r.NoChange = jobIndex(now) == jobIndex(previous)
		if r.NoChange || jobIndex(now) == reply.JobModifyIndex {
			r.JobVersion, r.JobModifyIndex = deref(now.Version), jobIndex(now)
		}
	}
	r.EvalID, r.Warnings = reply.EvalID, warnings(reply.Warnings)
	return r
}

// seen waits until a server that is read knows of the evaluation that a register made.
// A follower that lags behind (?stale) still has the job as it was.
func (s *submitter) seen(ctx context.Context, job *api.Job, evalID string) bool {
	_, err := retry(ctx, "read evaluation "+evalID, contactBudget, contactBudget, func(ctx context.Context) (*api.Evaluation, error) {
		eval, _, err := s.client.Evaluations().Info(evalID, queryOptions(ctx, job))
		if notFound(err) {
			err = errors.New("it is not there yet")
		}
		return eval, err
	})
	return err == nil
}

func newReceipt(job, previous *api.Job) *Receipt {
	return &Receipt{
		JobID:          deref(job.ID),
		Namespace:      deref(job.Namespace),
		Region:         deref(job.Region),
		JobVersion:     deref(job.Version),
		JobModifyIndex: jobIndex(job),
		Previous:       previous,
	}
}

// jobIndex is the index that the server enforces: 0 for a job that is not there.
func jobIndex(job *api.Job) uint64 {
	if job == nil {
		return 0
	}
	return deref(job.JobModifyIndex)
}

func isConflict(err error) bool {
	return strings.Contains(err.Error(), "Enforcing job modify index")
}

// conflictIndex reads the server's index from its refusal, 0 when it has no such
// job.
func conflictIndex(err error) (have uint64) {
	_, after, _ := strings.Cut(err.Error(), "conflicting job modify index: ")
	fmt.Sscanf(after, "%d", &have)
	return have
}
