package httpapi

import (
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"time"

	"github.com/hashicorp/go-bexpr"
	"github.com/hashicorp/go-memdb"
	"github.com/hashicorp/nomad/api"

	"ostro/orchestrator/state"
)

// builtinScheduler is how decisions are made where nobody has said anything.
// (Nomad.)
func builtinScheduler() *api.SchedulerConfiguration {
	return &api.SchedulerConfiguration{
		SchedulerAlgorithm: api.SchedulerAlgorithmBinpack, CreateIndex: 2, ModifyIndex: 2,
		PreemptionConfig: api.PreemptionConfig{SystemSchedulerEnabled: true},
	}
}

func schedulerOf(snap *state.Snapshot, watch memdb.WatchSet) *api.SchedulerConfiguration {
	if config := snap.SchedulerConfig(watch); config != nil {
		return config
	}
	return builtinScheduler()
}

func (s *server) readScheduler(r *request) (any, error) {
	config, index := wait(s, r, func(snap *state.Snapshot, watch memdb.WatchSet) (*api.SchedulerConfiguration, uint64) {
		config := schedulerOf(snap, watch)
		return config, config.ModifyIndex
	})
	return answer{value: struct {
		SchedulerConfig *api.SchedulerConfiguration
		meta
	}{config, knownAt(index)}, index: index}, nil
}

// updatedReply tells whether a check-and-set was done. (Nomad.)
type updatedReply struct {
	Updated bool
	Index   uint64
}

// writeScheduler changes how decisions are made. What only a cluster needs is
// kept and has no effect. (Nomad: the texts.)
func (s *server) writeScheduler(r *request) (any, error) {
	config := &api.SchedulerConfiguration{}
	if err := decode(r, config); err != nil {
		return nil, badRequest("Error parsing scheduler config: %v", err)
	}
	switch config.SchedulerAlgorithm {
	case "":
		config.SchedulerAlgorithm = api.SchedulerAlgorithmBinpack
	case api.SchedulerAlgorithmBinpack, api.SchedulerAlgorithmSpread:
	default:
		return nil, badRequest("invalid scheduler algorithm: %s", config.SchedulerAlgorithm)
	}
	check, err := r.casValue()
	if err != nil {
		return nil, err
	}
	reply := updatedReply{}
	reply.Index, err = s.Store.Update(func(tx *state.Txn) error {
		if reply.Updated = check == nil || schedulerOf(&tx.Snapshot, nil).ModifyIndex == *check; reply.Updated {
			tx.PutSchedulerConfig(config)
		}
		return nil
	})
	return answer{value: reply, index: reply.Index}, err
}

// casValue is the index of a check-and-set, or nil. (Nomad: the text.)
func (r *request) casValue() (*uint64, error) {
	text := r.query.Get("cas")
	if text == "" {
		return nil, nil
	}
	index, err := strconv.ParseUint(text, 10, 64)
	if err != nil {
		return nil, badRequest("Error parsing cas value: %v", err)
	}
	return &index, nil
}

// maxEvalIDs is how many evaluations one request may delete by ID. (Nomad.)
const maxEvalIDs = 7281

// deleteEvals removes evaluations while none are worked on. (Nomad: the texts.)
func (s *server) deleteEvals(r *request) (any, error) {
	req := struct {
		EvalIDs []string
		Filter  string
	}{}
	if err := decode(r, &req); err != nil {
		return nil, err
	}
	switch {
	case req.Filter != "" && len(req.EvalIDs) > 0:
		return nil, badRequest("evals cannot be deleted by both ID and filter")
	case req.Filter == "" && len(req.EvalIDs) == 0:
		return nil, badRequest("evals must be deleted by either ID or filter")
	case len(req.EvalIDs) > maxEvalIDs:
		return nil, badRequest("request includes %d evaluation IDs, must be %d or fewer", len(req.EvalIDs), maxEvalIDs)
	}
	reply := struct {
		Count int
		Index uint64
	}{}
	var err error
	reply.Index, err = s.Store.Update(func(tx *state.Txn) error {
		if !schedulerOf(&tx.Snapshot, nil).PauseEvalBroker {
			return textError("eval broker is enabled; eval broker must be paused to delete evals")
		}
		evals, err := chooseEvals(tx, req.EvalIDs, req.Filter)
		for _, eval := range evals {
			tx.DeleteEval(eval.ID)
		}
		reply.Count = len(evals)
		return err
	})
	return answer{value: reply, index: reply.Index}, err
}

