package conformance

import (
	"fmt"
	"os"
	"slices"
	"strings"

	"github.com/hashicorp/nomad/api"
)

// reply adds what a request was answered, if that is not just that it was done.
func (s *session) reply(what string, err error) {
	if err != nil {
		s.say("%s: %v", what, err)
	}
}

// parse makes a job of HCL, by the engine's own parser.
func (s *session) parse(text string) *api.Job {
	s.Helper()
	job, err := s.client.Jobs().ParseHCL(text, true)
	if err != nil {
		s.Fatalf("%v\n%s", err, text)
	}
	return job
}

// register submits a version of the scenario's job.
func (s *session) register(j spec) *api.JobRegisterResponse {
	s.Helper()
	return s.registerHCL(j.hcl(s.job))
}

func (s *session) registerHCL(text string) *api.JobRegisterResponse {
	s.Helper()
	return s.registerJob(s.parse(text), nil)
}

// registerJob submits a job; an error or a warning becomes part of the record.
func (s *session) registerJob(job *api.Job, opts *api.RegisterOptions) *api.JobRegisterResponse {
	s.Helper()
	reply, _, err := s.client.Jobs().RegisterOpts(job, opts, nil)
	s.reply("register", err)
	if err == nil && reply.Warnings != "" {
		s.say("register: %s", reply.Warnings)
	}
	return reply
}

// registerAt submits a version that is to replace the one with the index.
func (s *session) registerAt(index uint64, j spec) {
	s.Helper()
	s.registerJob(s.parse(j.hcl(s.job)), &api.RegisterOptions{EnforceIndex: true, ModifyIndex: index})
}

// undeployed is the job without deployments.
func undeployed(j spec) spec {
	j.update += "\nmax_parallel = 0"
	return j
}

// deploy registers a version and waits until its deployment has succeeded.
func (s *session) deploy(j spec) {
	s.Helper()
	s.register(j)
	s.untilDeployment("successful")
}

// deployment is the newest one of the job, nil when there is none.
func (s *session) deployment() *api.Deployment {
	d, _, err := s.client.Jobs().LatestDeployment(s.job, nil)
	s.check(err)
	return d
}

// info is the newest version of the job.
func (s *session) info() *api.Job {
	s.Helper()
	job, _, err := s.client.Jobs().Info(s.job, nil)
	s.check(err)
	return job
}

// version is the number of the job's newest version.
func (s *session) version() uint64 {
	return *s.info().Version
}

// untilDeployment waits until the deployment of the newest version has a status.
func (s *session) untilDeployment(status string) *api.Deployment {
	s.Helper()
	var d *api.Deployment
	s.until("the deployment is "+status, func() bool {
		d = s.deployment()
		return d != nil && d.JobVersion == s.version() && d.Status == status
	})
	return d
}

// untilHealthy waits until a group of the newest deployment has n healthy
// allocations.
func (s *session) untilHealthy(group string, n int) *api.Deployment {
	s.Helper()
	var d *api.Deployment
	s.until(fmt.Sprintf("%d of %s are healthy", n, group), func() bool {
		d = s.deployment()
		return d != nil && d.JobVersion == s.version() && d.TaskGroups[group] != nil && d.TaskGroups[group].HealthyAllocs == n
	})
	return d
}

// allocs are the allocations that are meant to run the newest version and have a
// client status.
func (s *session) allocs(status string) []*api.AllocationListStub {
	version := s.version()
	var found []*api.AllocationListStub
	for _, stub := range s.stubs(s.job) {
		if stub.JobVersion == version && stub.ClientStatus == status {
			found = append(found, stub)
		}
	}
	return found
}

// untilAllocs waits until n allocations of the newest version have a client
// status.
func (s *session) untilAllocs(n int, status string) []*api.AllocationListStub {
	s.Helper()
	var found []*api.AllocationListStub
	s.until(fmt.Sprintf("%d allocations are %s", n, status), func() bool {
		found = s.allocs(status)
		return len(found) == n
	})
	return found
}

// untilJob waits until the job has a status.
func (s *session) untilJob(status string) {
	s.Helper()
	s.until("the job is "+status, func() bool {
		return *s.info().Status == status
	})
}

// untilBlocked waits until an evaluation waits for room.
func (s *session) untilBlocked() {
	s.Helper()
	s.untilEval(api.EvalStatusBlocked)
}

// untilEval waits until an evaluation has a status.
func (s *session) untilEval(status string) {
	s.Helper()
	s.until("an evaluation is "+status, func() bool {
		evals, _, err := s.client.Jobs().Evaluations(s.job, nil)
		s.check(err)
		return slices.ContainsFunc(evals, func(e *api.Evaluation) bool { return e.Status == status })
	})
}

// promote, fail, pause and resume act on the newest deployment.
func (s *session) promote(groups ...string) {
	var err error
	if len(groups) == 0 {
		_, _, err = s.client.Deployments().PromoteAll(s.deployment().ID, nil)
	} else {
		_, _, err = s.client.Deployments().PromoteGroups(s.deployment().ID, groups, nil)
	}
	s.reply(strings.Join(append([]string{"promote"}, groups...), " "), err)
}

func (s *session) fail() {
	reply, _, err := s.client.Deployments().Fail(s.deployment().ID, nil)
	s.reply("fail", err)
	if err == nil && reply.RevertedJobVersion != nil {
		s.say("fail: reverted to version %d", *reply.RevertedJobVersion)
	}
}

func (s *session) pause() {
	_, _, err := s.client.Deployments().Pause(s.deployment().ID, true, nil)
	s.reply("pause", err)
}

