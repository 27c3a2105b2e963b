package orchestrator_test

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/hashicorp/nomad/api"

	"ostro/orchestrator"
	"ostro/orchestrator/orchestratortest"
)

// onNode lists the allocations of a job that run on a node.
func onNode(t *testing.T, a *orchestratortest.Agent, jobID, nodeID string) []*api.AllocationListStub {
	t.Helper()
	return slices.DeleteFunc(running(t, a, jobID), func(s *api.AllocationListStub) bool { return s.NodeID != nodeID })
}

func nodeIDs(t *testing.T, a *orchestratortest.Agent) []string {
	t.Helper()
	nodes, _, err := a.Client.Nodes().List(nil)
	if err != nil {
		t.Fatal(err)
	}
	var ids []string
	for _, n := range nodes {
		ids = append(ids, n.ID)
	}
	return ids
}

func readNode(t *testing.T, a *orchestratortest.Agent, id string) *api.Node {
	t.Helper()
	node, _, err := a.Client.Nodes().Info(id, nil)
	if err != nil {
		t.Fatal(err)
	}
	return node
}

// quickMigration lets a group move one allocation at a time, each when the one
// before has been healthy for a moment.
func quickMigration(job *api.Job) *api.Job {
	job.TaskGroups[0].Migrate = &api.MigrateStrategy{
		MaxParallel: new(1), HealthCheck: new("task_states"),
		MinHealthyTime: new(100 * time.Millisecond), HealthyDeadline: new(5 * time.Second),
	}
	return job
}

// watchDrain follows how many allocations of a job run anywhere until a node is
// drained, and returns the fewest.
func watchDrain(t *testing.T, a *orchestratortest.Agent, jobID, nodeID string) (fewest int) {
	t.Helper()
	fewest = len(running(t, a, jobID))
	orchestratortest.Eventually(t, "the node is drained", func() bool {
		fewest = min(fewest, len(running(t, a, jobID)))
		return readNode(t, a, nodeID).DrainStrategy == nil
	})
	return fewest
}

func TestDrainMovesServicesStepByStep(t *testing.T) {
	a := orchestratortest.Start(t, orchestrator.Config{Nodes: 2})
	ids := nodeIDs(t, a)
	if _, err := a.Client.Nodes().ToggleEligibility(ids[1], false, nil); err != nil {
		t.Fatal(err)
	}
	register(t, a, quickMigration(shellJob("service", "web", 3, "exec sleep 1000")))
	deployment(t, a, "web", 0, "successful")
	register(t, a, shellJob("system", "run", 1, "exec sleep 1000"))
	deployment(t, a, "run", 0, "successful")
	if _, err := a.Client.Nodes().ToggleEligibility(ids[1], true, nil); err != nil {
		t.Fatal(err)
	}
	_, err := a.Client.Nodes().UpdateDrainOpts(ids[0], &api.DrainOptions{
		DrainSpec: &api.DrainSpec{Deadline: time.Hour}, Meta: map[string]string{"message": "because"},
	}, nil)
	if err != nil {
		t.Fatal(err)
	}
	if fewest := watchDrain(t, a, "web", ids[0]); fewest < 1 {
		t.Errorf("at one time only %d of 3 ran", fewest)
	}
	orchestratortest.Eventually(t, "three run on the other node, and the system job has left", func() bool {
		return len(onNode(t, a, "web", ids[1])) == 3 && len(onNode(t, a, "run", ids[0])) == 0
	})
	node := readNode(t, a, ids[0])
	if node.SchedulingEligibility != api.NodeSchedulingIneligible || node.LastDrain == nil ||
		node.LastDrain.Status != "complete" || node.LastDrain.Meta["message"] != "because" {
		t.Errorf("after the drain the node is %s with %+v", node.SchedulingEligibility, node.LastDrain)
	}
	var messages []string
	for _, e := range node.Events[len(node.Events)-2:] {
		messages = append(messages, e.Message)
	}
	if want := []string{"Node drain strategy set", "Node drain complete"}; !slices.Equal(messages, want) {
		t.Errorf("the last events are %q, not %q", messages, want)
	}
	for _, stub := range allocs(t, a, "web") {
		if stub.NodeID == ids[0] && stub.DesiredDescription != "alloc is being migrated" {
			t.Errorf("what left the drained node says %q", stub.DesiredDescription)
		}
	}
}

