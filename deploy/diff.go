package deploy

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/aymanbagabas/go-udiff"
	"github.com/hashicorp/nomad/api"
)

// Line is one line of a rendered diff. What does not change is left out.
type Line struct {
	Mark  byte // '+' added, '-' removed, '~' changed, ' ' context within a text
	Depth int  // nesting, 0 for the job
	Text  string
}

// String indents the text behind its mark.
func (l Line) String() string {
	return strings.TrimRight(fmt.Sprintf("%c %s%s", l.Mark, strings.Repeat("  ", l.Depth), l.Text), " ")
}

// Diff renders what registering the planned job would change. It is pure. Values
// are shown as they are: masking secrets is the writer's part.
func (p *PlanResult) Diff() []Line {
	d := p.JobDiff
	if d == nil || d.Type == "None" {
		return nil
	}
	var lines differ
	lines.add(mark(d.Type), 0, "job %q", d.ID)
	lines.body(1, d.Fields, d.Objects)
	for _, g := range d.TaskGroups {
		if g.Type == "None" && len(g.Updates) == 0 {
			continue
		}
		lines.add(mark(g.Type), 1, "group %q%s", g.Name, updates(g.Updates))
		lines.body(2, g.Fields, g.Objects)
		for _, t := range g.Tasks {
			if t.Type == "None" {
				continue
			}
			lines.add(mark(t.Type), 2, "task %q%s", t.Name, annotations(t.Annotations))
			lines.body(3, t.Fields, t.Objects)
		}
	}
	return lines
}

// Outlook says in words what the scheduler would do, one line per group.
func (p *PlanResult) Outlook() []string {
	if p.Annotations == nil {
		return nil
	}
	var list []string
	for _, name := range slices.Sorted(maps.Keys(p.Annotations.DesiredTGUpdates)) {
		u := p.Annotations.DesiredTGUpdates[name]
		var parts []string
		for _, n := range []struct {
			count uint64
			what  string
		}{
			{u.Place, "to place"}, {u.Canary, "canary to place"}, {u.DestructiveUpdate, "to replace"}, {u.InPlaceUpdate, "to update in place"},
			{u.Migrate, "to migrate"}, {u.RescheduleNow, "to reschedule"}, {u.Preemptions, "to preempt"}, {u.Stop, "to stop"}, {u.Ignore, "unchanged"},
		} {
			if n.count > 0 {
				parts = append(parts, fmt.Sprintf("%d %s", n.count, n.what))
			}
		}
		if len(parts) > 0 {
			list = append(list, fmt.Sprintf("group %s: %s", name, strings.Join(parts, ", ")))
		}
	}
	for _, f := range p.Failed {
		list = append(list, fmt.Sprintf("group %s: %d cannot be placed: %s", f.Group, f.Count, strings.Join(f.Reasons, ", ")))
	}
	return list
}

type differ []Line

func (d *differ) add(mark byte, depth int, format string, args ...any) {
	*d = append(*d, Line{Mark: mark, Depth: depth, Text: fmt.Sprintf(format, args...)})
}

func (d *differ) body(depth int, fields []*api.FieldDiff, objects []*api.ObjectDiff) {
	for _, f := range fields {
		d.field(depth, readable(f))
	}
	for _, o := range objects {
		if o.Type != "None" {
			d.add(mark(o.Type), depth, "%s", o.Name)
			d.body(depth+1, o.Fields, o.Objects)
		}
	}
}

// field shows a value on one line, and a text of several as a unified diff.
func (d *differ) field(depth int, f *api.FieldDiff) {
	note := annotations(f.Annotations)
	switch {
	case f.Type == "None":
	case strings.Contains(f.Old+f.New, "\n"):
		d.add(mark(f.Type), depth, "%s:%s", f.Name, note)
		d.text(depth+1, f.Old, f.New)
	case f.Type == "Added":
		d.add('+', depth, "%s: %q%s", f.Name, f.New, note)
	case f.Type == "Deleted":
		d.add('-', depth, "%s: %q%s", f.Name, f.Old, note)
	default:
		d.add('~', depth, "%s: %q => %q%s", f.Name, f.Old, f.New, note)
	}
}

// durations are the fields that Nomad has in nanoseconds.
var durations = map[string]bool{
	"Delay": true, "Interval": true, "MaxDelay": true, "HealthyDeadline": true, "MinHealthyTime": true, "ProgressDeadline": true, "Stagger": true,
	"KillTimeout": true, "ShutdownDelay": true, "MaxClientDisconnect": true, "StopAfterClientDisconnect": true, "LostAfter": true, "StopOnClientAfter": true,
	"Splay": true, "Grace": true, "TTL": true, "Timeout": true, "Deadline": true, "CooldownPeriod": true,
}

// readable is a field as people write it in a job.
func readable(f *api.FieldDiff) *api.FieldDiff {
	if !durations[f.Name] {
		return f
	}
	plain := *f
	for _, value := range []*string{&plain.Old, &plain.New} {
		if n, err := strconv.ParseInt(*value, 10, 64); err == nil {
			*value = time.Duration(n).String()
		}
	}
	return &plain
}

func (d *differ) text(depth int, before, after string) {
	unified := udiff.Unified("before", "after", before, after)
	for line := range strings.Lines(unified) {
		line = strings.TrimRight(line, "\n")
		switch {
		case strings.HasPrefix(line, "--- before"), strings.HasPrefix(line, "+++ after"), strings.HasPrefix(line, `\`):
		case strings.HasPrefix(line, "@@"):
			d.add(' ', depth, "%s", line)
		case line != "":
			d.add(line[0], depth, "%s", line[1:])
		}
	}
}

// mark is the sign of a type of change.
func mark(kind string) byte {
	switch kind {
	case "Added":
		return '+'
	case "Deleted":
		return '-'
	case "None":
		return ' '
	}
	return '~'
}

func annotations(list []string) string {
	if len(list) == 0 {
		return ""
	}
	return " (" + strings.Join(list, ", ") + ")"
}

func updates(counts map[string]uint64) string {
	var list []string
	for _, what := range slices.Sorted(maps.Keys(counts)) {
		list = append(list, fmt.Sprintf("%d %s", counts[what], what))
	}
	return annotations(list)
}
