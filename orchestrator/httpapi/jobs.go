package httpapi

import (
	"net/http"
	"slices"
	"strconv"

	"github.com/hashicorp/go-memdb"
	"github.com/hashicorp/nomad/api"

	"ostro/orchestrator/jobdiff"
	"ostro/orchestrator/state"
)

// jobNotFound is what a path below a job that is not there says. (Nomad.)
const jobNotFound = "job not found"

// id is the ID that a path names.
func (r *request) id() string { return r.PathValue("id") }

func (s *server) listJobs(r *request) (any, error) {
	return s.jobList(r, func(snap *state.Snapshot, watch memdb.WatchSet) []*api.Job {
		return snap.Jobs(watch, r.namespace, r.prefix)
	})
}

// jobList answers with the stubs of jobs.
func (s *server) jobList(r *request, read func(*state.Snapshot, memdb.WatchSet) []*api.Job) (any, error) {
	type result struct {
		jobs []*api.Job
		snap *state.Snapshot
	}
	found, index := wait(s, r, func(snap *state.Snapshot, watch memdb.WatchSet) (result, uint64) {
		snap.Allocs(watch)
		snap.Evals(watch)
		return result{read(snap, watch), snap}, snap.TableIndex("jobs", "allocs", "evals")
	})
	jobs, next, err := page(r, found.jobs, jobKey)
	if err != nil {
		return nil, err
	}
	meta, err := r.flag("meta")
	if err != nil {
		return nil, err
	}
	stubs := make([]jobListStub, len(jobs))
	for i, job := range jobs {
		stubs[i] = jobStub(job, summarize(found.snap, nil, job))
		if meta {
			stubs[i].Meta = job.Meta
		}
	}
	return answer{value: stubs, index: index, next: next}, nil
}

// jobKey sorts jobs.
func jobKey(job *api.Job) key { return namespaceKey(*job.Namespace, *job.ID) }

// jobListStub has also what the client library does not read. (Nomad.)
type jobListStub struct {
	*api.JobListStub
	NodePool    string
	Multiregion *api.Multiregion
}

func jobStub(job *api.Job, summary *api.JobSummary) jobListStub {
	stub := &api.JobListStub{
		ID: *job.ID, ParentID: *job.ParentID, Name: *job.Name, Namespace: *job.Namespace,
		Datacenters: job.Datacenters, Type: *job.Type, Priority: *job.Priority,
		Periodic: job.IsPeriodic(), ParameterizedJob: job.IsParameterized(), Stop: *job.Stop,
		Status: *job.Status, StatusDescription: *job.StatusDescription, JobSummary: summary,
		CreateIndex: *job.CreateIndex, ModifyIndex: *job.ModifyIndex, JobModifyIndex: *job.JobModifyIndex,
		SubmitTime: *job.SubmitTime,
	}
	pool := api.NodePoolDefault
	if job.NodePool != nil {
		pool = *job.NodePool
	}
	return jobListStub{stub, pool, nil}
}

func (s *server) readJob(r *request) (any, error) {
	job, index, err := one(s, r, "jobs", jobNotFound, func(snap *state.Snapshot, watch memdb.WatchSet) (*api.Job, uint64) {
		job := snap.Job(watch, r.namespace, r.id())
		return job, jobIndex(job)
	})
	if err != nil {
		return nil, err
	}
	job, err = withPayload(job)
	return answer{value: job, index: index}, err
}

// action is one of the commands that a task offers. (Nomad.)
type action struct {
	Name, Command           string
	Args                    []string
	TaskName, TaskGroupName string
}

// jobActions lists them.
func (s *server) jobActions(r *request) (any, error) {
	job := s.Store.Snapshot().Job(nil, r.namespace, r.id())
	if job == nil {
		return nil, textErrorf("Unknown job %q", r.id())
	}
	actions := []action{}
	for _, group := range job.TaskGroups {
		for _, task := range group.Tasks {
			for _, a := range task.Actions {
				actions = append(actions, action{a.Name, a.Command, a.Args, task.Name, *group.Name})
			}
		}
	}
	return answer{value: actions, index: *job.ModifyIndex}, nil
}

func jobIndex(job *api.Job) uint64 {
	if job == nil {
		return 0
	}
	return *job.ModifyIndex
}

// versionsReply is the answer of /versions. (Nomad.)
type versionsReply struct {
	Versions []*api.Job
	Diffs    []*api.JobDiff
	meta
}

func (s *server) jobVersions(r *request) (any, error) {
	diffs, err := r.flag("diffs")
	if err != nil {
		return nil, err
	}
	versions, index := wait(s, r, func(snap *state.Snapshot, watch memdb.WatchSet) ([]*api.Job, uint64) {
		versions := snap.Versions(watch, r.namespace, r.id())
		index := uint64(0)
		for _, version := range versions {
			index = max(index, *version.ModifyIndex)
		}
		if index == 0 {
			index = snap.TableIndex("jobs")
		}
		return versions, index
	})
	if len(versions) == 0 {
		return nil, missing("job versions not found", index)
	}
	reply := versionsReply{Versions: versions}
	if diffs {
		if reply.Diffs, err = versionDiffs(r, versions); err != nil {
			return nil, err
		}
	}
	reply.meta = knownAt(index)
	return answer{value: reply, index: index}, nil
}