func allocs(t *testing.T, a *orchestratortest.Agent, jobID string) []*api.AllocationListStub {
	t.Helper()
	stubs, _, err := a.Client.Jobs().Allocations(jobID, true, nil)
	if err != nil {
		t.Fatal(err)
	}
	return stubs
}

func TestForcedDrainEndsAtOnce(t *testing.T) {
	a := orchestratortest.Start(t, orchestrator.Config{})
	id := nodeIDs(t, a)[0]
	register(t, a, shellJob("batch", "work", 1, "exec sleep 1000"))
	register(t, a, shellJob("system", "run", 1, "exec sleep 1000"))
	orchestratortest.Eventually(t, "both run", func() bool {
		return len(running(t, a, "work")) == 1 && len(running(t, a, "run")) == 1
	})
	if _, err := a.Client.Nodes().UpdateDrain(id, &api.DrainSpec{Deadline: -1, IgnoreSystemJobs: true}, false, nil); err != nil {
		t.Fatal(err)
	}
	orchestratortest.Eventually(t, "the batch job was stopped", func() bool {
		return allocs(t, a, "work")[0].ClientStatus == api.AllocClientStatusComplete
	})
	if n := len(running(t, a, "run")); n != 1 {
		t.Errorf("%d of the system job run, though it was to be ignored", n)
	}
	if _, err := a.Client.Nodes().UpdateDrain(id, nil, true, nil); err != nil {
		t.Fatal(err)
	}
	if n := len(allocs(t, a, "work")); n != 1 {
		t.Errorf("what the drain ended of a batch job was begun anew: %d allocations", n)
	}
	last := readNode(t, a, id)
	if e := last.Events[len(last.Events)-1]; e.Message != "Node drain complete" || e.Details["deadline_reached"] != "true" {
		t.Errorf("the last event is %q %v", e.Message, e.Details)
	}
}

func TestNodeThatIsDownLosesItsAllocations(t *testing.T) {
	a := orchestratortest.Start(t, orchestrator.Config{Nodes: 2})
	ids := nodeIDs(t, a)
	register(t, a, shellJob("service", "web", 1, "exec sleep 1000"))
	deployment(t, a, "web", 0, "successful")
	old := running(t, a, "web")[0]
	if err := a.Disconnect(old.NodeID); err != nil {
		t.Fatal(err)
	}
	if status := readNode(t, a, old.NodeID).Status; status != api.NodeStatusDown {
		t.Errorf("the node is %s", status)
	}
	other := ids[(slices.Index(ids, old.NodeID)+1)%2]
	orchestratortest.Eventually(t, "another runs on the other node", func() bool { return len(onNode(t, a, "web", other)) == 1 })
	lost, _, err := a.Client.Allocations().Info(old.ID, nil)
	if err != nil || lost.ClientStatus != api.AllocClientStatusLost || lost.DesiredDescription != "alloc is lost since its node is down" {
		t.Errorf("the lost one is %s: %s (%v)", lost.ClientStatus, lost.DesiredDescription, err)
	}
	if err := a.Reconnect(old.NodeID); err != nil {
		t.Fatal(err)
	}
	orchestratortest.Eventually(t, "the lost one has ended on its node", func() bool {
		again, _, err := a.Client.Allocations().Info(old.ID, nil)
		return err == nil && again.ClientStatus == api.AllocClientStatusComplete
	})
}

