package httpapi

import (
	"errors"
	"strings"
	"testing"

	"github.com/hashicorp/nomad/api"

	"ostro/orchestrator/reconcile"
	"ostro/orchestrator/state"
)

const (
	node1       = "00000000-0000-0000-0000-0000000000a1"
	deployment1 = "00000000-0000-0000-0000-0000000000d1"
	alloc1      = "00000000-0000-0000-0000-0000000000b1"
)

// withNode gives the agent a node that can run things.
func withNode(t *testing.T, c Config) {
	t.Helper()
	update(t, c, func(tx *state.Txn) {
		tx.PutNode(&api.Node{
			ID: node1, Name: "n", Datacenter: "dc1", NodePool: "default", Status: api.NodeStatusReady,
			SchedulingEligibility: api.NodeSchedulingEligible,
			Attributes:            map[string]string{"kernel.name": "linux", "driver.raw_exec": "1"},
			Drivers:               map[string]*api.DriverInfo{"raw_exec": {Detected: true, Healthy: true}},
			NodeResources: &api.NodeResources{
				Cpu: api.NodeCpuResources{CpuShares: 4000}, Memory: api.NodeMemoryResources{MemoryMB: 4000}, Disk: api.NodeDiskResources{DiskMB: 40000},
			},
		})
	})
}

func TestPlanTellsAndForgets(t *testing.T) {
	client, c := newAgent(t)
	withNode(t, c)
	before := c.Store.Snapshot().Index()
	plan, _, err := client.Jobs().Plan(testJob("web"), true, nil)
	if err != nil {
		t.Fatal(err)
	}
	if got := plan.Annotations.DesiredTGUpdates["g"]; got == nil || got.Place != 1 {
		t.Errorf("got %+v", got)
	}
	if plan.Diff.Type != "Added" || plan.Diff.TaskGroups[0].Updates["create"] != 1 || plan.JobModifyIndex != 0 {
		t.Errorf("got %+v", plan.Diff)
	}
	if after := c.Store.Snapshot(); after.Index() != before || after.Job(nil, "default", "web") != nil || len(after.Evals(nil)) != 0 {
		t.Error("the plan left something behind")
	}
	register(t, client, testJob("web"))
	same, _, err := client.Jobs().Plan(testJob("web"), true, nil)
	if err != nil || same.Diff.Type != "None" || same.JobModifyIndex == 0 {
		t.Errorf("the same job: got %+v, %v", same, err)
	}
}

func TestPlanTellsWhatCannotBePlaced(t *testing.T) {
	client, _ := newAgent(t)
	plan, _, err := client.Jobs().Plan(testJob("web"), false, nil)
	if err != nil || plan.FailedTGAllocs["g"] == nil || plan.Diff != nil {
		t.Errorf("got %+v, %v", plan, err)
	}
}

// underWay registers a job and puts a deployment of it, with one healthy
// canary, into the store.
func underWay(t *testing.T) (*api.Client, Config) {
	t.Helper()
	client, c := newAgent(t)
	register(t, client, testJob("web"))
	update(t, c, func(tx *state.Txn) {
		job := tx.Job(nil, "default", "web")
		tx.PutDeployment(&api.Deployment{
			ID: deployment1, Namespace: "default", JobID: "web", JobVersion: *job.Version, JobCreateIndex: *job.CreateIndex,
			Status: api.DeploymentStatusRunning,
			TaskGroups: map[string]*api.DeploymentState{
				"g": {DesiredCanaries: 1, DesiredTotal: 1, PlacedAllocs: 1, PlacedCanaries: []string{alloc1}, HealthyAllocs: 1},
			},
		})
		tx.PutAlloc(&api.Allocation{
			ID: alloc1, Namespace: "default", JobID: "web", Job: job, TaskGroup: "g", NodeID: node1, DeploymentID: deployment1,
			DesiredStatus: "run", ClientStatus: "running",
			DeploymentStatus: &api.AllocDeploymentStatus{Healthy: new(true), Canary: true},
		})
	})
	return client, c
}

