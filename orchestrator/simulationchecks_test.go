package orchestrator

import (
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/hashicorp/go-memdb"
	"github.com/hashicorp/nomad/api"

	"ostro/orchestrator/reconcile"
	"ostro/orchestrator/state"
)

func live(a *api.Allocation) bool { return !reconcile.Terminal(a) }

// committed holds what has to be true of every single write.
func (s *simulation) committed(index uint64, changes state.Changes) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.index > 0 && index != s.index+1 {
		s.fault("write %d follows write %d", index, s.index)
	}
	s.index = index
	s.counts["writes"]++
	for _, change := range changes {
		fmt.Fprintln(s.digest, index, change.Table, digestOf(change))
		s.checkAge(change)
		if gone, ok := change.Before.(*api.Allocation); ok && change.Deleted() && gone.DesiredStatus == api.AllocDesiredStatusRun {
			s.collected[gone.JobID] = true
		}
		if gone, ok := change.Before.(*api.Deployment); ok && change.Deleted() && gone.Status == api.DeploymentStatusFailed {
			s.collected[gone.JobID] = true
		}
		switch after := change.After.(type) {
		case *api.Allocation:
			before, _ := change.Before.(*api.Allocation)
			s.checkAlloc(index, before, after)
		case *api.Deployment:
			before, _ := change.Before.(*api.Deployment)
			s.checkDeployment(changes, before, after)
		case *api.Evaluation:
			before, _ := change.Before.(*api.Evaluation)
			if after.ModifyIndex != index {
				s.fault("evaluation %s has the index %d in write %d", after.ID, after.ModifyIndex, index)
			}
			calledOff := after.StatusDescription == "allocs reconnected" // also one that is complete (Nomad)
			if before != nil && before.Status != api.EvalStatusPending && before.Status != api.EvalStatusBlocked && before.Status != after.Status && !calledOff {
				s.fault("evaluation %s was %s and is %s", after.ID, before.Status, after.Status)
			}
		case *api.Job:
			before, _ := change.Before.(*api.Job)
			if change.Table == "jobs" && before != nil && *before.CreateIndex == *after.CreateIndex && *before.Version > *after.Version {
				s.fault("job %s goes from version %d to %d", *after.ID, *before.Version, *after.Version)
			}
		}
	}
	s.digests = append(s.digests, s.digest.Sum64())
}

// fault notes what is wrong. The caller holds mu, or is alone.
func (s *simulation) fault(format string, args ...any) {
	s.wrong = append(s.wrong, fmt.Sprintf(format, args...))
}

// digestOf tells one change from another.
func digestOf(change memdb.Change) string {
	switch row := change.After.(type) {
	case *api.Allocation:
		return fmt.Sprint(row.ID, row.Name, row.NodeID, row.DesiredStatus, row.ClientStatus, *row.Job.Version, row.ModifyTime, row.NextAllocation)
	case *api.Deployment:
		return fmt.Sprint(row.ID, row.Status, row.StatusDescription, row.ModifyTime)
	case *api.Evaluation:
		return fmt.Sprint(row.ID, row.Status, row.TriggeredBy, row.ModifyTime)
	case *api.Node:
		return fmt.Sprint(row.ID, row.Status, row.SchedulingEligibility, row.Drain)
	case *api.Job:
		return fmt.Sprint(*row.ID, *row.Version, *row.Status)
	}
	return ""
}

