package cmdline

import (
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
)

// A transcript is what the commands of a script said.
type transcript []utterance

// An utterance is what one command said.
type utterance struct {
	Command, Out, Problems string
	Exit                   int
}

func (t *transcript) add(u utterance) { *t = append(*t, u) }

// String gives a transcript without what differs from run to run.
func (t *transcript) String() string {
	var b strings.Builder
	for _, u := range *t {
		fmt.Fprintf(&b, "$ %s\n%s\n", plain(u.Command), strings.TrimRight(plain(ordered(u.Out))+plain(u.Problems), "\n"))
		if u.Exit != 0 {
			fmt.Fprintf(&b, "exit %d\n", u.Exit)
		}
		b.WriteString("\n")
	}
	return b.String()
}

// volatile is what differs from run to run, and what stands in its place.
var volatile = []struct {
	pattern *regexp.Regexp
	plain   string
}{
	{regexp.MustCompile(` +`), " "},
	{regexp.MustCompile(` *\n`), "\n"},
	{regexp.MustCompile(`[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}`), "ID"},
	{regexp.MustCompile(`\b[0-9a-f]{64}\b`), "HASH"},
	{regexp.MustCompile(`\b[0-9a-f]{8}\b`), "SHORT"},
	{regexp.MustCompile(`\d{4}[-/]\d\d[-/]\d\d[T ]\d\d:\d\d:\d\d(\.\d+)?( ?(Z|[+-]\d\d:?\d\d|UTC))?( UTC)?`), "TIME"},
	{regexp.MustCompile(`\b(\d+(h|m|s|ms|mo|d)){1,3} (ago|from now)`), "AGO"},
	{regexp.MustCompile(`Uptime = \S+`), "Uptime = AGO"},
	{regexp.MustCompile(`("[A-Za-z]*Time": |[a-z]+_time = )\d{15,}`), "${1}NANOSECONDS"},
	{regexp.MustCompile(`("StatusUpdatedAt": )\d+`), "${1}SECONDS"},
	{regexp.MustCompile(`\b((?:dispatch|periodic)-(?:mine-)?)\d{10}`), "${1}SECONDS"},
	{regexp.MustCompile(`("?(?:Allocation|Request) ?Time"?(?: =|:) )[^\s,]+`), "${1}SPAN"},
	// A delay has some chance in it.
	{regexp.MustCompile(`(Task restarting in )\d+\.\d+s`), "${1}SPAN"},
	// Writes have indexes, and what a cluster writes for itself has some, too.
	{regexp.MustCompile(`("?[A-Za-z ]*[Ii]ndex:?"?(?: = |: | |=| \()|current state value )\d+`), "${1}N"},
	{regexp.MustCompile(`(-page-token[ =])\d+\.`), "${1}N."},
	{regexp.MustCompile(`127\.0\.0\.1:\d+`), "127.0.0.1:PORT"},
	{regexp.MustCompile(`(127\.0\.0\.1 |\bport=|"(?:Port|Value|HTTP|RPC|Serf)": |"port": ")\d{4,}`), "${1}PORT"},
	{regexp.MustCompile(`(true 0s 2 )\d+ TIME`), "${1}N TIME"},
	// The folders of the agent, and of the script.
	{regexp.MustCompile(`/\S+/go-test-script\d+/`), "/"},
	{regexp.MustCompile(`(stat|open) /\S+?/ID/`), "$1 DIR/ID/"},
	// The last digits of a sum are those of the order in which it is added up.
	{regexp.MustCompile(`(\d\.\d{10})\d+`), "$1"},
	// What tasks and the machine use: Nomad measures it where it has a cgroup of its
	// own, and not in every container.
	{regexp.MustCompile(`\b\d+/(\d+ MHz)`), "$1"},
	{regexp.MustCompile(`[\d.]+ (?:[KMGT]i)?B/([\d.]+ [KMGT]iB)`), "$1"},
	{regexp.MustCompile(`\n(User|System|Idle|Used|Available|Free|Used Percent|Inodes Percent) = [^\n]+`), "\n$1 = N"},
	{regexp.MustCompile(`(Memory Stats\n)RSS [^\n]+\n[^\n]+`), "${1}RSS N"},
	{regexp.MustCompile(`\d+\.\d\d%`), "N%"},
	// Of the disks, that of the agent counts.
	{regexp.MustCompile(`(Device = (\S+)\nMountPoint[^:]*?Inodes Percent = N\n)(?:\nDevice = [^:]*?Inodes Percent = N\n)+`), "$1"},
	{regexp.MustCompile(`2\.0\.6-dev`), "2.0.6"},
	// The folders of secrets are file systems in memory there.
	{regexp.MustCompile(`drwx\S+ \d+ TIME (private|secrets)/`), "drwx TIME $1/"},
	// Of a deployment that is followed, the last picture counts.
	{regexp.MustCompile(`(?s)\nTIME\nID = (?:SHORT|ID)\n.*(\nTIME\nID = )`), "$1"},
	// Nomad tells a change of a policy's indexes as a change without content.
	{regexp.MustCompile(`( \+/- Scaling \{)\n*( \})\n`), ""},
	// A drain that is forced ends twice for Nomad, now and then.
	{regexp.MustCompile(`(TIME Drain Node drain complete\n)(?:TIME Drain Node drain complete\n)+`), "$1"},
	{regexp.MustCompile(`,qemu\b`), ""},
	// A task that ends by the signal sometimes takes Nomad's executor with it.
	{regexp.MustCompile(`Exit Code: -1, Exit Message: "executor: error waiting on process: [^"\n]*"`), "Exit Code: 130, Signal: 2"},
}

