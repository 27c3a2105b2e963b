package cmdline

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"regexp"
	"slices"
	"strings"
)

// A transcript is what the commands of a script said, without what differs from
// run to run.
type transcript struct{ strings.Builder }

func (t *transcript) add(command, out, problems string, exit int) {
	fmt.Fprintf(t, "$ %s\n%s%s", plain(command), plain(ordered(out)), plain(problems))
	if exit != 0 {
		fmt.Fprintf(t, "exit %d\n", exit)
	}
	t.WriteString("\n")
}

// volatile is what differs from run to run, and what stands in its place.
var volatile = []struct {
	pattern *regexp.Regexp
	plain   string
}{
	{regexp.MustCompile(`[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}`), "ID"},
	{regexp.MustCompile(`\b[0-9a-f]{8}\b`), "SHORT"},
	{regexp.MustCompile(`\d{4}[-/]\d\d[-/]\d\d[T ]\d\d:\d\d:\d\d(\.\d+)?( ?(Z|[+-]\d\d:?\d\d|UTC))?( UTC)?`), "TIME"},
	{regexp.MustCompile(`\b(\d+(h|m|s|ms|mo|d)){1,3} (ago|from now)`), "AGO"},
	{regexp.MustCompile(`127\.0\.0\.1:\d+`), "127.0.0.1:PORT"},
	{regexp.MustCompile(`("?[A-Za-z ]*[Ii]ndex:?"?( = |: | ))\d+`), "${1}N"},
	{regexp.MustCompile(`("[A-Za-z]*Time": )\d{15,}`), "${1}NANOSECONDS"},
	{regexp.MustCompile(`\b((?:dispatch|periodic)-(?:mine-)?)\d{10}`), "${1}SECONDS"},
	{regexp.MustCompile(` +`), " "},
	{regexp.MustCompile(` *\n`), "\n"},
	// Of a deployment that is followed, the last picture counts.
	{regexp.MustCompile(`(?s)\nTIME\nID = SHORT.*(\nTIME\nID = SHORT)`), "$1"},
	// Nomad tells a change of a policy's indexes as a change without content.
	{regexp.MustCompile(`( \+/- Scaling \{)\n*( \})\n`), ""},
}

// passing are lines that a command prints or not, by when it looks.
var passing = regexp.MustCompile(`Evaluation status changed|Evaluation within deployment|Evaluation triggered by|Allocation "SHORT" (created|status changed|modified)|Evaluation "SHORT" finished`)

// plain takes away what differs from run to run.
func plain(text string) string {
	for _, v := range volatile {
		text = v.pattern.ReplaceAllString(text, v.plain)
	}
	var lines []string
	for line := range strings.Lines(text) {
		empty := strings.TrimSpace(line) == ""
		if !passing.MatchString(line) && !(empty && len(lines) > 0 && strings.TrimSpace(lines[len(lines)-1]) == "") {
			lines = append(lines, line)
		}
	}
	return strings.Join(sortRows(lines), "")
}

// sortRows sorts the rows of a table that begin with an ID, by which they were
// sorted.
func sortRows(lines []string) []string {
	isRow := func(line string) bool {
		return strings.HasPrefix(line, "SHORT ") || strings.HasPrefix(line, "ID ") && !strings.HasPrefix(line, "ID =")
	}
	for from := 0; from < len(lines); from++ {
		to := from
		for to < len(lines) && isRow(lines[to]) {
			to++
		}
		slices.Sort(lines[from:to])
		from = max(from, to-1)
	}
	return lines
}

// ordered gives JSON with sorted keys; other text stays.
func ordered(text string) string {
	start := strings.IndexAny(text, "{[")
	if start < 0 {
		return text
	}
	out := text[:start]
	for decoder := json.NewDecoder(strings.NewReader(text[start:])); ; {
		var value any
		err := decoder.Decode(&value)
		if errors.Is(err, io.EOF) {
			return out
		}
		if err != nil {
			return text
		}
		out += marshal(sorted(value)) + "\n"
	}
}

// sorted sorts lists of objects that have IDs by what else is in them.
func sorted(value any) any {
	switch v := value.(type) {
	case map[string]any:
		for key, element := range v {
			v[key] = sorted(element)
		}
	case []any:
		for i, element := range v {
			v[i] = sorted(element)
		}
		slices.SortStableFunc(v, func(a, b any) int {
			x, isX := a.(map[string]any)
			y, isY := b.(map[string]any)
			if !isX || !isY || x["ID"] == nil || y["ID"] == nil {
				return 0
			}
			return cmp.Compare(plain(marshal(a)), plain(marshal(b)))
		})
	}
	return value
}

func marshal(value any) string {
	text, err := json.MarshalIndent(value, "", " ")
	if err != nil {
		return err.Error()
	}
	return string(text)
}
