package conformance

import (
	"fmt"
	"regexp"
	"strings"
)

// A spec is a job with a group g and a task t, of which a scenario says only what
// matters to it. Each text holds HCL, a line for each attribute; it overrides the
// attributes of the same name.
type spec struct {
	kind       string // service by default
	job        string
	update     string // of the group, for jobs that have one
	count      int    // 1 by default
	group      string
	restart    string
	reschedule string // for the types that have one
	task       string
	script     string // what the shell runs; it sleeps by default
	config     string // instead of the script
	resources  string
	more       string // further groups, as a whole
	tasks      string // further tasks, as a whole
}

// sleeps is a script that ends by a signal.
const sleeps = "exec sleep 1000"

// hcl writes the job. Nothing is restarted or rescheduled unless the spec says so,
// and an allocation is healthy as soon as it runs.
func (j spec) hcl(id string) string {
	if j.kind == "" {
		j.kind = "service"
	}
	var group strings.Builder
	group.WriteString(attributes(fmt.Sprintf("count = %d", max(j.count, 1)), j.group))
	if j.kind == "service" || j.kind == "system" {
		group.WriteString(block("update", `
			health_check      = "task_states"
			min_healthy_time  = "0s"
			healthy_deadline  = "50s"
			progress_deadline = "1m"
			max_parallel      = 1`, j.update))
	}
	group.WriteString(block("restart", "attempts = 0\nmode = \"fail\"", j.restart))
	if j.kind == "service" {
		group.WriteString(block("reschedule", "attempts = 0\nunlimited = false", j.reschedule))
	} else if j.reschedule != "" {
		group.WriteString(block("reschedule", "", j.reschedule))
	}
	group.WriteString(j.hclTask() + j.tasks)
	return fmt.Sprintf("job %q {\n%s\ngroup \"g\" {\n%s\n}\n%s\n}\n",
		id, attributes(fmt.Sprintf("type = %q", j.kind), j.job), group.String(), j.more)
}

func (j spec) hclTask() string { return task("t", j.script, j.config, j.task, j.resources) }

// task writes a task that runs a script, or has another config.
func task(name, script, config, more, resources string) string {
	if script == "" {
		script = sleeps
	}
	if config == "" {
		config = fmt.Sprintf("command = \"/bin/sh\"\nargs = [\"-c\", %q]", script)
	}
	return fmt.Sprintf("task %q {\n%s\nconfig {\n%s\n}\n%s}\n", name, attributes(`driver = "raw_exec"`, more), config,
		block("resources", "cpu = 10\nmemory = 10", resources))
}

// another is a group of the given name that is like g.
func (j spec) another(name string) string {
	text := j.hcl("x")
	from := strings.Index(text, `group "g"`)
	return strings.Replace(text[from:strings.LastIndex(text, "}")], `"g"`, fmt.Sprintf("%q", name), 1)
}

func block(name, defaults, over string) string {
	return fmt.Sprintf("%s {\n%s}\n", name, attributes(defaults, over))
}

var attribute = regexp.MustCompile(`^\s*(\w+)\s*=`)

// attributes puts the lines of over behind those defaults that it does not
// replace.
func attributes(defaults, over string) string {
	var b strings.Builder
	for line := range strings.Lines(defaults + "\n") {
		m := attribute.FindStringSubmatch(line)
		if m != nil && !regexp.MustCompile(`(?m)^\s*`+m[1]+`\s*=`).MatchString(over) {
			b.WriteString(line)
		}
	}
	return b.String() + over + "\n"
}
