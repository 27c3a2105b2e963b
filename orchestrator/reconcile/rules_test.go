package reconcile

import (
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/hashicorp/nomad/api"
)

var (
	ruleLine = regexp.MustCompile(`(?m)^- ([A-Z]\d+) `)
	// citation is what code, or the head of a scenario, says in brackets of the
	// rules that it keeps.
	citation = regexp.MustCompile(`(?s)\(Nomad: [^()]*\)|\([A-Z]\d+(?:, [A-Z]\d+)*\)`)
	cited    = regexp.MustCompile(`\b([A-Z])(\d+)(?: to [A-Z](\d+))?\b`)
)

// TestRules holds the list of rules against the code and the scenarios: each rule
// is cited, and only rules are.
func TestRules(t *testing.T) {
	text, err := os.ReadFile("README.md")
	if err != nil {
		t.Fatal(err)
	}
	rules := map[string]string{}
	for _, m := range ruleLine.FindAllStringSubmatch(string(text), -1) {
		if rules[m[1]] != "" {
			t.Errorf("two rules are called %s", m[1])
		}
		rules[m[1]] = "README.md"
	}
	citations := map[string]string{}
	for _, root := range []string{"..", "../../conformance"} {
		citedBelow(t, root, citations)
	}
	for _, rule := range slices.Sorted(maps.Keys(rules)) {
		if citations[rule] == "" {
			t.Errorf("nothing cites rule %s", rule)
		}
	}
	for _, rule := range slices.Sorted(maps.Keys(citations)) {
		if rules[rule] == "" {
			t.Errorf("%s cites rule %s, which README.md does not have", citations[rule], rule)
		}
	}
}

// citedBelow notes the rules that the Go files and the scenarios of a folder cite.
func citedBelow(t *testing.T, root string, found map[string]string) {
	t.Helper()
	err := filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
		scenario := filepath.Dir(path) == filepath.Join("..", "reconcile", "testdata")
		if err != nil || entry.IsDir() || filepath.Ext(path) != ".go" && !scenario {
			return err
		}
		text, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		// A comment goes on in the next line.
		plain := strings.NewReplacer("\n// ", " ", "\n# ", " ", "\n\t// ", " ").Replace(string(text))
		for _, part := range citation.FindAllString(plain, -1) {
			for _, m := range cited.FindAllStringSubmatch(part, -1) {
				for _, number := range upTo(t, m[2], m[3]) {
					found[m[1]+number] = path
				}
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

// upTo lists the numbers from first to last, or first alone.
func upTo(t *testing.T, first, last string) []string {
	t.Helper()
	if last == "" {
		return []string{first}
	}
	from, err := strconv.Atoi(first)
	if err != nil {
		t.Fatal(err)
	}
	to, err := strconv.Atoi(last)
	if err != nil {
		t.Fatal(err)
	}
	var all []string
	for n := from; n <= to; n++ {
		all = append(all, strconv.Itoa(n))
	}
	return all
}

// A node that is out of reach is waited for also while it has yet to be decided about
// what may come back. (Nomad: S7.)
func TestAwaited(t *testing.T) {
	group := &api.TaskGroup{Name: new("g"), Disconnect: &api.DisconnectStrategy{LostAfter: new(time.Hour)}}
	alloc := func(client, desired string) *api.Allocation {
		return &api.Allocation{Job: &api.Job{TaskGroups: []*api.TaskGroup{group}}, TaskGroup: "g", ClientStatus: client, DesiredStatus: desired}
	}
	for _, tc := range []struct {
		client, desired string
		want            bool
	}{
		{api.AllocClientStatusRunning, api.AllocDesiredStatusRun, true},
		{api.AllocClientStatusUnknown, api.AllocDesiredStatusRun, true},
		{api.AllocClientStatusUnknown, api.AllocDesiredStatusStop, false},
		{api.AllocClientStatusLost, api.AllocDesiredStatusStop, false},
		{api.AllocClientStatusComplete, api.AllocDesiredStatusRun, false},
	} {
		if got := Awaited([]*api.Allocation{alloc(tc.client, tc.desired)}); got != tc.want {
			t.Errorf("%s, to %s: awaited %t", tc.client, tc.desired, got)
		}
	}
}

// A star in the pattern of a datacenter stands for any text, and nothing else does.
func TestMatches(t *testing.T) {
	for _, tc := range []struct {
		pattern, text string
		want          bool
	}{
		{"dc1", "dc1", true}, {"dc", "dc1", false}, {"*", "", true}, {"*", "dc1", true}, {"dc*", "dc1", true}, {"*1", "dc1", true}, {"d*1", "dc1", true},
		{"dc?", "dc1", false}, {"dc[1]", "dc1", false}, {"a*b*c", "a-b-c", true}, {"a*b*c", "a-c", false}, {"ab*ba", "aba", false}, {"**", "x", true},
	} {
		if got := matches(tc.pattern, tc.text); got != tc.want {
			t.Errorf("%q is like %q: %t", tc.text, tc.pattern, got)
		}
	}
}
