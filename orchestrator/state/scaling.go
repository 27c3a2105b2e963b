package state

import (
	"maps"
	"reflect"
	"slices"

	"github.com/hashicorp/nomad/api"
)

// ScalingPolicies are the scaling policies of a job, of its groups and of their
// tasks.
func ScalingPolicies(job *api.Job) []*api.ScalingPolicy {
	var policies []*api.ScalingPolicy
	for _, group := range job.TaskGroups {
		if group.Scaling != nil {
			policies = append(policies, group.Scaling)
		}
		for _, task := range group.Tasks {
			policies = append(policies, task.ScalingPolicies...)
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
	return string(joinKey([]string{policy.Type, policy.Target["Group"], policy.Target["Task"]}))
}

// ownPolicies gives a copy of a job scaling policies that can be changed.
func ownPolicies(job *api.Job) {
	if len(ScalingPolicies(job)) == 0 {
		return
	}
	job.TaskGroups = slices.Clone(job.TaskGroups)
	for i, shared := range job.TaskGroups {
		group := *shared
		if group.Scaling != nil {
			group.Scaling = copyPolicy(group.Scaling)
		}
		group.Tasks = slices.Clone(group.Tasks)
		for j, shared := range group.Tasks {
			task := *shared
			task.ScalingPolicies = slices.Clone(task.ScalingPolicies)
			for k, policy := range task.ScalingPolicies {
				task.ScalingPolicies[k] = copyPolicy(policy)
			}
			group.Tasks[j] = &task
		}
		job.TaskGroups[i] = &group
	}
}

func copyPolicy(policy *api.ScalingPolicy) *api.ScalingPolicy {
	copied := *policy
	copied.Target = maps.Clone(policy.Target)
	return &copied
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
