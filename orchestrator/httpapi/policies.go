package httpapi

import (
	"cmp"
	"slices"
	"strings"

	"github.com/hashicorp/go-memdb"
	"github.com/hashicorp/nomad/api"

	"ostro/orchestrator/state"
)

// listPolicies lists the scaling policies of the jobs, which hold them.
// (Nomad: ?job and ?type narrow the list.)
func (s *server) listPolicies(r *request) (any, error) {
	jobID, kind := r.query.Get("job"), r.query.Get("type")
	stubs, index := wait(s, r, func(snap *state.Snapshot, watch memdb.WatchSet) ([]*api.ScalingPolicyListStub, uint64) {
		stubs := []*api.ScalingPolicyListStub{}
		for _, job := range snap.Jobs(watch, r.namespace, jobID) {
			if jobID != "" && *job.ID != jobID {
				continue
			}
			for _, p := range state.ScalingPolicies(job) {
				if (kind == "" || p.Type == kind) && strings.HasPrefix(p.ID, r.prefix) {
					stubs = append(stubs, policyStub(p))
				}
			}
		}
		return stubs, snap.TableIndex("jobs")
	})
	slices.SortFunc(stubs, func(a, b *api.ScalingPolicyListStub) int { return cmp.Compare(a.ID, b.ID) })
	return answer{value: stubs, index: index}, nil
}

func policyStub(p *api.ScalingPolicy) *api.ScalingPolicyListStub {
	return &api.ScalingPolicyListStub{
		ID: p.ID, Enabled: *p.Enabled, Type: p.Type, Target: p.Target, CreateIndex: p.CreateIndex, ModifyIndex: p.ModifyIndex,
	}
}

func (s *server) readPolicy(r *request) (any, error) {
	policy, index, err := one(s, r, "jobs", "policy not found", func(snap *state.Snapshot, watch memdb.WatchSet) (*api.ScalingPolicy, uint64) {
		for _, job := range snap.Jobs(watch, api.AllNamespacesNamespace, "") {
			for _, p := range state.ScalingPolicies(job) {
				if p.ID == r.id() {
					return p, p.ModifyIndex
				}
			}
		}
		return nil, 0
	})
	return answer{value: policy, index: index}, err
}

func scales(group *api.TaskGroup) bool { return group.Scaling != nil }