// checkAlloc holds that each field has one writer, and that what has ended stays so.
func (s *simulation) checkAlloc(index uint64, before, after *api.Allocation) {
	if after.ModifyIndex != index {
		s.fault("allocation %s has the index %d in write %d", after.ID, after.ModifyIndex, index)
	}
	if before == nil {
		s.counts["allocations"]++
		if node := s.o.store.Snapshot().Node(nil, after.NodeID); node == nil || !reconcile.Ready(node) {
			s.fault("allocation %s was placed on a node that takes none", after.ID)
		}
		return
	}
	if after.AllocModifyIndex != index {
		type decided struct {
			status, why, next, previous, node, followUp, deployment string
			version                                                 uint64
		}
		of := func(a *api.Allocation) decided {
			return decided{a.DesiredStatus, a.DesiredDescription, a.NextAllocation, a.PreviousAllocation, a.NodeID, a.FollowupEvalID, a.DeploymentID, *a.Job.Version}
		}
		if of(before) != of(after) {
			s.fault("a report of a node changes %+v to %+v", of(before), of(after))
		}
	} else {
		away := before.ClientStatus == api.AllocClientStatusUnknown || before.ClientDescription == reconcile.AwayDescription
		given := after.ClientStatus == api.AllocClientStatusLost || after.ClientStatus == api.AllocClientStatusUnknown
		if before.ClientStatus != after.ClientStatus && !given && !away && !s.hearing {
			s.fault("a decision makes allocation %s %s, which was %s", after.ID, after.ClientStatus, before.ClientStatus)
		}
		if !s.hearing && reflect.ValueOf(before.TaskStates).Pointer() != reflect.ValueOf(after.TaskStates).Pointer() {
			s.fault("a decision changes the task states of allocation %s", after.ID)
		}
		if isSet(after.DesiredTransition.Migrate) && !isSet(before.DesiredTransition.Migrate) {
			s.counts["moves"]++
		}
	}
	if before.DesiredStatus != api.AllocDesiredStatusRun && after.DesiredStatus == api.AllocDesiredStatusRun {
		s.fault("allocation %s was told to stop and is to run again", after.ID)
	}
	over := before.ClientStatus == api.AllocClientStatusComplete || before.ClientStatus == api.AllocClientStatusFailed
	if over && before.ClientStatus != after.ClientStatus {
		s.fault("allocation %s was %s and is %s", after.ID, before.ClientStatus, after.ClientStatus)
	}
	if before.ClientStatus != after.ClientStatus {
		switch after.ClientStatus {
		case api.AllocClientStatusLost:
			s.counts["losses"]++
		case api.AllocClientStatusFailed:
			s.counts["failures"]++
		}
	}
}

func isSet(flag *bool) bool { return flag != nil && *flag }

// checkDeployment holds what a deployment may become.
func (s *simulation) checkDeployment(changes state.Changes, before, after *api.Deployment) {
	if before == nil || before.Status == after.Status {
		for name, group := range after.TaskGroups {
			if before != nil && before.TaskGroups[name] != nil && !before.TaskGroups[name].Promoted && group.Promoted && group.DesiredCanaries > 0 {
				s.counts["promotions"]++
			}
		}
		return
	}
	if !state.Active(before) {
		s.fault("deployment %s was %s and is %s", after.ID, before.Status, after.Status)
	}
	s.counts["deployments "+after.Status]++
	if after.Status == api.DeploymentStatusSuccessful {
		s.checkSuccess(after)
	}
	if _, to, ok := strings.Cut(after.StatusDescription, "rolling back to job version "); ok && !strings.Contains(after.StatusDescription, "not rolling") {
		s.counts["reverts"]++
		s.checkRevert(changes, after, to)
	}
}

// checkSuccess holds that all of a successful deployment is healthy.
func (s *simulation) checkSuccess(d *api.Deployment) {
	for name, group := range d.TaskGroups {
		if group.HealthyAllocs < group.DesiredTotal || group.DesiredCanaries > 0 && !group.Promoted {
			s.fault("deployment %s is successful with %d healthy of %d in group %s", d.ID, group.HealthyAllocs, group.DesiredTotal, name)
		}
	}
	for _, a := range s.o.store.Snapshot().AllocsByDeployment(nil, d.ID) {
		healthy := a.DeploymentStatus != nil && isSet(a.DeploymentStatus.Healthy)
		if live(a) && !healthy && d.TaskGroups[a.TaskGroup] != nil {
			s.fault("deployment %s is successful, and allocation %s is not healthy", d.ID, a.ID)
		}
	}
}

// checkRevert holds that a job goes back to a version that is stable, in the write
// that fails the deployment.
func (s *simulation) checkRevert(changes state.Changes, d *api.Deployment, to string) {
	versions := s.o.store.Snapshot().Versions(nil, d.Namespace, d.JobID)
	for _, change := range changes {
		// A job keeps some versions only: the write may drop the one it goes back to.
		if dropped, ok := change.Before.(*api.Job); ok && change.Table == "job_versions" && change.Deleted() {
			versions = append(versions, dropped)
		}
	}
	for _, change := range changes {
		job, ok := change.After.(*api.Job)
		if !ok || change.Table != "jobs" || *job.ID != d.JobID {
			continue
		}
		if slices.ContainsFunc(versions, func(version *api.Job) bool {
			return fmt.Sprint(*version.Version) == to && *version.Stable && !*version.Stop && *job.Stable && state.SameSpec(version, job)
		}) {
			return
		}
	}
	s.fault("deployment %s does not end at the stable version %s of job %s", d.ID, to, d.JobID)
}

