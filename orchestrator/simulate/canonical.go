package simulate

import (
	"encoding/json"
	"fmt"
	"maps"

	"github.com/hashicorp/nomad/api"

	"ostro/orchestrator/reconcile"
)

// Canonical gives the job as the server would store it, so far as decisions
// depend on that. running is the current version, nil where there is none, and
// desired what the server's own plan says of each group: where a server sees a
// need to exchange allocations and this package does not, or the other way round,
// the server is right.
func Canonical(job, running *api.Job, desired map[string]*api.DesiredUpdates) (*api.Job, error) {
	text, err := json.Marshal(job)
	if err != nil {
		return nil, fmt.Errorf("copy the job: %w", err)
	}
	c := &api.Job{}
	if err := json.Unmarshal(text, c); err != nil {
		return nil, fmt.Errorf("copy the job: %w", err)
	}
	c.Canonicalize()
	if c.NodePool == nil || *c.NodePool == "" {
		c.NodePool = new("default")
	}
	if len(c.Datacenters) == 0 {
		c.Datacenters = []string{"*"}
	}
	if c.Update == nil && *c.Type == api.JobTypeSystem {
		updateByDefault(c)
	}
	if running != nil {
		follow(c, running, desired)
	}
	return c, nil
}

// updateByDefault gives a system job the update strategy that the server gives
// it. (Nomad: D2.)
func updateByDefault(job *api.Job) {
	for _, group := range job.TaskGroups {
		if group.Update == nil {
			group.Update = api.DefaultUpdateStrategy()
		}
	}
}

// follow has the decision about each group come out as the server's does.
func follow(c, running *api.Job, desired map[string]*api.DesiredUpdates) {
	exchanged := false
	for _, u := range desired {
		exchanged = exchanged || u.DestructiveUpdate+u.Canary > 0
	}
	if !exchanged {
		c.Meta = running.Meta
	}
	for i, group := range c.TaskGroups {
		old, u := running.LookupTaskGroup(*group.Name), desired[*group.Name]
		if old == nil || u == nil {
			continue
		}
		needs := reconcile.NeedsExchange(running, c, *group.Name)
		switch exchanges := u.DestructiveUpdate+u.Canary > 0; {
		case exchanges && !needs:
			force(group)
		case !exchanges && needs:
			kept := *old
			kept.Count, kept.Update, kept.RestartPolicy, kept.ReschedulePolicy = group.Count, group.Update, group.RestartPolicy, group.ReschedulePolicy
			kept.Constraints, kept.Affinities, kept.Spreads = group.Constraints, group.Affinities, group.Spreads
			c.TaskGroups[i] = &kept
		}
	}
}

// force makes a group differ in what a running task cannot take up.
func force(group *api.TaskGroup) {
	if len(group.Tasks) > 0 {
		task := group.Tasks[0]
		task.Env = maps.Clone(task.Env)
		if task.Env == nil {
			task.Env = map[string]string{}
		}
		task.Env[""] = "changed"
	}
}
