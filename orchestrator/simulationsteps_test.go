package orchestrator

import (
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"time"

	"github.com/hashicorp/nomad/api"

	"ostro/orchestrator/state"
)

// operate is what somebody wants of the agent, or what becomes of a node.
func (s *simulation) operate() {
	snap := s.o.store.Snapshot()
	n := s.random.IntN(100)
	switch {
	case n < 36:
		s.register()
	case n < 62:
		s.changeDeployment(snap)
	case n < 76:
		s.changeJob(snap)
	case n < 82:
		s.stopAlloc(snap)
	case n < 94:
		s.changeNode()
	case n < 98:
		s.setClock()
	default:
		s.remove(func() { s.call("PUT", "/v1/system/gc", nil) })
	}
}

func (s *simulation) register() {
	job := s.job()
	s.say("register %s", describeJob(job))
	s.call("PUT", "/v1/jobs", map[string]any{"Job": job})
}

// changeDeployment promotes, fails, pauses, resumes, or judges.
func (s *simulation) changeDeployment(snap *state.Snapshot) {
	active := snap.ActiveDeployments(nil)
	if len(active) == 0 {
		return
	}
	d := pick(s, active...)
	switch n := s.random.IntN(100); {
	case n < 45:
		s.call("PUT", "/v1/deployment/promote/"+d.ID, api.DeploymentPromoteRequest{DeploymentID: d.ID, All: true})
	case n < 50:
		s.call("PUT", "/v1/deployment/fail/"+d.ID, nil)
	case n < 75:
		s.call("PUT", "/v1/deployment/pause/"+d.ID, api.DeploymentPauseRequest{DeploymentID: d.ID, Pause: n < 56})
	default:
		req := api.DeploymentAllocHealthRequest{DeploymentID: d.ID}
		for _, a := range snap.AllocsByDeployment(nil, d.ID) {
			if live(a) && s.chance(95) {
				req.HealthyAllocationIDs = append(req.HealthyAllocationIDs, a.ID)
			} else if live(a) {
				req.UnhealthyAllocationIDs = append(req.UnhealthyAllocationIDs, a.ID)
			}
		}
		s.call("PUT", "/v1/deployment/allocation-health/"+d.ID, req)
	}
}

// changeJob stops, purges, scales, reverts or evaluates a job.
func (s *simulation) changeJob(snap *state.Snapshot) {
	jobs := snap.Jobs(nil, api.AllNamespacesNamespace, "")
	if len(jobs) == 0 {
		return
	}
	job := pick(s, jobs...)
	path := "/v1/job/" + *job.ID
	switch n := s.random.IntN(100); {
	case n < 25:
		s.remove(func() { s.call(http.MethodDelete, path+"?purge="+strconv.FormatBool(n < 8), nil) })
	case n < 55:
		s.call("PUT", path+"/scale", api.ScalingRequest{
			Count: new(int64(s.random.IntN(5))), Target: map[string]string{"Group": *pick(s, job.TaskGroups...).Name},
		})
	case n < 85:
		version := pick(s, snap.Versions(nil, *job.Namespace, *job.ID)...)
		s.call("PUT", path+"/revert", api.JobRevertRequest{JobID: *job.ID, JobVersion: *version.Version})
	default:
		s.call("PUT", path+"/evaluate", map[string]any{"JobID": *job.ID, "EvalOptions": api.EvalOptions{ForceReschedule: n < 95}})
	}
}

// remove does what may remove things at once.
func (s *simulation) remove(ask func()) {
	s.asks(true)
	ask()
	s.settle()
	s.asks(false)
}

func (s *simulation) asks(asked bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.asked = asked
}

func (s *simulation) stopAlloc(snap *state.Snapshot) {
	allocs := slices.DeleteFunc(snap.Allocs(nil), func(a *api.Allocation) bool { return !live(a) })
	if len(allocs) > 0 {
		s.call("PUT", "/v1/allocation/"+pick(s, allocs...).ID+"/stop", nil)
	}
}

// changeNode drains a node, makes it eligible or not, or takes it out of reach and
// brings it back, also when it has been collected meanwhile.
func (s *simulation) changeNode() {
	id := pick(s, slices.Sorted(maps.Keys(s.o.nodes))...)
	path := "/v1/node/" + id
	away := s.o.loop.away.is(id)
	switch n := s.random.IntN(100); {
	case n < 15:
		spec := &api.DrainSpec{Deadline: pick(s, -1, 0, time.Minute, time.Hour), IgnoreSystemJobs: s.chance(50)}
		s.call("PUT", path+"/drain", api.NodeUpdateDrainRequest{NodeID: id, DrainSpec: spec})
	case n < 40:
		s.call("PUT", path+"/drain", api.NodeUpdateDrainRequest{NodeID: id, MarkEligible: true})
	case n < 55:
		s.call("PUT", path+"/eligibility", map[string]string{"NodeID": id, "Eligibility": pick(s, "eligible", "eligible", "ineligible")})
	case away:
		s.reach(id, "in reach", s.o.Reconnect)
	case n < 75:
		s.reach(id, "out of reach", s.o.Disconnect)
	}
}

func (s *simulation) reach(node, where string, change func(string) error) {
	s.say("node %.4s is %s", node, where)
	s.count(where)
	s.mu.Lock()
	s.hearing = true
	s.mu.Unlock()
	if err := change(node); err != nil {
		s.t.Error(err)
	}
	s.settle()
	s.heard()
}

