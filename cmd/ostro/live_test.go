package main

import (
	"bytes"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"ostro/watch"
)

// screen is what a terminal shows after a text: it knows line ends and the two
// movements that the table makes.
func screenOf(text string) []string {
	lines := []string{""}
	for text != "" {
		var up int
		last := len(lines) - 1
		switch {
		case strings.HasPrefix(text, "\n"):
			lines, text = append(lines, ""), text[1:]
		case strings.HasPrefix(text, colorOff):
			text = text[len(colorOff):]
		case strings.HasPrefix(text, colorRed), strings.HasPrefix(text, colorGreen):
			text = text[len(colorRed):]
		case strings.HasPrefix(text, colorDim):
			text = text[len(colorDim):]
		case strings.HasPrefix(text, "\x1b["):
			fmt.Sscanf(text, "\x1b[%dF\x1b[J", &up)
			_, text, _ = strings.Cut(text, clearBelow)
			lines = append(lines[:last-up], "")
		default:
			lines[last] += text[:1]
			text = text[1:]
		}
	}
	return lines
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
		"    group api  4/5 placed  3/5 healthy  1 unhealthy  1 canary",
		"      00000000 web.api[0] on ****  version 3  running  30s",
		"",
	}
	if diff := cmp.Diff(want, screenOf(out.String())); diff != "" {
		t.Error(diff)
	}
	// What is left behind is the last table, below which the screen goes on.
	l.hide("web")
	fmt.Fprintln(l, "ostro: three")
	if diff := cmp.Diff(append(want[:6:6], "ostro: three", ""), screenOf(out.String())); diff != "" {
		t.Error(diff)
	}
	if l.stop != nil {
		t.Error("the table is redrawn although it has ended")
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
		if height == 24 && !strings.Contains(strings.Join(screen, "\n"), "and 43 more") {
			t.Errorf("it is not told how many are hidden:\n%s", strings.Join(screen, "\n"))
		}
		l.hide("web")
		l.hide("db")
	}
}