// versionDiffs compares each version with the next older one, or all of them
// with the one that the request names.
func versionDiffs(r *request, versions []*api.Job) ([]*api.JobDiff, error) {
	base, err := diffBase(r, versions)
	if err != nil {
		return nil, err
	}
	var diffs []*api.JobDiff
	for i, version := range versions {
		older := base
		if base == nil {
			if i+1 == len(versions) {
				break
			}
			older = versions[i+1]
		}
		diff, err := jobdiff.Jobs(older, version, true)
		if err != nil {
			return nil, err
		}
		diffs = append(diffs, diff)
	}
	return diffs, nil
}

func diffBase(r *request, versions []*api.Job) (*api.Job, error) {
	if tag := r.query.Get("diff_tag"); tag != "" {
		i := slices.IndexFunc(versions, func(v *api.Job) bool { return v.VersionTag != nil && v.VersionTag.Name == tag })
		if i < 0 {
			return nil, fail(http.StatusInternalServerError, "tag %q not found", tag)
		}
		return versions[i], nil
	}
	text := r.query.Get("diff_version")
	if text == "" {
		return nil, nil
	}
	number, err := strconv.ParseUint(text, 10, 64)
	if err != nil {
		return nil, textErrorf("Failed to parse value of \"diff_version\" (%s) as a uint64: %v", text, err)
	}
	i := slices.IndexFunc(versions, func(v *api.Job) bool { return *v.Version == number })
	if i < 0 {
		return nil, fail(http.StatusInternalServerError, "version %d not found", number)
	}
	return versions[i], nil
}

func (s *server) jobSubmission(r *request) (any, error) {
	version, err := strconv.ParseUint(r.query.Get("version"), 10, 64)
	if err != nil {
		return nil, badRequest("Unable to parse job submission version parameter")
	}
	text, index, err := one(s, r, "jobs", "job source not found",
		func(snap *state.Snapshot, watch memdb.WatchSet) (*api.JobSubmission, uint64) {
			return snap.Submission(watch, r.namespace, r.id(), version), snap.TableIndex("job_submissions")
		})
	if err != nil {
		return nil, err
	}
	return answer{value: submissionReply{r.namespace, r.id(), version, text}, index: index}, nil
}

// submissionReply is a submission with what it belongs to. (Nomad.)
type submissionReply struct {
	Namespace string
	JobID     string
	Version   uint64
	*api.JobSubmission
}

func (s *server) jobSummary(r *request) (any, error) {
	summary, index, err := one(s, r, "jobs", jobNotFound,
		func(snap *state.Snapshot, watch memdb.WatchSet) (*api.JobSummary, uint64) {
			job := snap.Job(watch, r.namespace, r.id())
			if job == nil {
				return nil, 0
			}
			summary := summarize(snap, watch, job)
			return summary, summary.ModifyIndex
		})
	return answer{value: summary, index: index}, err
}

func (s *server) jobAllocs(r *request) (any, error) {
	all, _ := strconv.ParseBool(r.query.Get("all")) // What is no bool is false. (Nomad.)
	allocs, index := wait(s, r, func(snap *state.Snapshot, watch memdb.WatchSet) ([]*api.Allocation, uint64) {
		job := snap.Job(watch, r.namespace, r.id())
		allocs := snap.AllocsByJob(watch, r.namespace, r.id())
		if !all && job != nil {
			allocs = slices.DeleteFunc(allocs, func(a *api.Allocation) bool { return *a.Job.CreateIndex != *job.CreateIndex })
		}
		return allocs, listIndex(snap, "allocs", allocs, func(a *api.Allocation) uint64 { return a.ModifyIndex })
	})
	return answer{value: s.allocStubs(r, allocs), index: index}, nil
}

// listIndex is the index of a list of what belongs to something: the newest of
// its elements, or the table's when it is empty. (Nomad.)
func listIndex[T any](snap *state.Snapshot, table string, list []T, index func(T) uint64) uint64 {
	newest := uint64(0)
	for _, item := range list {
		newest = max(newest, index(item))
	}
	if newest == 0 {
		return snap.TableIndex(table)
	}
	return newest
}

func (s *server) jobEvals(r *request) (any, error) {
	evals, index := wait(s, r, func(snap *state.Snapshot, watch memdb.WatchSet) ([]*api.Evaluation, uint64) {
		evals := snap.EvalsByJob(watch, r.namespace, r.id())
		return evals, listIndex(snap, "evals", evals, func(e *api.Evaluation) uint64 { return e.ModifyIndex })
	})
	return answer{value: orEmpty(evals), index: index}, nil
}

func (s *server) jobDeployments(r *request) (any, error) {
	list, index := wait(s, r, func(snap *state.Snapshot, watch memdb.WatchSet) ([]*api.Deployment, uint64) {
		list := snap.DeploymentsByJob(watch, r.namespace, r.id())
		return list, listIndex(snap, "deployments", list, func(d *api.Deployment) uint64 { return d.ModifyIndex })
	})
	return answer{value: shownAll(s.Store.Snapshot(), list), index: index}, nil
}

// jobDeployment answers null when there is none. (Nomad.)
func (s *server) jobDeployment(r *request) (any, error) {
	newest, index := wait(s, r, func(snap *state.Snapshot, watch memdb.WatchSet) (*api.Deployment, uint64) {
		d := snap.LatestDeployment(watch, r.namespace, r.id())
		if d == nil {
			return nil, snap.TableIndex("deployments")
		}
		return d, d.ModifyIndex
	})
	return answer{value: shown(s.Store.Snapshot(), newest), index: index}, nil
}

// orEmpty makes [] of what would become null.
func orEmpty[T any](list []T) []T {
	if list == nil {
		return []T{}
	}
	return list
}