func TestPromote(t *testing.T) {
	client, c := underWay(t)
	reply, _, err := client.Deployments().PromoteAll(deployment1, nil)
	if err != nil || reply.EvalID == "" || reply.DeploymentModifyIndex == 0 {
		t.Fatalf("got %+v, %v", reply, err)
	}
	snap := c.Store.Snapshot()
	if !snap.Deployment(nil, deployment1).TaskGroups["g"].Promoted || snap.Alloc(nil, alloc1).DeploymentStatus.Canary {
		t.Error("nothing was promoted")
	}
	if snap.Eval(nil, reply.EvalID).TriggeredBy != reconcile.TriggerDeploymentWatcher {
		t.Error("nobody looks at the job again")
	}
}

func TestPromoteUnready(t *testing.T) {
	client, c := underWay(t)
	update(t, c, func(tx *state.Txn) {
		alloc := *tx.Alloc(nil, alloc1)
		alloc.DeploymentStatus = nil
		tx.PutAlloc(&alloc)
	})
	_, _, err := client.Deployments().PromoteGroups(deployment1, []string{"g"}, nil)
	refused(t, err, 500, "1 error occurred:\n\t* Task group \"g\" has 0/1 healthy allocations")
}

func TestPauseFailAndAfterwards(t *testing.T) {
	client, c := underWay(t)
	status := func() string { return c.Store.Snapshot().Deployment(nil, deployment1).Status }
	if _, _, err := client.Deployments().Pause(deployment1, true, nil); err != nil || status() != "paused" {
		t.Fatalf("got %s, %v", status(), err)
	}
	if _, _, err := client.Deployments().Pause(deployment1, false, nil); err != nil || status() != "running" {
		t.Fatalf("got %s, %v", status(), err)
	}
	if _, _, err := client.Deployments().Fail(deployment1, nil); err != nil || status() != "failed" {
		t.Fatalf("got %s, %v", status(), err)
	}
	_, _, err := client.Deployments().Fail(deployment1, nil)
	refused(t, err, 500, "can't fail terminal deployment")
	_, _, err = client.Deployments().PromoteAll(deployment1, nil)
	refused(t, err, 500, "can't promote terminal deployment")
	_, _, err = client.Deployments().Pause(deployment1, true, nil)
	refused(t, err, 500, "can't pause terminal deployment")
	_, _, err = client.Deployments().Unblock(deployment1, nil)
	refused(t, err, 500, "can't unblock terminal deployment")
}

func TestAllocationHealth(t *testing.T) {
	client, c := underWay(t)
	if _, _, err := client.Deployments().SetAllocHealth(deployment1, nil, []string{alloc1}, nil); err != nil {
		t.Fatal(err)
	}
	if got := c.Store.Snapshot().Alloc(nil, alloc1).DeploymentStatus; *got.Healthy {
		t.Errorf("got %+v", got)
	}
}

func TestReadingADeployment(t *testing.T) {
	client, _ := underWay(t)
	d, meta, err := client.Deployments().Info(deployment1, nil)
	if err != nil || d.JobID != "web" || meta.LastIndex != d.ModifyIndex {
		t.Errorf("got %+v, %+v, %v", d, meta, err)
	}
	allocs, _, err := client.Deployments().Allocations(deployment1, nil)
	if err != nil || len(allocs) != 1 || allocs[0].ID != alloc1 {
		t.Errorf("got %v, %v", allocs, err)
	}
	list, _, err := client.Deployments().PrefixList("00000000")
	if err != nil || len(list) != 1 {
		t.Errorf("got %v, %v", list, err)
	}
	newest, _, err := client.Jobs().LatestDeployment("web", nil)
	if err != nil || newest.ID != deployment1 {
		t.Errorf("got %+v, %v", newest, err)
	}
}