// tags are the tags of a server, in whatever order.
var tags = regexp.MustCompile(`\w+=[^\s,]*(?:,\w+=[^\s,]*)+`)

// passing are lines that a command prints or not, by when it looks.
var passing = regexp.MustCompile(`Evaluation status changed|Evaluation within deployment|Evaluation triggered by|Allocation "(SHORT|ID)" (created|status changed|modified)|Evaluation "(SHORT|ID)" finished|Alloc "ID" draining|task main in allocation ID now in (pending|running) state|event_type: alloc unhealthy`)

// alien is what a node says that is another here, and why:
// there is no qemu and no service mesh; Consul is told to be there, for jobs whose
// services are Consul's; a JVM is not started to be asked for its name; executor.out
// is the log of a process that is not there; nodes are not put into classes; the rest
// no job asks for.
var alien = regexp.MustCompile(`^[ "]*(qemu\b|driver\.qemu|driver\.java\.(runtime|vm)\b|connect\.|consul\.version|kernel\.landlock|nomad\.bridge|numa\.|os\.signals|plugins\.|unique\.advertise|CgroupParent|ClassEligibility)|executor\.out\n`)

// plain takes away what differs from run to run.
func plain(text string) string {
	for _, v := range volatile {
		text = v.pattern.ReplaceAllString(text, v.plain)
	}
	text = tags.ReplaceAllStringFunc(text, func(list string) string {
		return strings.Join(slices.Sorted(slices.Values(strings.Split(list, ","))), ",")
	})
	var lines []string
	for line := range strings.Lines(text) {
		empty := strings.TrimSpace(line) == ""
		if !passing.MatchString(line) && !alien.MatchString(line) && !(empty && len(lines) > 0 && strings.TrimSpace(lines[len(lines)-1]) == "") {
			lines = append(lines, line)
		}
	}
	return strings.Join(sortRows(lines), "")
}

// sortRows sorts the rows of a table that begin with an ID, by which they were
// sorted, and those about a drain, which two watchers tell.
func sortRows(lines []string) []string {
	isRow := func(line string) bool {
		return strings.HasPrefix(line, "SHORT ") || strings.HasPrefix(line, "ID ") && !strings.HasPrefix(line, "ID =") || strings.HasPrefix(line, "TIME: ")
	}
	for from := 0; from < len(lines); from++ {
		to := from
		for to < len(lines) && isRow(lines[to]) {
			to++
		}
		slices.Sort(lines[from:to])
		from = max(from, to-1)
	}
	// Allocations that become healthy at almost the same time make one evaluation or
	// several.
	return slices.CompactFunc(lines, func(a, b string) bool { return a == b && strings.Contains(a, " deployment-watcher ") })
}

// ordered gives JSON, also within other text, with sorted keys.
func ordered(text string) string {
	var out strings.Builder
	for text != "" {
		line, rest, _ := strings.Cut(text, "\n")
		var value any
		decoder := json.NewDecoder(strings.NewReader(text))
		if strings.HasPrefix(line, "{") || strings.HasPrefix(line, "[") {
			if err := decoder.Decode(&value); err == nil {
				line, rest = marshal(sorted(value)), strings.TrimPrefix(text[decoder.InputOffset():], "\n")
			}
		}
		out.WriteString(line + "\n")
		text = rest
	}
	return out.String()
}

// sorted sorts lists of objects that have IDs by what else is in them.
func sorted(value any) any {
	switch v := value.(type) {
	case map[string]any:
		for key, element := range v {
			if v[key] = sorted(element); alien.MatchString(key) {
				delete(v, key)
			}
		}
		if resources, ok := v["NodeResources"].(map[string]any); ok {
			delete(resources, "Networks") // a bridge, and the loopback address of IPv6
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
		value = slices.CompactFunc(v, func(a, b any) bool {
			text := plain(marshal(a))
			return strings.Contains(text, `"TriggeredBy": "deployment-watcher"`) && text == plain(marshal(b))
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

// shapeOf gives JSON whose values are the names of their types, and whose lists are
// what all their elements together have. Labels are not looked into.
func shapeOf(text string) string {
	var value any
	if json.Unmarshal([]byte(text), &value) != nil {
		return text
	}
	return marshal(shaped(value)) + "\n"
}

func shaped(value any) any {
	switch v := value.(type) {
	case map[string]any:
		for key, element := range v {
			if v[key] = shaped(element); key == "Labels" {
				v[key] = "labels"
			}
		}
		return v
	case []any:
		all := map[string]any{}
		for _, element := range v {
			if object, ok := shaped(element).(map[string]any); ok {
				maps.Copy(all, object)
			}
		}
		return []any{all}
	}
	return fmt.Sprintf("%T", value)
}
