package main

import (
	"bytes"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
	"strings"
	"sync"
	"time"
	"unicode/utf8"

	"golang.org/x/term"

	"ostro/watch"
)

// live keeps a table at the end of a terminal, below the lines that are written.
// It is the writer of these lines, so that it can take the table away first and
// draw it again below.
//
// The escape sequences are written by hand: they are four, and a library for
// them costs each command, `ostro render` too, what its start costs.
type live struct {
	mu    sync.Mutex
	out   io.Writer
	size  func() (width, height int)
	mask  func(string) string
	color bool
	now   func() time.Time

	views map[string]watch.View // by job
	drawn int                   // lines of the table on the screen
	stop  chan struct{}         // ends the redrawing; nil while there is no table
}

// Escape sequences: to the begin of the line N lines up; clear to the end of the
// screen; colours.
const (
	lineUp     = "\x1b[%dF"
	clearBelow = "\x1b[J"
	colorRed   = "\x1b[31m"
	colorGreen = "\x1b[32m"
	colorDim   = "\x1b[2m"
	colorOff   = "\x1b[0m"
)

// newLive is the table of the terminal that file is.
func newLive(file *os.File, mask func(string) string) *live {
	size := func() (int, int) {
		width, height, err := term.GetSize(int(file.Fd()))
		if err != nil || width <= 0 || height <= 0 {
			return 80, 24
		}
		return width, height
	}
	return &live{out: file, size: size, mask: mask, color: os.Getenv("NO_COLOR") == "", now: time.Now, views: map[string]watch.View{}}
}

// Write writes lines above the table. A text that does not end its line takes the
// table off the screen until the next one.
func (l *live) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.erase()
	n, err := l.out.Write(p)
	if bytes.HasSuffix(p, []byte("\n")) {
		l.draw()
	}
	return n, err
}

// show draws the table with a new view of a job.
func (l *live) show(job string, v watch.View) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.views[job] = v
	if l.stop == nil {
		l.stop = make(chan struct{})
		go l.tick(l.stop)
	}
	l.erase()
	l.draw()
}

// hide leaves the last table of a job as lines among the others.
func (l *live) hide(job string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	v, shown := l.views[job]
	if !shown {
		return
	}
	l.erase()
	delete(l.views, job)
	width, _ := l.size()
	for _, row := range l.rows(job, v, width, maxRows) {
		fmt.Fprintln(l.out, row)
	}
	l.draw()
	if len(l.views) == 0 && l.stop != nil {
		close(l.stop)
		l.stop = nil
	}
}

// tick redraws the table each second, for the times in it.
func (l *live) tick(stop chan struct{}) {
	t := time.NewTicker(time.Second)
	defer t.Stop()
	for {
		select {
		case <-stop:
			return
		case <-t.C:
			l.mu.Lock()
			l.erase()
			l.draw()
			l.mu.Unlock()
		}
	}
}

func (l *live) erase() {
	if l.drawn > 0 {
		fmt.Fprintf(l.out, lineUp+clearBelow, l.drawn)
		l.drawn = 0
	}
}

// maxRows is the length of a table that is left behind.
const maxRows = 40

// draw writes the tables of all jobs, as far as the screen reaches.
func (l *live) draw() {
	width, height := l.size()
	var rows []string
	for _, job := range slices.Sorted(maps.Keys(l.views)) {
		rows = append(rows, l.rows(job, l.views[job], width, max(3, (height-2)/len(l.views)))...)
	}
	rows = rows[:min(len(rows), max(1, height-1))]
	var text strings.Builder
	for _, row := range rows {
		text.WriteString(row + "\n")
	}
	io.WriteString(l.out, text.String())
	l.drawn = len(rows)
}

// rows is the table of one job: a line for the whole, one for each version and
// group, and one for each allocation on its way, most lines at the most.
func (l *live) rows(job string, v watch.View, width, most int) []string {
	now := l.now()
	head := fmt.Sprintf("%s  %s elapsed, %s left", job, clock(now.Sub(v.Begun)), clock(v.Deadline.Sub(now)))
	if v.Lost {
		head += "  contact lost, retrying"
	}
	room := most - 1 // for allocations
	for _, d := range v.Deployments {
		room -= 1 + len(d.Groups)
	}
	rows := []string{l.row(head, colorDim, width)}
	for i, d := range v.Deployments {
		rows = append(rows, l.row("  "+deploymentRow(d, now), "", width))
		for _, g := range d.Groups {
			rows = append(rows, l.row("    "+groupRow(g), groupColor(g), width))
		}
		allocs := l.allocRows(d.Allocs, now, width, max(1, room/(len(v.Deployments)-i)))
		room -= len(allocs)
		rows = append(rows, allocs...)
	}
	return rows
}

func (l *live) allocRows(allocs []watch.AllocView, now time.Time, width, most int) (rows []string) {
	for i, a := range allocs {
		if i == most-1 && len(allocs) > most {
			return append(rows, l.row(fmt.Sprintf("      and %d more", len(allocs)-i), colorDim, width))
		}
		color := ""
		if a.Failed {
			color = colorRed
		}
		rows = append(rows, l.row("      "+allocRow(a, now), color, width))
	}
	return rows
}

func deploymentRow(d watch.DeploymentView, now time.Time) string {
	row := fmt.Sprintf("version %d: %s", d.Version, d.Status)
	if d.ID != "" {
		row = fmt.Sprintf("deployment %s of version %d: %s", short(d.ID), d.Version, d.Status)
	}
	if !d.Due.IsZero() {
		row += fmt.Sprintf(", must progress within %s", clock(d.Due.Sub(now)))
	}
	return row
}

func groupRow(g watch.GroupView) string {
	row := fmt.Sprintf("group %s  %d/%d placed  %d/%d healthy", g.Name, g.Placed, g.Desired, g.Healthy, g.Desired)
	for _, more := range []struct {
		n    int
		what string
	}{{g.Unhealthy, "unhealthy"}, {g.Canaries, "canary"}, {g.Unplaced, "without a node"}} {
		if more.n > 0 {
			row += fmt.Sprintf("  %d %s", more.n, more.what)
		}
	}
	return row
}

func groupColor(g watch.GroupView) string {
	switch {
	case g.Unhealthy > 0 || g.Unplaced > 0:
		return colorRed
	case g.Desired > 0 && g.Healthy >= g.Desired:
		return colorGreen
	}
	return ""
}

func allocRow(a watch.AllocView, now time.Time) string {
	row := fmt.Sprintf("%s %s on %s  version %d  %s  %s", short(a.ID), a.Name, a.Node, a.Version, a.Status, clock(now.Sub(a.Since)))
	if a.Restarts > 0 {
		row += fmt.Sprintf("  %d restarts", a.Restarts)
	}
	return row
}

// row makes one line of the screen: masked, harmless, no wider than the screen.
func (l *live) row(text, color string, width int) string {
	text = printable(l.mask(text))
	if width > 1 && utf8.RuneCountInString(text) >= width {
		text = string([]rune(text)[:width-2]) + "…"
	}
	if color == "" || !l.color {
		return text
	}
	return color + text + colorOff
}

// clock is a duration in whole seconds; one that has passed is 0s.
func clock(d time.Duration) string {
	return max(0, d).Round(time.Second).String()
}