func TestStoppingAnAllocation(t *testing.T) {
	client, c := underWay(t)
	reply, err := client.Allocations().Stop(&api.Allocation{ID: alloc1}, nil)
	if err != nil || reply.EvalID == "" {
		t.Fatalf("got %+v, %v", reply, err)
	}
	if got := c.Store.Snapshot().Alloc(nil, alloc1).DesiredTransition.Migrate; got == nil || !*got {
		t.Error("the allocation is not asked to move")
	}
}

func TestEligibility(t *testing.T) {
	client, c := newAgent(t)
	withNode(t, c)
	job := testJob("everywhere")
	job.Type = new(api.JobTypeSystem)
	register(t, client, job)
	if reply, err := client.Nodes().ToggleEligibility(node1, false, nil); err != nil || len(reply.EvalIDs) != 0 {
		t.Fatalf("got %+v, %v", reply, err)
	}
	if node := c.Store.Snapshot().Node(nil, node1); node.SchedulingEligibility != "ineligible" || len(node.Events) != 1 {
		t.Errorf("got %+v", node)
	}
	reply, err := client.Nodes().ToggleEligibility(node1, true, nil)
	if err != nil || len(reply.EvalIDs) != 1 {
		t.Errorf("got %+v, %v", reply, err)
	}
}

func TestSearch(t *testing.T) {
	client, _ := underWay(t)
	reply, _, err := client.Search().PrefixSearch("we", "all", nil)
	if err != nil || join(reply.Matches["jobs"]) != "web" || len(reply.Matches["allocs"]) != 0 {
		t.Errorf("got %+v, %v", reply, err)
	}
	reply, _, err = client.Search().PrefixSearch("00000000-0000-0000-0000-0000000000b", "allocs", nil)
	if err != nil || join(reply.Matches["allocs"]) != alloc1 {
		t.Errorf("got %+v, %v", reply, err)
	}
}

func TestAgent(t *testing.T) {
	client, _ := newAgent(t)
	self, err := client.Agent().Self()
	if err != nil || self.Member.Status != "alive" {
		t.Errorf("got %+v, %v", self, err)
	}
	if members, err := client.Agent().Members(); err != nil || len(members.Members) != 1 {
		t.Errorf("got %+v, %v", members, err)
	}
	if health, err := client.Agent().Health(); err != nil || !health.Server.Ok {
		t.Errorf("got %+v, %v", health, err)
	}
	if leader, err := client.Status().Leader(); err != nil || leader != "127.0.0.1:4646" {
		t.Errorf("got %q, %v", leader, err)
	}
	if spaces, _, err := client.Namespaces().List(nil); err != nil || len(spaces) != 1 {
		t.Errorf("got %+v, %v", spaces, err)
	}
	if config, _, err := client.Operator().SchedulerGetConfiguration(nil); err != nil || config.SchedulerConfig == nil {
		t.Errorf("got %+v, %v", config, err)
	}
	if err := client.System().GarbageCollect(); err != nil {
		t.Error(err)
	}
}

func TestParse(t *testing.T) {
	client, _ := newAgent(t)
	job, err := client.Jobs().ParseHCL("job \"web\" {\n  group \"g\" {\n    count = 2\n  }\n}\n", true)
	if err != nil || *job.ID != "web" || *job.TaskGroups[0].Count != 2 {
		t.Errorf("got %+v, %v", job, err)
	}
	_, err = client.Jobs().ParseHCL("job \"a\" { bogus = 1 }", false)
	if unexpected, ok := errors.AsType[api.UnexpectedResponseError](err); !ok || unexpected.StatusCode() != 400 ||
		!strings.HasPrefix(unexpected.Body(), "Failed to parse job: input.hcl:1,11-16: ") {
		t.Errorf("got %v", err)
	}
	_, err = client.Jobs().ParseHCL("job \"a\" { name = file(\"/etc/passwd\") }", false)
	if err == nil {
		t.Error("a job file read a file of the server")
	}
}
