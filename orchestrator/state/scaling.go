package state

import (
	"maps"
	"reflect"
	"slices"

	"github.com/hashicorp/nomad/api"
)

// ScalingPolicies are the scaling policies of the groups of a job. (Nomad:
// those of tasks are Enterprise's.)
func ScalingPolicies(job *api.Job) []*api.ScalingPolicy {
	var policies []*api.ScalingPolicy
	for _, group := range job.TaskGroups {
		if group.Scaling != nil {
			policies = append(policies, group.Scaling)
		}
	}
	return policies
}

// inheritPolicies gives a scaling policy the identity of the one in the version
// before that scales the same. (Nomad.)
func (tx *Txn) inheritPolicies(job, old *api.Job) {
	before := map[string]*api.ScalingPolicy{}
	if old != nil {
		for _, policy := range ScalingPolicies(old) {
			before[policyKey(policy)] = policy
		}
	}
	for _, policy := range ScalingPolicies(job) {
		policy.CreateIndex, policy.ModifyIndex = tx.Index, tx.Index
		if same := before[policyKey(policy)]; same != nil {
			policy.ID, policy.CreateIndex = same.ID, same.CreateIndex
			if policy.ModifyIndex = same.ModifyIndex; !reflect.DeepEqual(policy, same) {
				policy.ModifyIndex = tx.Index
			}
		}
	}
}

func policyKey(policy *api.ScalingPolicy) string {
	return string(joinKey([]string{policy.Type, policy.Target["Group"]}))
}

// ownPolicies gives a copy of a job scaling policies that can be changed.
func ownPolicies(job *api.Job) {
	if len(ScalingPolicies(job)) == 0 {
		return
	}
	job.TaskGroups = slices.Clone(job.TaskGroups)
	for i, shared := range job.TaskGroups {
		if shared.Scaling != nil {
			group, policy := *shared, *shared.Scaling
			policy.Target = maps.Clone(policy.Target)
			group.Scaling = &policy
			job.TaskGroups[i] = &group
		}
	}
}

// disablePolicies keeps what stands still from being scaled. (Nomad: R10.)
func (tx *Txn) disablePolicies(job *api.Job) {
	ownPolicies(job)
	for _, policy := range ScalingPolicies(job) {
		if policy.Enabled == nil || *policy.Enabled {
			policy.Enabled, policy.ModifyIndex = new(false), tx.Index
		}
	}
}
