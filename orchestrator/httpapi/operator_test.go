package httpapi

import (
	"net/http"
	"testing"

	"github.com/hashicorp/nomad/api"

	"ostro/orchestrator/state"
)

func newRequest(method, path string) (*http.Request, error) {
	return http.NewRequest(method, "http://127.0.0.1"+path, nil)
}

func TestSchedulerConfiguration(t *testing.T) {
	client, _ := newAgent(t)
	operator := client.Operator()
	got, _, err := operator.SchedulerGetConfiguration(nil)
	if err != nil || got.SchedulerConfig.SchedulerAlgorithm != "binpack" || !got.SchedulerConfig.PreemptionConfig.SystemSchedulerEnabled {
		t.Fatalf("at first it is %+v, %v", got, err)
	}
	wrong := &api.SchedulerConfiguration{SchedulerAlgorithm: "spread", ModifyIndex: 99}
	if reply, _, err := operator.SchedulerCASConfiguration(wrong, nil); err != nil || reply.Updated {
		t.Errorf("from another index: %+v, %v", reply, err)
	}
	wrong.ModifyIndex = got.SchedulerConfig.ModifyIndex
	if reply, _, err := operator.SchedulerCASConfiguration(wrong, nil); err != nil || !reply.Updated {
		t.Errorf("from the right index: %+v, %v", reply, err)
	}
	if got, _, err := operator.SchedulerGetConfiguration(nil); err != nil || got.SchedulerConfig.SchedulerAlgorithm != "spread" {
		t.Errorf("now it is %+v, %v", got, err)
	}
	_, _, err = operator.SchedulerSetConfiguration(&api.SchedulerConfiguration{SchedulerAlgorithm: "x"}, nil)
	refused(t, err, 400, "invalid scheduler algorithm: x")
}

func TestDeleteEvaluations(t *testing.T) {
	client, c := newAgent(t)
	update(t, c, func(tx *state.Txn) {
		for _, id := range []string{allocOne, allocTwo} {
			tx.PutEval(&api.Evaluation{ID: id, Namespace: "default", JobID: "gone", Status: "complete"})
		}
	})
	_, err := client.Evaluations().Delete([]string{allocOne}, nil)
	refused(t, err, 500, "eval broker is enabled; eval broker must be paused to delete evals")
	if _, _, err := client.Operator().SchedulerSetConfiguration(&api.SchedulerConfiguration{PauseEvalBroker: true}, nil); err != nil {
		t.Fatal(err)
	}
	_, err = client.Evaluations().Delete([]string{nobody}, nil)
	refused(t, err, 500, "eval not found")
	if _, err := client.Evaluations().Delete([]string{allocOne}, nil); err != nil {
		t.Fatal(err)
	}
	reply, _, err := client.Evaluations().DeleteOpts(&api.EvalDeleteRequest{Filter: `JobID == "gone"`}, nil)
	if err != nil || reply.Count != 1 || len(c.Store.Snapshot().Evals(nil)) != 0 {
		t.Errorf("deleted %+v by filter, %v", reply, err)
	}
}

func TestOneServer(t *testing.T) {
	client, _ := newAgent(t)
	raft, err := client.Operator().RaftGetConfiguration(nil)
	if err != nil || len(raft.Servers) != 1 || !raft.Servers[0].Leader || !raft.Servers[0].Voter {
		t.Errorf("the servers are %+v, %v", raft, err)
	}
	health, _, err := client.Operator().AutopilotServerHealth(nil)
	if err != nil || !health.Healthy || len(health.Servers) != 1 {
		t.Errorf("the health is %+v, %v", health, err)
	}
	if _, _, err := client.Operator().AutopilotGetConfiguration(nil); err != nil {
		t.Error(err)
	}
	workers, err := client.Agent().GetSchedulerWorkersInfo(nil)
	if err != nil || len(workers.Schedulers) != 1 {
		t.Errorf("the schedulers are %+v, %v", workers, err)
	}
	if n, err := client.Agent().Join("127.0.0.1"); n != 0 || err == nil {
		t.Errorf("joined %d, %v", n, err)
	}
}

func TestNodeMeta(t *testing.T) {
	client, c := newAgent(t)
	update(t, c, func(tx *state.Txn) {
		node := &api.Node{ID: allocOne, Meta: map[string]string{"rack": "r1", "zone": "z1"}}
		tx.RegisterMeta(node)
		tx.PutNode(node)
	})
	set := map[string]*string{"rack": new("r2"), "zone": nil, "app.version": new("3"), "gone": nil}
	reply, err := client.Nodes().Meta().Apply(&api.NodeMetaApplyRequest{NodeID: allocOne, Meta: set}, nil)
	if err != nil || len(reply.Meta) != 2 || reply.Meta["rack"] != "r2" || reply.Meta["app.version"] != "3" || reply.Static["zone"] != "z1" {
		t.Fatalf("applied %+v, %v", reply, err)
	}
	if node, _, err := client.Nodes().Info(allocOne, nil); err != nil || node.Meta["rack"] != "r2" || node.Meta["zone"] != "" {
		t.Errorf("the node has %v, %v", node.Meta, err)
	}
	// What was set stays when the node registers anew.
	update(t, c, func(tx *state.Txn) {
		node := &api.Node{ID: allocOne, Meta: map[string]string{"rack": "r9", "zone": "z9", "new": "1"}}
		tx.RegisterMeta(node)
		tx.PutNode(node)
	})
	read, err := client.Nodes().Meta().Read("", nil)
	if err != nil || read.Meta["rack"] != "r2" || read.Meta["new"] != "1" || read.Dynamic["zone"] != nil {
		t.Errorf("read %+v, %v", read, err)
	}
	_, err = client.Nodes().Meta().Apply(&api.NodeMetaApplyRequest{Meta: map[string]*string{"a b": new("x")}}, nil)
	refused(t, err, 400, `"a b" is invalid; metadata keys must be valid dotted hcl identifiers`)
	_, err = client.Nodes().Meta().Apply(&api.NodeMetaApplyRequest{}, nil)
	refused(t, err, 400, "missing required Meta object")
	_, err = client.Nodes().Meta().Read(nobody, nil)
	refused(t, err, 500, "Unknown node "+nobody)
}