// check holds what has to be true whenever nothing is left to do.
func (s *simulation) check() {
	snap := s.o.store.Snapshot()
	s.checkJobs(snap)
	s.checkNodes(snap)
	for _, eval := range snap.OpenEvals(nil, api.EvalStatusPending) {
		if !eval.WaitUntil.After(s.clock()) {
			s.fault("nobody decides about evaluation %s, %s of job %s", eval.ID, eval.TriggeredBy, eval.JobID)
		}
	}
	waiting, active := map[string]int{}, map[string]int{}
	for _, eval := range snap.OpenEvals(nil, api.EvalStatusBlocked) {
		s.counts["blocked"]++
		if waiting[eval.JobID]++; waiting[eval.JobID] > 1 {
			s.fault("job %s has two blocked evaluations", eval.JobID)
		}
	}
	for _, d := range snap.ActiveDeployments(nil) {
		if active[d.JobID]++; active[d.JobID] > 1 {
			s.fault("job %s has two deployments", d.JobID)
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.wrong) > 0 {
		s.t.Fatalf("step %d: %s", s.counts["steps"], strings.Join(s.wrong, "\n"))
	}
}

// checkJobs holds that never more runs than a job wants, and nothing of one that
// was stopped.
func (s *simulation) checkJobs(snap *state.Snapshot) {
	type part struct{ job, group, node string }
	running := map[part]int{}
	for _, a := range snap.Allocs(nil) {
		if !live(a) || a.ClientStatus == api.AllocClientStatusUnknown {
			continue
		}
		job := snap.Job(nil, a.Namespace, a.JobID)
		if job == nil || *job.Stop {
			s.fault("allocation %s of job %s runs, which was stopped", a.ID, a.JobID)
			continue
		}
		key := part{a.JobID, a.TaskGroup, ""}
		if *job.Type == api.JobTypeSystem || *job.Type == api.JobTypeSysbatch {
			key.node = a.NodeID
		}
		running[key]++
	}
	for key, n := range running {
		job := snap.Job(nil, api.DefaultNamespace, key.job)
		group := job.LookupTaskGroup(key.group)
		if group == nil {
			s.fault("%d allocations run of group %s, which job %s does not have", n, key.group, key.job)
			continue
		}
		most := *group.Count
		if d := snap.LatestDeployment(nil, api.DefaultNamespace, key.job); key.node == "" && d != nil && state.Active(d) && d.TaskGroups[key.group] != nil && !d.TaskGroups[key.group].Promoted {
			most += d.TaskGroups[key.group].DesiredCanaries
		}
		if n > most {
			s.fault("%d allocations of group %s of job %s run, and not %d", n, key.group, key.job, most)
		}
	}
}

// checkNodes holds that nothing is given away twice, and that the planner knows
// what is.
func (s *simulation) checkNodes(snap *state.Snapshot) {
	for _, node := range snap.Nodes(nil) {
		used := &reconcile.Usage{}
		cpu, memory, ports := int64(0), int64(0), map[int]string{}
		for _, a := range snap.AllocsByNode(nil, node.ID) {
			if !reconcile.Holds(a) {
				continue
			}
			used.Add(a)
			for _, task := range a.AllocatedResources.Tasks {
				cpu, memory = cpu+task.Cpu.CpuShares, memory+task.Memory.MemoryMB
			}
			for _, port := range a.AllocatedResources.Shared.Ports {
				if other := ports[port.Value]; other != "" {
					s.fault("port %d of node %s belongs to %s and to %s", port.Value, node.ID, other, a.ID)
				}
				ports[port.Value] = a.ID
			}
		}
		if cpu > node.NodeResources.Cpu.CpuShares || memory > node.NodeResources.Memory.MemoryMB {
			s.fault("node %s has given away %d MHz and %d MB", node.ID, cpu, memory)
		}
		known := s.o.planner.Usage(node.ID)
		if known == nil {
			known = &reconcile.Usage{}
		}
		if !known.Equal(used) {
			s.fault("the planner knows of %+v on node %s, which holds %+v", known, node.ID, used)
		}
	}
}

// calm brings everything back and waits for an hour.
func (s *simulation) calm() {
	for _, id := range slices.Sorted(maps.Keys(s.o.nodes)) {
		// Also one that was collected meanwhile, and is known no longer.
		if s.o.loop.away.is(id) {
			s.reach(id, "in reach", s.o.Reconnect)
			s.settle()
		}
	}
	for _, node := range s.o.store.Snapshot().Nodes(nil) {
		s.call("PUT", "/v1/node/"+node.ID+"/drain", api.NodeUpdateDrainRequest{NodeID: node.ID, MarkEligible: true})
		s.settle()
		s.call("PUT", "/v1/node/"+node.ID+"/eligibility", map[string]string{"NodeID": node.ID, "Eligibility": "eligible"})
		s.settle()
	}
	for _, d := range s.o.store.Snapshot().ActiveDeployments(nil) {
		if d.Status == api.DeploymentStatusPaused {
			s.call("PUT", "/v1/deployment/pause/"+d.ID, api.DeploymentPauseRequest{DeploymentID: d.ID})
			s.settle()
		}
	}
	for range 120 {
		s.hearAll()
		time.Sleep(30 * time.Second)
		s.step()
	}
	s.hearAll()
	time.Sleep(100 * time.Millisecond)
	s.settle()
	s.hearAll()
}

// checkCalm holds what has to be true once everything could go its way: what was
// stopped has ended, what runs is known, and no job was forgotten.
func (s *simulation) checkCalm() {
	s.check()
	snap := s.o.store.Snapshot()
	for _, a := range snap.Allocs(nil) {
		if a.DesiredStatus != api.AllocDesiredStatusRun && a.ClientStatus != api.AllocClientStatusLost && live(&api.Allocation{DesiredStatus: api.AllocDesiredStatusRun, ClientStatus: a.ClientStatus}) {
			s.fault("allocation %s was told to stop and is %s", a.ID, a.ClientStatus)
		}
	}
	mock, _ := s.o.drivers.Get("mock_driver")
	tasks, err := mock.List(s.t.Context(), "")
	if err != nil {
		s.t.Fatal(err)
	}
	for _, task := range tasks {
		id, _, _ := strings.Cut(task, "/")
		if a := snap.Alloc(nil, id); a == nil || a.DesiredStatus != api.AllocDesiredStatusRun {
			what := "its allocation is gone"
			if a != nil {
				what = fmt.Sprintf("its allocation is to %s and %s, %s", a.DesiredStatus, a.ClientStatus, a.ClientDescription)
			}
			s.fault("task %s runs, and nobody wants it: %s", task, what)
		}
	}
	for _, job := range snap.Jobs(nil, api.AllNamespacesNamespace, "") {
		if *job.Type == api.JobTypeService && !*job.Stop {
			s.checkServed(snap, job)
		}
	}
	if len(s.wrong) > 0 {
		s.t.Fatalf("after an hour: %s", strings.Join(s.wrong, "\n"))
	}
}

// checkServed holds that a service has all that it wants, or that something is
// known to keep it from that.
func (s *simulation) checkServed(snap *state.Snapshot, job *api.Job) {
	d := snap.LatestDeployment(nil, *job.Namespace, *job.ID)
	rolling := d != nil && d.JobVersion == *job.Version && d.Status != api.DeploymentStatusSuccessful
	waits := slices.ContainsFunc(snap.EvalsByJob(nil, *job.Namespace, *job.ID), func(e *api.Evaluation) bool {
		return e.Status == api.EvalStatusBlocked || e.Status == api.EvalStatusPending
	})
	if rolling || waits || s.collected[*job.ID] {
		return
	}
	there := map[string]int{}
	for _, a := range snap.AllocsByJob(nil, *job.Namespace, *job.ID) {
		if a.DesiredStatus == api.AllocDesiredStatusRun && a.NextAllocation == "" && a.ClientStatus != api.AllocClientStatusLost && a.ClientStatus != api.AllocClientStatusComplete {
			there[a.TaskGroup]++
		}
	}
	for _, group := range job.TaskGroups {
		if there[*group.Name] < *group.Count {
			s.fault("group %s of job %s has %d allocations of %d, and nothing waits", *group.Name, *job.ID, there[*group.Name], *group.Count)
		}
	}
}