func (s *session) resume() {
	_, _, err := s.client.Deployments().Pause(s.deployment().ID, false, nil)
	s.reply("resume", err)
}

// stop ends the job; with purge it is forgotten.
func (s *session) stop(purge bool) {
	_, _, err := s.client.Jobs().Deregister(s.job, purge, nil)
	s.reply("stop", err)
}

// revert goes back to a version.
func (s *session) revert(version uint64, enforce *uint64) {
	_, _, err := s.client.Jobs().Revert(s.job, version, enforce, nil, "", "")
	s.reply(fmt.Sprintf("revert to %d", version), err)
}

// scale sets the count of group g.
func (s *session) scale(count int) {
	_, _, err := s.client.Jobs().Scale(s.job, "g", &count, "scaled", false, nil, nil)
	s.reply(fmt.Sprintf("scale to %d", count), err)
}

// tag and untag name versions.
func (s *session) tag(version uint64, name, description string) {
	_, err := s.client.Jobs().TagVersion(s.job, version, name, description, nil)
	s.reply(fmt.Sprintf("tag version %d as %s", version, name), err)
}

func (s *session) untag(name string) {
	_, err := s.client.Jobs().UntagVersion(s.job, name, nil)
	s.reply("untag "+name, err)
}

// evaluate asks for an evaluation, and whether it is to reschedule what failed.
func (s *session) evaluate(reschedule bool) {
	_, _, err := s.client.Jobs().EvaluateWithOpts(s.job, api.EvalOptions{ForceReschedule: reschedule}, nil)
	s.reply("evaluate", err)
}

// health tells the newest deployment how an allocation is.
func (s *session) health(alloc *api.AllocationListStub, healthy bool) {
	var good, bad []string
	if healthy {
		good = []string{alloc.ID}
	} else {
		bad = []string{alloc.ID}
	}
	_, _, err := s.client.Deployments().SetAllocHealth(s.deployment().ID, good, bad, nil)
	s.reply("health", err)
}

// ended tells whether the oldest allocation of a name has ended.
func (s *session) ended(name string) bool {
	var oldest *api.AllocationListStub
	for _, stub := range s.stubs(s.job) {
		if stub.Name == s.job+"."+name && (oldest == nil || stub.CreateIndex < oldest.CreateIndex) {
			oldest = stub
		}
	}
	return oldest != nil && ended(oldest)
}

// listener is a script that listens on the port http.
func (s *session) listener() string {
	self, err := os.Executable()
	s.check(err)
	return "exec " + self + " " + listenWord
}

// alloc is the newest allocation of a name.
func (s *session) alloc(name string) *api.Allocation {
	s.Helper()
	var newest *api.AllocationListStub
	for _, stub := range s.stubs(s.job) {
		if stub.Name == s.job+"."+name && (newest == nil || stub.CreateIndex > newest.CreateIndex) {
			newest = stub
		}
	}
	if newest == nil {
		s.Fatalf("there is no %s", name)
	}
	alloc, _, err := s.client.Allocations().Info(newest.ID, nil)
	s.check(err)
	return alloc
}

// untilTask waits until a task of the newest allocations is as it should be.
func (s *session) untilTask(task, what string, ok func(*api.TaskState) bool) {
	s.Helper()
	s.until(what, func() bool {
		return slices.ContainsFunc(s.stubs(s.job), func(stub *api.AllocationListStub) bool {
			state := stub.TaskStates[task]
			return state != nil && ok(state)
		})
	})
}

// untilRestarts waits until a task runs again.
func (s *session) untilRestarts(task string, n uint64) {
	s.Helper()
	s.untilTask(task, fmt.Sprintf("%s has restarted %d times", task, n), func(state *api.TaskState) bool {
		return state.Restarts == n && state.State == "running"
	})
}

// untilEvent waits until a task has an event whose message contains a text.
func (s *session) untilEvent(task, text string) {
	s.Helper()
	s.untilTask(task, "an event says "+text, func(state *api.TaskState) bool {
		return slices.ContainsFunc(state.Events, func(e *api.TaskEvent) bool { return strings.Contains(e.DisplayMessage, text) })
	})
}

// untilWaiting waits until an allocation is to be rescheduled later.
func (s *session) untilWaiting() {
	s.Helper()
	s.until("an allocation waits to be rescheduled", func() bool {
		return slices.ContainsFunc(s.stubs(s.job), func(stub *api.AllocationListStub) bool { return stub.FollowupEvalID != "" })
	})
}

// untilReplaced waits until the only allocation has ended and another runs.
func (s *session) untilReplaced() {
	s.Helper()
	s.until("it is replaced", func() bool {
		return s.ended("g[0]") && len(s.stubs(s.job)) == 2 && len(s.allocs("running")) == 1
	})
}

// untilFile waits until the allocation g[0] has a file.
func (s *session) untilFile(path string) {
	s.Helper()
	s.until("there is "+path, func() bool {
		_, _, err := s.client.AllocFS().Stat(s.alloc("g[0]"), path, nil)
		return err == nil
	})
}

// tryHCL submits a job that may be refused already when it is parsed (what the
// parsers say of that is their own). If it is good, it is refused for its index.
func (s *session) tryHCL(text string) {
	s.Helper()
	job, err := s.client.Jobs().ParseHCL(text, true)
	if err != nil {
		s.say("register: not parsed")
		return
	}
	s.registerJob(job, &api.RegisterOptions{EnforceIndex: true, ModifyIndex: 1 << 40})
}
