package main

import (
	"bytes"
	"fmt"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"ostro/watch"
)

// screenOf is what a terminal shows after a text: it knows line ends, colours,
// and the movements that the table makes.
func screenOf(text string) []string {
	lines, at, column := [][]rune{nil}, 0, 0
	for text != "" {
		switch {
		case strings.HasPrefix(text, "\n"):
			if at, column = at+1, 0; at == len(lines) {
				lines = append(lines, nil)
			}
			text = text[1:]
		case strings.HasPrefix(text, clearLine):
			lines[at] = lines[at][:min(column, len(lines[at]))]
			text = text[len(clearLine):]
		case strings.HasPrefix(text, clearBelow):
			lines = lines[:at+1]
			lines[at] = lines[at][:min(column, len(lines[at]))]
			text = text[len(clearBelow):]
		case strings.HasPrefix(text, "\x1b["):
			end := strings.IndexAny(text, "Fm")
			if up := 0; text[end] == 'F' {
				fmt.Sscanf(text, lineUp, &up)
				at, column = at-up, 0
			}
			text = text[end+1:]
		default:
			r, size := utf8.DecodeRuneInString(text)
			lines[at] = append(lines[at][:min(column, len(lines[at]))], append([]rune{r}, lines[at][min(column+1, len(lines[at])):]...)...)
			column++
			text = text[size:]
		}
	}
	shown := make([]string, len(lines))
	for i, line := range lines {
		shown[i] = string(line)
	}
	return shown
}

func testLive(out *bytes.Buffer, width, height int) *live {
	return &live{
		out: out, size: func() (int, int) { return width, height }, mask: strings.NewReplacer("secret", "****").Replace, color: true,
		now: func() time.Time { return noon.Add(90 * time.Second) }, views: map[string]watch.View{},
	}
}

var noon = time.Date(2030, 1, 2, 12, 0, 0, 0, time.UTC)

func aView(allocs int) watch.View {
	d := watch.DeploymentView{
		Version: 3, ID: "0123456789", Status: "running", Due: noon.Add(2 * time.Minute),
		Groups: []watch.GroupView{{Name: "api", Desired: 5, Placed: 4, Healthy: 3, Unhealthy: 1, Canaries: 1}},
	}
	for i := range allocs {
		d.Allocs = append(d.Allocs, watch.AllocView{ID: fmt.Sprintf("%08d-x", i), Name: fmt.Sprintf("web.api[%d]", i), Node: "secret", Version: 3, Status: "running", Restarts: i, Since: noon.Add(time.Minute)})
	}
	return watch.View{Begun: noon, Deadline: noon.Add(time.Hour), Deployments: []watch.DeploymentView{d}}
}

func TestLiveTable(t *testing.T) {
	var out bytes.Buffer
	l := testLive(&out, 80, 24)
	fmt.Fprintln(l, "ostro: one")
	l.show("web", aView(2))
	l.show("web", aView(1))
	fmt.Fprintln(l, "ostro: two")
	want := []string{
		"ostro: one", "ostro: two",
		"web  1m30s elapsed, 58m30s left",
		"  deployment 01234567 of version 3: running, must progress within 30s",
		"    group api  4/5 placed  3/5 healthy  ██████░░░░  1 unhealthy  1 canary",
		"      00000000  api[0]  on ****  version 3  running  30s",
		"",
	}
	if diff := cmp.Diff(want, screenOf(out.String())); diff != "" {
		t.Error(diff)
	}
	// What is left behind is the last table, below which the screen goes on.
	l.hide("web")
	fmt.Fprintln(l, "ostro: three")
	want[2] = "web  took 1m30s"
	if diff := cmp.Diff(append(want[:6:6], "ostro: three", ""), screenOf(out.String())); diff != "" {
		t.Error(diff)
	}
	if l.stop != nil {
		t.Error("the table is redrawn although it has ended")
	}
}

// A screen that became narrower has wrapped the table: all of it is taken away.
func TestLiveTableOnANarrowerScreen(t *testing.T) {
	var out bytes.Buffer
	width := 80
	l := testLive(&out, 0, 0)
	l.size = func() (int, int) { return width, 24 }
	l.show("web", aView(1))
	defer l.hide("web")
	lines := screenOf(out.String())
	width = 20
	want := 0
	for _, line := range lines[:len(lines)-1] {
		want += (len([]rune(line)) + width - 1) / width
	}
	out.Reset()
	l.show("web", aView(1))
	if got := fmt.Sprintf(lineUp, want); want <= len(lines) || !strings.HasPrefix(out.String(), got) {
		t.Errorf("%q does not begin with %q", out.String(), got)
	}
}

// What failed stands first, then what comes, and of what does not fit the table
// says how it fares.
func TestLiveTableOrder(t *testing.T) {
	now := noon.Add(time.Minute)
	allocs := []watch.AllocView{
		{ID: "a", Name: "web.api[2]", Node: "n", Status: "failed", Failed: true, Since: noon},
		{ID: "b", Name: "web.api[10]", Node: "n", Status: "running", Since: noon},
		{ID: "c", Name: "web.api[11]", Node: "n", Status: "pending", Since: noon},
		{ID: "d", Name: "web.api[3]", Node: "n", Status: "stopping", Leaving: true, Since: noon},
		{ID: "e", Name: "web.api[4]", Node: "n", Status: "stopping", Leaving: true, Since: noon},
	}
	want := []row{
		{"      a  api[2]   on n  version 0  failed   1m0s", colorRed},
		{"      b  api[10]  on n  version 0  running  1m0s", ""},
		{"      and 3 more: 1 pending, 2 stopping", colorDim},
	}
	if diff := cmp.Diff(want, allocRows("web", allocs, now, 3), cmp.AllowUnexported(row{})); diff != "" {
		t.Error(diff)
	}
}

// However many allocations there are, the table stays within the screen.
func TestLiveTableFits(t *testing.T) {
	for _, height := range []int{2, 5, 10, 24, 60} {
		var out bytes.Buffer
		l := testLive(&out, 40, height)
		l.show("web", aView(50))
		l.show("db", aView(50))
		screen := screenOf(out.String())
		if len(screen) > max(2, height) {
			t.Errorf("%d lines on a screen of %d", len(screen), height)
		}
		for _, line := range screen {
			if len([]rune(line)) >= 40 {
				t.Errorf("a line of %d characters: %s", len([]rune(line)), line)
			}
		}
		if height == 24 && !strings.Contains(strings.Join(screen, "\n"), "and 43 more: 43 running") {
			t.Errorf("it is not told how many are hidden:\n%s", strings.Join(screen, "\n"))
		}
		l.hide("web")
		l.hide("db")
	}
}