// TestCollectedNodeComesBack takes a node out of reach until it has been collected:
// when it is back it registers again, and what ran on it ends.
func TestCollectedNodeComesBack(t *testing.T) {
	a := orchestratortest.Start(t, orchestrator.Config{Nodes: 2})
	ended := filepath.Join(t.TempDir(), "ended")
	register(t, a, shellJob("service", "web", 1, fmt.Sprintf("trap 'touch %s.$NOMAD_ALLOC_ID; exit 0' INT; while true; do sleep 0.1; done", ended)))
	deployment(t, a, "web", 0, "successful")
	old := running(t, a, "web")[0]
	if err := a.Disconnect(old.NodeID); err != nil {
		t.Fatal(err)
	}
	orchestratortest.Eventually(t, "another runs on the other node", func() bool {
		list := running(t, a, "web")
		return len(list) == 1 && list[0].ID != old.ID
	})
	if err := a.Client.System().GarbageCollect(); err != nil {
		t.Fatal(err)
	}
	if _, _, err := a.Client.Nodes().Info(old.NodeID, nil); err == nil {
		t.Fatal("the node was not collected")
	}
	if err := a.Reconnect(old.NodeID); err != nil {
		t.Fatal(err)
	}
	if status := readNode(t, a, old.NodeID).Status; status != api.NodeStatusReady {
		t.Errorf("the node is %s", status)
	}
	orchestratortest.Eventually(t, "what ran on it has ended", func() bool {
		_, err := os.Stat(ended + "." + old.ID)
		return err == nil
	})
}

// TestDisconnectedAllocation comes back to the place that it had.
func TestDisconnectedAllocationComesBack(t *testing.T) {
	a := orchestratortest.Start(t, orchestrator.Config{Nodes: 2})
	job := shellJob("service", "web", 1, "exec sleep 1000")
	group := job.TaskGroups[0]
	group.ReschedulePolicy = &api.ReschedulePolicy{
		Unlimited: new(true), Delay: new(5 * time.Second), DelayFunction: new("constant"),
	}
	keep := api.ReconcileOptionKeepOriginal
	group.Disconnect = &api.DisconnectStrategy{LostAfter: new(time.Hour), Replace: new(true), Reconcile: &keep}
	register(t, a, job)
	deployment(t, a, "web", 0, "successful")
	old := running(t, a, "web")[0]
	if err := a.Disconnect(old.NodeID); err != nil {
		t.Fatal(err)
	}
	status := func() string {
		alloc, _, err := a.Client.Allocations().Info(old.ID, nil)
		if err != nil {
			t.Fatal(err)
		}
		return alloc.ClientStatus
	}
	orchestratortest.Eventually(t, "it is unknown", func() bool { return status() == api.AllocClientStatusUnknown })
	if s := readNode(t, a, old.NodeID).Status; s != "disconnected" {
		t.Errorf("the node is %s", s)
	}
	orchestratortest.Eventually(t, "a replacement runs", func() bool { return len(running(t, a, "web")) == 1 })
	replacement := running(t, a, "web")[0]
	if err := a.Reconnect(old.NodeID); err != nil {
		t.Fatal(err)
	}
	orchestratortest.Eventually(t, "the old one alone runs", func() bool {
		now := running(t, a, "web")
		return len(now) == 1 && now[0].ID == old.ID
	})
	gone, _, err := a.Client.Allocations().Info(replacement.ID, nil)
	if err != nil || gone.DesiredDescription != "alloc not needed due to disconnected client reconnect" {
		t.Errorf("the replacement says %q (%v)", gone.DesiredDescription, err)
	}
}

func TestPurgedNodeRegistersAgain(t *testing.T) {
	a := orchestratortest.Start(t, orchestrator.Config{Heartbeat: 100 * time.Millisecond})
	id := nodeIDs(t, a)[0]
	register(t, a, shellJob("service", "web", 1, "exec sleep 1000"))
	deployment(t, a, "web", 0, "successful")
	old := running(t, a, "web")[0]
	if _, _, err := a.Client.Nodes().Purge(id, nil); err != nil {
		t.Fatal(err)
	}
	orchestratortest.Eventually(t, "another runs on the node that came back", func() bool {
		now := running(t, a, "web")
		return len(now) == 1 && now[0].ID != old.ID
	})
	if node := readNode(t, a, id); node.Events[len(node.Events)-1].Message != "Node registered" {
		t.Errorf("the node says %q", node.Events[len(node.Events)-1].Message)
	}
}
