package conformance

import (
	"cmp"
	"fmt"
	"maps"
	"slices"

	"github.com/hashicorp/nomad/api"
)

// bounded is a group that may be scaled between 1 and 3.
const bounded = `scaling {
	enabled = true
	min     = 1
	max     = 3
	policy { a = "1" }
}`

// scaling is about counts that are set from outside.
var scaling = []scenario{
	{name: "scale-up", run: func(s *session) {
		s.deploy(spec{})
		s.scale(3)
		s.untilDeployment("successful")
		s.sayScale()
	}},
	{name: "scale-down", run: func(s *session) {
		s.deploy(spec{count: 3})
		s.scale(1)
		s.untilDeployment("successful")
		s.sayScale()
	}},
	{name: "scale-to-0", full: true, run: func(s *session) {
		s.deploy(spec{})
		s.scale(0)
		s.untilJob("dead")
		s.sayScale()
	}},
	{name: "scale-to-the-same-count", full: true, run: func(s *session) {
		s.deploy(spec{count: 2})
		s.scale(2)
		s.sayScale()
	}},
	{name: "scale-out-of-bounds", run: func(s *session) {
		s.deploy(spec{group: bounded})
		s.scale(4)
		s.scale(0)
		s.scale(2)
		s.untilDeployment("successful")
		s.sayScale()
	}},
	{name: "scale-a-missing-group", run: func(s *session) {
		s.deploy(spec{})
		_, _, err := s.client.Jobs().Scale(s.job, "nope", new(2), "", false, nil, nil)
		s.reply("scale nope", err)
		_, _, err = s.client.Jobs().Scale(s.job, "", new(2), "", false, nil, nil)
		s.reply("scale no group", err)
	}},
	{name: "scale-a-missing-job", run: func(s *session) { s.scale(2) }},
	{name: "scale-to-a-negative-count", run: func(s *session) {
		s.deploy(spec{})
		s.scale(-1)
	}},
	{name: "scale-while-a-deployment-is-active", run: func(s *session) {
		s.register(spec{update: `health_check = "manual"`})
		s.untilAllocs(1, "running")
		s.scale(2)
	}},
	{name: "scale-a-stopped-job", run: func(s *session) {
		s.deploy(spec{})
		s.stop(false)
		s.untilJob("dead")
		s.scale(2)
		s.sayScale()
	}},
	{name: "scaling-events", run: func(s *session) {
		s.deploy(spec{})
		_, _, err := s.client.Jobs().Scale(s.job, "g", nil, "went wrong", true, map[string]any{"a": "1"}, nil)
		s.reply("report an error", err)
		_, _, err = s.client.Jobs().Scale(s.job, "g", nil, "just so", false, map[string]any{"b": "2"}, nil)
		s.reply("report", err)
		_, _, err = s.client.Jobs().Scale(s.job, "g", new(2), "both", true, nil, nil)
		s.reply("scale with an error", err)
		s.scale(2)
		s.untilDeployment("successful")
		s.sayScale()
	}},
	{name: "scaling-policies", run: func(s *session) {
		s.deploy(spec{group: bounded})
		s.sayPolicies()
		s.deploy(spec{group: bounded + "\n", count: 2})
		s.stop(false)
		s.untilJob("dead")
		s.sayPolicies()
	}},
	{name: "count-out-of-its-bounds", run: func(s *session) { s.register(spec{count: 5, group: bounded}) }},
	{name: "bounds-that-are-upside-down", run: func(s *session) { s.register(spec{group: "scaling {\nmin = 3\nmax = 2\n}"}) }},
	{name: "scale-a-batch-job", full: true, run: func(s *session) {
		s.register(spec{kind: "batch"})
		s.untilAllocs(1, "running")
		s.scale(2)
		s.untilAllocs(2, "running")
		s.sayScale()
	}},
	{name: "scale-a-system-job", run: func(s *session) {
		s.deploy(spec{kind: "system"})
		s.scale(2)
		s.sayScale()
	}},
}

// sayScale tells how far each group is from what it should be, and what happened to
// it, the newest first.
func (s *session) sayScale() {
	status, _, err := s.client.Jobs().ScaleStatus(s.job, nil)
	s.check(err)
	text := fmt.Sprintf("scale: stopped %t", status.JobStopped)
	for _, name := range slices.Sorted(maps.Keys(status.TaskGroups)) {
		g := status.TaskGroups[name]
		text += fmt.Sprintf("\n  %s: desired %d", name, g.Desired)
		for _, e := range g.Events {
			text += fmt.Sprintf("\n    %q, count %s, before %d, error %t, meta %v, evaluation %t", e.Message, number(e.Count), e.PreviousCount, e.Error, e.Meta, e.EvalID != nil)
		}
	}
	s.say("%s", text)
}

func number(n *int64) string {
	if n == nil {
		return "none"
	}
	return fmt.Sprint(*n)
}

// sayPolicies tells what may scale the scenario's job.
func (s *session) sayPolicies() {
	list, _, err := s.client.Scaling().ListPolicies(&api.QueryOptions{Params: map[string]string{"job": s.job}})
	s.check(err)
	slices.SortFunc(list, func(a, b *api.ScalingPolicyListStub) int { return cmp.Compare(a.Target["Group"], b.Target["Group"]) })
	for _, stub := range list {
		p, _, err := s.client.Scaling().GetPolicy(stub.ID, nil)
		s.check(err)
		s.say("policy: %s %v, enabled %t, from %d to %d, %v", p.Type, p.Target, *p.Enabled, *p.Min, *p.Max, p.Policy)
	}
	if len(list) == 0 {
		s.say("there is no policy")
	}
}
