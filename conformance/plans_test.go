package conformance

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/hashicorp/nomad/api"
)

// plans is about what would happen.
var plans = []scenario{
	{name: "plan-of-a-new-job", run: func(s *session) { s.plan(spec{count: 2}) }},
	{name: "plan-of-the-same-job", run: func(s *session) {
		s.deploy(spec{})
		s.plan(spec{})
	}},
	{name: "plan-of-an-exchange", run: func(s *session) {
		s.deploy(spec{count: 3})
		s.plan(spec{count: 3, script: "exec sleep 1001", task: `env { A = "1" }`})
	}},
	{name: "plan-of-a-change-in-place", run: func(s *session) {
		s.deploy(spec{count: 2})
		s.plan(spec{count: 2, job: "priority = 60\nmeta {}", task: `kill_timeout = "2s"`})
	}},
	{name: "plan-of-counts", full: true, run: func(s *session) {
		s.deploy(spec{count: 2})
		s.plan(spec{count: 4})
		s.plan(spec{count: 1})
		s.plan(spec{group: `count = 0`})
	}},
	{name: "plan-of-canaries", run: func(s *session) {
		s.deploy(spec{count: 2, update: `canary = 1`})
		s.plan(spec{count: 2, update: `canary = 1`, script: "exec sleep 1001"})
	}},
	{name: "plan-of-blue-green", full: true, run: func(s *session) {
		s.deploy(spec{count: 2, update: `canary = 2`})
		s.plan(spec{count: 2, update: `canary = 2`, script: "exec sleep 1001"})
	}},
	{name: "plan-of-groups", full: true, run: func(s *session) {
		s.deploy(spec{more: spec{}.another("h")})
		s.plan(spec{more: spec{}.another("i")})
	}},
	{name: "plan-of-tasks", full: true, run: func(s *session) {
		s.deploy(spec{tasks: task("u", "", "", "", "")})
		s.plan(spec{tasks: task("v", "", "", "user = \"root\"", "memory = 20")})
	}},
	{name: "plan-without-a-place", run: func(s *session) { s.plan(spec{group: nowhere}) }},
	{name: "plan-of-a-stopped-job", full: true, run: func(s *session) {
		s.deploy(spec{})
		s.stop(false)
		s.untilJob("dead")
		s.plan(spec{})
	}},
	{name: "plan-of-a-batch-job", full: true, run: func(s *session) {
		s.register(spec{kind: "batch", script: "exit 0"})
		s.untilAllocs(1, "complete")
		s.plan(spec{kind: "batch", script: "exit 0", count: 2})
		s.plan(spec{kind: "batch", script: "true; exit 0"})
	}},
	{name: "plan-of-many-blocks", full: true, run: func(s *session) {
		s.deploy(spec{})
		s.plan(spec{
			job:   "meta {\na = \"1\"\n}\n" + constraint("${attr.kernel.name}", "=", "linux"),
			group: "network {\nport \"http\" {}\n}\nshutdown_delay = \"1s\"\nservice {\nname = \"x\"\nprovider = \"nomad\"\nport = \"http\"\n" + tcpCheck + "\n}",
			task: "template {\ndata = \"a\"\ndestination = \"local/a\"\n}\nartifact {\nsource = \"http://127.0.0.1:1/a.zip\"\n}\n" +
				"logs {\nmax_files = 2\n}", update: "max_parallel = 2\nauto_revert = true", resources: "cpu = 20\nmemory_max = 20", restart: "attempts = 3",
		})
	}},
	{name: "plan-of-another-type", run: func(s *session) {
		s.deploy(spec{})
		s.plan(spec{kind: "batch"})
	}},
	{name: "plan-of-a-periodic-job", run: func(s *session) {
		reply := s.plan(periodic("exit 0", ""))
		s.say("next launch %t", reply != nil && !reply.NextPeriodicLaunch.IsZero())
	}},
	{name: "differences-of-versions", full: true, run: func(s *session) {
		s.deploy(spec{})
		s.deploy(spec{count: 2, task: `env { A = "1" }`})
		s.deploy(spec{count: 2, task: `env { A = "2" }`, job: `priority = 60`})
		_, diffs, _, err := s.client.Jobs().Versions(s.job, true, nil)
		s.check(err)
		for _, d := range diffs {
			s.say("%s", jobDiff(d))
		}
	}},
}

// plan asks what a registration would do.
func (s *session) plan(j spec) *api.JobPlanResponse {
	s.Helper()
	reply, _, err := s.client.Jobs().Plan(s.parse(j.hcl(s.job)), true, nil)
	s.reply("plan", err)
	if err != nil {
		return nil
	}
	text := fmt.Sprintf("plan: new %t", reply.JobModifyIndex == 0)
	if reply.Warnings != "" {
		text += "\n  " + reply.Warnings
	}
	if reply.Annotations != nil {
		for _, name := range slices.Sorted(maps.Keys(reply.Annotations.DesiredTGUpdates)) {
			u := reply.Annotations.DesiredTGUpdates[name]
			text += fmt.Sprintf("\n  %s: %s", name, counts("ignore", int(u.Ignore), "place", int(u.Place), "migrate", int(u.Migrate), "stop", int(u.Stop),
				"in place", int(u.InPlaceUpdate), "exchange", int(u.DestructiveUpdate), "canary", int(u.Canary), "preempt", int(u.Preemptions)))
		}
	}
	for _, name := range slices.Sorted(maps.Keys(reply.FailedTGAllocs)) {
		text += "\n  no place for " + name + metrics(reply.FailedTGAllocs[name])
	}
	for _, e := range reply.CreatedEvals {
		text += fmt.Sprintf("\n  evaluation for %s: %s", e.TriggeredBy, e.Status)
	}
	s.say("%s\n%s", text, jobDiff(reply.Diff))
	return reply
}

// jobDiff writes a difference, a line for each field that changes.
func jobDiff(d *api.JobDiff) string {
	if d == nil {
		return "no difference"
	}
	lines := []string{"job: " + d.Type}
	lines = append(lines, parts("  ", d.Fields, d.Objects)...)
	for _, g := range d.TaskGroups {
		lines = append(lines, fmt.Sprintf("  group %s: %s %s", g.Name, g.Type, updateCounts(g.Updates)))
		lines = append(lines, parts("    ", g.Fields, g.Objects)...)
		for _, t := range g.Tasks {
			lines = append(lines, fmt.Sprintf("    task %s: %s %v", t.Name, t.Type, t.Annotations))
			lines = append(lines, parts("      ", t.Fields, t.Objects)...)
		}
	}
	return strings.Join(lines, "\n")
}

func updateCounts(of map[string]uint64) string {
	var pairs []any
	for _, name := range slices.Sorted(maps.Keys(of)) {
		pairs = append(pairs, name, int(of[name]))
	}
	return counts(pairs...)
}

func parts(indent string, fields []*api.FieldDiff, objects []*api.ObjectDiff) []string {
	var lines []string
	for _, f := range fields {
		if f.Type != "None" {
			lines = append(lines, strings.TrimRight(fmt.Sprintf("%s%s: %s %q %q %s", indent, f.Name, f.Type, f.Old, f.New, strings.Join(f.Annotations, ", ")), " "))
		}
	}
	var blocks []string
	for _, o := range objects {
		if o.Type != "None" {
			head := fmt.Sprintf("%s%s: %s", indent, o.Name, o.Type)
			blocks = append(blocks, strings.Join(append([]string{head}, parts(indent+"  ", o.Fields, o.Objects)...), "\n"))
		}
	}
	slices.Sort(blocks) // Nomad's own order is now this, now that
	return append(lines, blocks...)
}
