package main

import (
	"fmt"
	"strings"
	"time"
	"unicode/utf8"

	"ostro/watch"
)

// row is a line of the table before it is made to fit the screen.
type row struct{ text, color string }

// leftBehind is how many allocations a table shows when it is over: the last
// screen says why they failed.
const leftBehind = 8

// rows is the table of one job: a line for the whole, one for each version and
// group, and one for each allocation on its way, most lines at the most.
func (l *live) rows(job string, v watch.View, most int) []row {
	now := l.now()
	head := fmt.Sprintf("%s  %s elapsed, %s left", job, clock(now.Sub(v.Begun)), clock(v.Deadline.Sub(now)))
	if v.Lost {
		head += "  contact lost, retrying"
	}
	room := most - 1 // for allocations
	for _, d := range v.Deployments {
		room -= 1 + len(d.Groups)
	}
	return append([]row{{head, colorDim}}, deploymentRows(job, v, now, room)...)
}

// finalRows is the table of a job whose watch is over.
func (l *live) finalRows(job string, v watch.View, width int) (lines []string) {
	now := l.now()
	rows := []row{{fmt.Sprintf("%s  took %s", job, clock(now.Sub(v.Begun))), colorDim}}
	for _, r := range append(rows, deploymentRows(job, v, now, leftBehind)...) {
		lines = append(lines, l.paint(l.fit(r, width), r.color))
	}
	return lines
}

func deploymentRows(job string, v watch.View, now time.Time, room int) (rows []row) {
	for i, d := range v.Deployments {
		rows = append(rows, row{"  " + deploymentRow(d, now), ""})
		rows = append(rows, groupRows(d.Groups)...)
		allocs := allocRows(job, d.Allocs, now, max(1, room/(len(v.Deployments)-i)))
		room -= len(allocs)
		rows = append(rows, allocs...)
	}
	return rows
}

func deploymentRow(d watch.DeploymentView, now time.Time) string {
	text := fmt.Sprintf("version %d: %s", d.Version, d.Status)
	if d.ID != "" {
		text = fmt.Sprintf("deployment %s of version %d: %s", short(d.ID), d.Version, d.Status)
	}
	if !d.Due.IsZero() {
		text += fmt.Sprintf(", must progress within %s", clock(d.Due.Sub(now)))
	}
	return text
}

func groupRows(groups []watch.GroupView) (rows []row) {
	var cells [][]string
	for _, g := range groups {
		more := ""
		for _, m := range []struct {
			n    int
			what string
		}{{g.Unhealthy, "unhealthy"}, {g.Failed, "failed"}, {g.Canaries, "canary"}, {g.Unplaced, "without a node"}} {
			if m.n > 0 {
				more += fmt.Sprintf("  %d %s", m.n, m.what)
			}
		}
		cells = append(cells, []string{"    group " + g.Name, fmt.Sprintf("%d/%d placed", g.Placed, g.Desired), fmt.Sprintf("%d/%d healthy", g.Healthy, g.Desired), bar(g.Healthy, g.Desired) + more})
	}
	for i, line := range columns(cells) {
		rows = append(rows, row{line, groupColor(groups[i])})
	}
	return rows
}

// bar draws a part of a whole.
func bar(part, whole int) string {
	const cells = 10
	full := 0
	if whole > 0 {
		full = min(cells, part*cells/whole)
	}
	return strings.Repeat("█", full) + strings.Repeat("░", cells-full)
}

func groupColor(g watch.GroupView) string {
	switch {
	case g.Unhealthy+g.Failed+g.Unplaced > 0:
		return colorRed
	case g.Desired > 0 && g.Healthy >= g.Desired:
		return colorGreen
	}
	return ""
}

// allocRows are most lines at the most: the last one counts those that are not
// shown.
func allocRows(job string, allocs []watch.AllocView, now time.Time, most int) (rows []row) {
	shown := allocs
	if len(allocs) > most {
		shown = allocs[:most-1]
	}
	var cells [][]string
	for _, a := range shown {
		restarts := ""
		if a.Restarts > 0 {
			restarts = fmt.Sprintf("%d restarts", a.Restarts)
		}
		cells = append(cells, []string{
			"      " + short(a.ID), strings.TrimPrefix(a.Name, job+"."), "on " + a.Node, fmt.Sprintf("version %d", a.Version), a.Status, clock(now.Sub(a.Since)), restarts,
		})
	}
	for i, line := range columns(cells) {
		rows = append(rows, row{line, allocColor(shown[i])})
	}
	if hidden := allocs[len(shown):]; len(hidden) > 0 {
		rows = append(rows, row{fmt.Sprintf("      and %d more: %s", len(hidden), countStatus(hidden)), colorDim})
	}
	return rows
}

func allocColor(a watch.AllocView) string {
	switch {
	case a.Failed:
		return colorRed
	case a.Leaving:
		return colorDim
	}
	return ""
}

// countStatus says how many allocations are in which state, in their order.
func countStatus(allocs []watch.AllocView) string {
	var order []string
	count := map[string]int{}
	for _, a := range allocs {
		if count[a.Status]++; count[a.Status] == 1 {
			order = append(order, a.Status)
		}
	}
	for i, status := range order {
		order[i] = fmt.Sprintf("%d %s", count[status], status)
	}
	return strings.Join(order, ", ")
}

// fit makes one line of the screen: masked, harmless, no wider than the screen.
func (l *live) fit(r row, width int) string {
	text := printable(l.mask(r.text))
	if width > 1 && utf8.RuneCountInString(text) >= width {
		text = string([]rune(text)[:width-2]) + "…"
	}
	return text
}

func (l *live) paint(text, color string) string {
	if color == "" || !l.color {
		return text
	}
	return color + text + colorOff
}

// clock is a duration in whole seconds; one that has passed is 0s.
func clock(d time.Duration) string {
	return max(0, d).Round(time.Second).String()
}
