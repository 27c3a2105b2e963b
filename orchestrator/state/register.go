package state

import (
	"errors"
	"fmt"
	"reflect"
	"slices"

	"github.com/hashicorp/nomad/api"
)

// trackedVersions is how many versions of a job are kept.
// (Nomad: job_tracked_versions, 6.)
const trackedVersions = 6

// Registration is a job to be stored, and what must hold for it.
type Registration struct {
	// Job is canonical: every field that has a default carries it.
	Job        *api.Job
	Submission *api.JobSubmission
	// EnforceIndex demands that the stored job has JobModifyIndex, 0 meaning
	// that there is none.
	EnforceIndex   bool
	JobModifyIndex uint64
}

// ErrIndexConflict is wrapped by the error of a registration whose enforced
// index does not hold.
//
//lint:ignore ST1005 the words are Nomad's
var ErrIndexConflict = errors.New("Enforcing job modify index")

// RegisterJob stores a job as its next version and returns the stored job. A
// job that equals the stored one in everything that its author decides is not
// stored again; another one is the next version, which has to prove itself.
// (Nomad: R1, R2.)
func (tx *Txn) RegisterJob(r Registration) (*api.Job, error) {
	old := tx.Job(nil, *r.Job.Namespace, *r.Job.ID)
	if err := r.Check(old); err != nil {
		return nil, err
	}
	job := *r.Job
	ownPolicies(&job)
	tx.inheritPolicies(&job, old)
	if old != nil && SameSpec(old, &job) {
		return old, nil
	}
	job.Stable = new(false)
	tx.putVersion(&job, old)
	tx.putSubmission(&job, r.Submission)
	return &job, nil
}

// putSubmission keeps the source text of a version of a job, when there is one.
func (tx *Txn) putSubmission(job *api.Job, text *api.JobSubmission) {
	if text != nil {
		tx.insert(tableSubmissions, &submissionRow{*job.Namespace, *job.ID, *job.Version, text})
	}
}

// PutChild stores a job that another one launched. It takes ownership. A child
// has the number of the version that launched it (Nomad), and scaling policies
// with IDs of their own.
func (tx *Txn) PutChild(child *api.Job, newID func() string) {
	child.Stable, child.VersionTag = new(false), nil
	child.CreateIndex, child.ModifyIndex, child.JobModifyIndex = new(tx.Index), new(tx.Index), new(tx.Index)
	ownPolicies(child)
	tx.inheritPolicies(child, nil)
	for _, policy := range ScalingPolicies(child) {
		policy.ID, policy.Target["Job"] = newID(), *child.ID
	}
	tx.insert(tableJobs, child)
	tx.insert(tableVersions, child)
}

// Check tells whether the stored job, or nil, is the one that the registration
// builds upon. It is asked within the write. (Nomad: R3.)
func (r Registration) Check(old *api.Job) error {
	if !r.EnforceIndex {
		return nil
	}
	switch want := r.JobModifyIndex; {
	case old == nil && want != 0:
		return fmt.Errorf("%w %d: job does not exist", ErrIndexConflict, want)
	case old != nil && want == 0:
		return fmt.Errorf("%w 0: job already exists", ErrIndexConflict)
	case old != nil && *old.JobModifyIndex != want:
		return fmt.Errorf("%w %d: job exists with conflicting job modify index: %d", ErrIndexConflict, want, *old.JobModifyIndex)
	}
	return nil
}

// putVersion stores job, whose Stable and Submission are settled, as the
// version after old.
func (tx *Txn) putVersion(job, old *api.Job) {
	job.Version, job.CreateIndex = new(uint64(0)), new(tx.Index)
	job.JobModifyIndex, job.ModifyIndex = new(tx.Index), new(tx.Index)
	job.VersionTag = nil
	if old != nil {
		job.Version, job.CreateIndex = new(*old.Version+1), old.CreateIndex
	}
	tx.insert(tableJobs, job)
	tx.insert(tableVersions, job)
	tx.dropOldVersions(*job.Namespace, *job.ID)
}

// PutJob stores a changed job without making a new version: its status, its
// stability. It takes ownership.
func (tx *Txn) PutJob(job *api.Job) {
	job.ModifyIndex = new(tx.Index)
	tx.insert(tableJobs, job)
	tx.insert(tableVersions, job)
}

// MarkStable sets the stability of one version of a job. A version that is no
// longer kept is left alone. (Nomad: R7.)
func (tx *Txn) MarkStable(namespace, id string, version uint64, stable bool) {
	row := tx.Version(nil, namespace, id, version)
	if row == nil || *row.Stable == stable {
		return
	}
	job := *row
	job.Stable = &stable
	tx.changeVersion(&job)
}