// job makes one up. Its ID tells its type, which cannot change.
func (s *simulation) job() *api.Job {
	kind := pick(s, api.JobTypeService, api.JobTypeService, api.JobTypeService, api.JobTypeBatch, api.JobTypeSystem, api.JobTypeSysbatch)
	id := fmt.Sprintf("%s-%d", kind, s.random.IntN(2))
	job := &api.Job{ID: &id, Name: &id, Type: &kind, Priority: new(pick(s, 50, 50, 60)), Datacenters: []string{"*"}}
	for i := range pick(s, 1, 1, 1, 2) {
		job.TaskGroups = append(job.TaskGroups, s.group(kind, fmt.Sprintf("g%d", i)))
	}
	if s.chance(5) {
		job.Constraints = []*api.Constraint{{LTarget: "${node.unique.name}", RTarget: pick(s, "node", "node-2", "nowhere"), Operand: "="}}
	}
	return job
}

func (s *simulation) group(kind, name string) *api.TaskGroup {
	task := &api.Task{
		Name: "t", Driver: "mock_driver", Env: map[string]string{"VERSION": pick(s, "a", "b", "c")},
		Config: map[string]any{
			"run_for":   pick(s, "1s", "40s", "10m", "1000h", "1000h", "1000h", "1000h", "1000h"),
			"exit_code": pick(s, "0", "0", "1", "${NOMAD_ALLOC_INDEX}"),
		},
		Resources: &api.Resources{CPU: new(pick(s, 50, 100, 400)), MemoryMB: new(pick(s, 50, 100, 300))},
		LogConfig: &api.LogConfig{MaxFiles: new(1), MaxFileSizeMB: new(1)},
	}
	switch n := s.random.IntN(100); {
	case n < 6:
		task.Config["start_error"] = "it does not start"
	case n < 10:
		task.Config["start_block_for"] = pick(s, "1s", "20s", "2m")
	case n < 15:
		task.Config["kill_after"] = "3s"
	}
	group := &api.TaskGroup{
		Name: &name, Count: new(s.random.IntN(5)), Tasks: []*api.Task{task}, EphemeralDisk: &api.EphemeralDisk{SizeMB: new(100)},
		RestartPolicy: &api.RestartPolicy{Attempts: new(pick(s, 0, 1)), Interval: new(time.Minute), Delay: new(time.Duration(0)), Mode: new("fail")},
	}
	if s.chance(15) {
		group.Networks = []*api.NetworkResource{{DynamicPorts: []api.Port{{Label: "p"}}}}
		if s.chance(30) {
			group.Networks[0].ReservedPorts = []api.Port{{Label: "s", Value: 8000}}
		}
	}
	if s.chance(7) {
		group.Constraints = []*api.Constraint{{Operand: api.ConstraintDistinctHosts, RTarget: "true"}}
	}
	s.addPolicies(kind, group)
	return group
}

// addPolicies says how a group is updated, rescheduled and disconnected, where its
// type lets it.
func (s *simulation) addPolicies(kind string, group *api.TaskGroup) {
	service, everywhere := kind == api.JobTypeService, kind == api.JobTypeSystem || kind == api.JobTypeSysbatch
	if everywhere {
		group.Count = new(1)
	} else {
		group.ReschedulePolicy = pick(s,
			&api.ReschedulePolicy{Attempts: new(0), Unlimited: new(false)},
			&api.ReschedulePolicy{Attempts: new(1), Interval: new(time.Hour), Delay: new(5 * time.Second), DelayFunction: new("constant"), MaxDelay: new(time.Duration(0)), Unlimited: new(false)},
			&api.ReschedulePolicy{Attempts: new(0), Interval: new(time.Duration(0)), Delay: new(5 * time.Second), DelayFunction: new("exponential"), MaxDelay: new(time.Minute), Unlimited: new(true)})
		if s.chance(25) {
			group.Disconnect = &api.DisconnectStrategy{
				LostAfter: new(pick(s, time.Minute, time.Hour)), Replace: new(s.chance(60)),
				Reconcile: new(pick(s, "best_score", "keep_original", "keep_replacement", "longest_running")),
			}
		}
	}
	if service || kind == api.JobTypeSystem {
		group.Update = &api.UpdateStrategy{
			MaxParallel: new(pick(s, 0, 1, 1, 2, 3)), Canary: new(pick(s, 0, 0, 1, 2)), AutoRevert: new(s.chance(50)), AutoPromote: new(false),
			MinHealthyTime: new(pick(s, 0, time.Second, 10*time.Second)), HealthyDeadline: new(30 * time.Second),
			ProgressDeadline: new(pick(s, 0, 2*time.Minute, 10*time.Minute)), HealthCheck: new(pick(s, "task_states", "task_states", "task_states", "manual")),
		}
		if kind == api.JobTypeSystem {
			*group.Update.Canary *= 40
		}
		*group.Update.AutoPromote = *group.Update.Canary > 0 && s.chance(40)
	}
	if service {
		group.Migrate = &api.MigrateStrategy{
			MaxParallel: new(pick(s, 1, 2)), HealthCheck: new("task_states"), MinHealthyTime: new(time.Second), HealthyDeadline: new(30 * time.Second),
		}
	}
}

// describeJob tells in a line what matters.
func describeJob(job *api.Job) string {
	text := *job.ID
	for _, g := range job.TaskGroups {
		text += fmt.Sprintf(" %s(count %d, %v, %v", *g.Name, *g.Count, g.Tasks[0].Env["VERSION"], g.Tasks[0].Config)
		if u := g.Update; u != nil {
			text += fmt.Sprintf(", max_parallel %d, canary %d, revert %v, promote %v, deadline %v, %s", *u.MaxParallel, *u.Canary, *u.AutoRevert,
				*u.AutoPromote, *u.ProgressDeadline, *u.HealthCheck)
		}
		if d := g.Disconnect; d != nil {
			text += fmt.Sprintf(", lost after %v, replace %v, %s", *d.LostAfter, *d.Replace, *d.Reconcile)
		}
		text += ")"
	}
	return text
}