// chooseEvals refuses an ID of what is still needed; a filter passes it over.
func chooseEvals(tx *state.Txn, ids []string, expression string) ([]*api.Evaluation, error) {
	if expression != "" {
		keep, err := bexpr.CreateEvaluator(expression)
		if err != nil {
			return nil, err
		}
		return slices.DeleteFunc(tx.Evals(nil), func(eval *api.Evaluation) bool {
			ok, err := keep.Evaluate(eval)
			return err != nil || !ok || !deletable(tx, eval)
		}), nil
	}
	var evals []*api.Evaluation
	for _, id := range ids {
		if err := checkID("failed to lookup eval: eval lookup failed: index error: ", id); err != nil {
			return nil, err
		}
		eval := tx.Eval(nil, id)
		if eval == nil {
			return nil, textError("eval not found")
		}
		if !deletable(tx, eval) {
			return nil, fmt.Errorf("eval %s is not safe to delete", id)
		}
		evals = append(evals, eval)
	}
	return evals, nil
}

// deletable tells whether nothing that lives came of an evaluation.
func deletable(tx *state.Txn, eval *api.Evaluation) bool {
	if job := tx.Job(nil, eval.Namespace, eval.JobID); job == nil || *job.Stop {
		return true
	}
	return !slices.ContainsFunc(tx.AllocsByJob(nil, eval.Namespace, eval.JobID), func(a *api.Allocation) bool {
		return a.EvalID == eval.ID && !a.ClientTerminalStatus()
	})
}

// raftConfiguration is that of a cluster of one. (Nomad.)
func (s *server) raftConfiguration(*request) (any, error) {
	return map[string]any{"Index": 0, "Servers": []any{map[string]any{
		"ID": s.id, "Node": s.serverName(), "Address": s.Address, "Leader": true, "Voter": true, "RaftProtocol": "3",
	}}}, nil
}

func (s *server) removePeer(r *request) (any, error) {
	if r.query.Get("id") == "" && r.query.Get("address") == "" {
		return nil, badRequest("Must specify the peer's ID to remove")
	}
	return nil, textError("this agent is the only server, and cannot be removed")
}

// autopilotConfiguration is Nomad's own; there is nobody to apply it to.
func (s *server) autopilotConfiguration(*request) (any, error) {
	return map[string]any{
		"CleanupDeadServers": true, "LastContactThreshold": "200ms", "MaxTrailingLogs": 250, "MinQuorum": 0, "ServerStabilizationTime": "10s",
		"EnableRedundancyZones": false, "DisableUpgradeMigration": false, "EnableCustomUpgrades": false, "CreateIndex": 4, "ModifyIndex": 4,
	}, nil
}

func (s *server) autopilotHealth(*request) (any, error) {
	server := map[string]any{
		"ID": s.id, "Name": s.serverName(), "Address": s.Address, "SerfStatus": "alive", "Version": s.Version,
		"Leader": true, "Voter": true, "Healthy": true, "LastContact": "0s", "LastTerm": 2,
		"LastIndex": s.Store.Snapshot().Index(), "StableSince": s.began.UTC().Format(time.RFC3339),
	}
	return map[string]any{
		"Healthy": true, "FailureTolerance": 0, "Leader": s.id, "Voters": []string{s.id}, "Servers": []any{server},
	}, nil
}

// schedulers are the one that there is. (Nomad.)
func (s *server) schedulers(*request) (any, error) {
	return map[string]any{"server_id": s.serverName(), "schedulers": []any{map[string]any{
		"id": s.id, "enabled_schedulers": schedulerTypes(), "started": s.began.UTC().Format(time.RFC3339Nano),
		"status": "Started", "workload_status": "WaitingToDequeue",
	}}}, nil
}

func (s *server) schedulersConfig(*request) (any, error) {
	return map[string]any{"server_id": s.serverName(), "num_schedulers": 1, "enabled_schedulers": schedulerTypes()}, nil
}

func schedulerTypes() []string { return []string{"system", "sysbatch", "service", "batch", "_core"} }

// join answers that nobody was joined: there is no cluster. (Nomad: the form.)
func (s *server) join(r *request) (any, error) {
	if len(r.query["address"]) == 0 {
		return nil, badRequest("missing address to join")
	}
	return map[string]any{"num_joined": 0, "error": "this agent forms no cluster", "warning": ""}, nil
}

func (s *server) forceLeave(r *request) (any, error) {
	if r.query.Get("node") == "" {
		return nil, badRequest("missing node to force leave")
	}
	return noContent(http.StatusOK, s.Store.Snapshot().Index()), nil
}

// keyringOff answers for the key of gossip, of which there is none.
func (s *server) keyringOff(*request) (any, error) {
	return nil, textError("1/1 nodes reported failure")
}

func (s *server) vaultCheck(*request) (any, error) {
	index := s.Store.Snapshot().Index()
	return answer{value: struct {
		JobsWithoutVaultIdentity, OutdatedNodes, VaultTokens []struct{}
		meta
	}{[]struct{}{}, []struct{}{}, nil, knownAt(index)}, index: index}, nil
}