// StopJob stores a copy of the job with Stop set, as a new version submitted at
// a time in Unix nanoseconds; with purge it removes the job and all there is of
// it instead. It returns what the evaluation that follows is about: the stopped
// job, or nil where there is none any more.
func (tx *Txn) StopJob(namespace, id string, purge bool, submitted int64) *api.Job {
	old := tx.Job(nil, namespace, id)
	if old == nil {
		return nil
	}
	if purge {
		tx.purge(old)
		return nil
	}
	job := *old
	job.Stop, job.SubmitTime = new(true), &submitted
	tx.disablePolicies(&job)
	tx.AmendJob(&job)
	return &job
}

// AmendJob stores a changed copy of the newest version as the next one, even
// when nothing differs. It takes ownership, and keeps the version's Stable and
// its source. (Nomad: so does a stop, and so does scaling.)
func (tx *Txn) AmendJob(job *api.Job) {
	old := tx.Job(nil, *job.Namespace, *job.ID)
	tx.putVersion(job, old)
	tx.putSubmission(job, tx.Submission(nil, *job.Namespace, *job.ID, *old.Version))
}

// RevertJob stores a copy of an older version as the newest one. With stable
// the copy keeps its Stable. (Nomad: R8, R9; an automatic revert keeps it, a manual
// one does not.) It returns nil when the version is no longer kept.
func (tx *Txn) RevertJob(namespace, id string, version uint64, stable bool) *api.Job {
	current, old := tx.Job(nil, namespace, id), tx.Version(nil, namespace, id, version)
	if current == nil || old == nil {
		return nil
	}
	job := *old
	job.Stable = new(stable && *old.Stable)
	ownPolicies(&job)
	tx.inheritPolicies(&job, current)
	tx.putVersion(&job, current)
	tx.putSubmission(&job, tx.Submission(nil, namespace, id, version))
	return &job
}

// purge removes a job with its versions, allocations and deployments at once,
// and ends the evaluations that wait for their turn. (Nomad.)
func (tx *Txn) purge(job *api.Job) {
	namespace, id := *job.Namespace, *job.ID
	tx.delete(tableJobs, job)
	for _, version := range tx.Versions(nil, namespace, id) {
		tx.deleteVersion(version)
	}
	for _, a := range tx.AllocsByJob(nil, namespace, id) {
		tx.delete(tableAllocs, a)
	}
	tx.dropSpecs(namespace, id)
	for _, d := range tx.DeploymentsByJob(nil, namespace, id) {
		tx.delete(tableDeployments, d)
	}
	for _, open := range tx.EvalsByJob(nil, namespace, id) {
		if openEval(open) {
			eval := *open
			eval.Status, eval.StatusDescription = api.EvalStatusComplete, fmt.Sprintf("job %s deleted", id)
			tx.PutEval(&eval)
		}
	}
	tx.forgetHistory(namespace, id)
}

func (tx *Txn) deleteVersion(job *api.Job) {
	tx.delete(tableVersions, job)
	row := first[submissionRow](&tx.Snapshot, nil, tableSubmissions, byID, *job.Namespace, *job.ID, versionKey(*job.Version))
	if row != nil {
		tx.delete(tableSubmissions, row)
	}
}

// dropOldVersions keeps the newest versions and every tagged one. Where no kept
// version is stable, the newest stable one stays in the place of the oldest, so
// that there is something to revert to. (Nomad: R6.)
func (tx *Txn) dropOldVersions(namespace, id string) {
	tagged := func(job *api.Job) bool { return job.VersionTag != nil }
	stable := func(job *api.Job) bool { return *job.Stable }
	versions := slices.DeleteFunc(tx.Versions(nil, namespace, id), tagged)
	if len(versions) <= trackedVersions {
		return
	}
	if i := slices.IndexFunc(versions, stable); i >= trackedVersions {
		last := trackedVersions - 1
		versions[last], versions[i] = versions[i], versions[last]
	}
	for _, job := range versions[trackedVersions:] {
		tx.deleteVersion(job)
	}
}

// SameSpec tells whether two canonical jobs, both as they came over the wire,
// are the same but for what the server sets.
func SameSpec(a, b *api.Job) bool {
	return reflect.DeepEqual(authored(a), authored(b))
}

func authored(job *api.Job) *api.Job {
	bare := *job
	bare.Status, bare.StatusDescription, bare.Stable = nil, nil, nil
	bare.Version, bare.CreateIndex, bare.ModifyIndex, bare.JobModifyIndex = nil, nil, nil, nil
	bare.SubmitTime, bare.VersionTag = nil, nil
	return &bare
}
