package jobspec

import (
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/hashicorp/nomad/api"
)

// jobWriter writes random job files: mostly right, sometimes wrong, always with the
// blocks and attributes that nomad/api has.
type jobWriter struct {
	r *rand.Rand
	p *parser
	b strings.Builder
}

const randomPreamble = `
variables {
  text   = "t"
  number = 7
  list   = ["a", "b"]
}

locals {
  made = "${var.text}-${NOMAD_JOB_ID}"
  map  = { for x in var.list : x => upper(x) }
}

`

// randomJob writes the job file of a seed. It steers clear of the two bugs of Nomad.
func randomJob(seed int) string {
	w := &jobWriter{r: rand.New(rand.NewPCG(uint64(seed), 1)), p: newParser(nil, Options{})}
	w.b.WriteString(randomPreamble + "job \"example\" {\n")
	w.body(reflect.TypeFor[api.Job](), 1)
	if w.chance(4) {
		w.block("vault", nil, reflect.TypeFor[api.Vault](), 1)
	}
	if w.chance(6) {
		w.block("task", []string{"alone"}, reflect.TypeFor[api.Task](), 1)
	}
	w.b.WriteString("}\n")
	return w.b.String()
}

// chance is true once in n times.
func (w *jobWriter) chance(n int) bool { return w.r.IntN(n) == 0 }

func (w *jobWriter) pick(of ...string) string { return of[w.r.IntN(len(of))] }

func (w *jobWriter) body(ty reflect.Type, depth int) {
	f := w.p.fieldsOf(ty)
	names := f.schema.attrs
	switch ty {
	case reflect.TypeFor[api.Constraint]():
		names = comparisonSchema(constraintComparisons, []string{"distinct_hosts", "distinct_property", "is_set"}).attrs
	case reflect.TypeFor[api.Affinity]():
		names = comparisonSchema(affinityComparisons, []string{"weight"}).attrs
	}
	for _, name := range keys(names) {
		isMax := ty == reflect.TypeFor[api.ScalingPolicy]() && name == "max" // required in a group
		if !names[name] && !isMax && !w.chance(4) || name == "type" && ty == reflect.TypeFor[api.ScalingPolicy]() {
			continue
		}
		value := w.pick(texts...)
		if name == "distinct_hosts" {
			value = w.pick(bools...)
		}
		if i, ok := f.attrs[name]; ok {
			value = w.value(ty.Field(i).Type)
		}
		fmt.Fprintf(&w.b, "%s = %s\n", name, value)
	}
	for _, name := range keys(f.schema.blocks) {
		field := ty.Field(f.blocks[name]).Type
		for range w.blocks(name, depth, field.Kind() == reflect.Slice && name != "scaling") {
			labels := make([]string, len(f.schema.blocks[name]))
			for i := range labels {
				labels[i] = w.pick("a", "b", "http", "with-dash", "nvidia/gpu")
			}
			if ty == reflect.TypeFor[api.Task]() && name == "scaling" {
				labels = []string{w.pick("cpu", "mem", "CPU")}
			}
			w.block(name, labels, field, depth)
		}
	}
}

// blocks is how many blocks of a kind to write: groups and tasks always.
func (w *jobWriter) blocks(name string, depth int, many bool) int {
	switch {
	case name == "secret":
		return 0 // written once in a job, see TestBugsOfNomadAreNotCopied
	case name == "group" || name == "task":
		return 1 + w.r.IntN(2)
	case many && w.chance(6) || w.chance(500):
		return 2
	case w.chance(3 + depth):
		return 1
	}
	return 0
}

func (w *jobWriter) block(name string, labels []string, ty reflect.Type, depth int) {
	dynamic := w.chance(12) && ty != reflect.TypeFor[map[string]any]() && name != "scaling"
	if dynamic {
		each := w.pick(`["x"]`, `{ k = "v" }`, `[]`, `[1]`)
		if ty.Kind() == reflect.Slice {
			each = w.pick(each, `var.list`)
		}
		fmt.Fprintf(&w.b, "dynamic %q {\nfor_each = %s\niterator = it\n", name, each)
		if len(labels) > 0 {
			fmt.Fprintf(&w.b, "labels = [%s]\n", w.pick(`"l"`, `"l-${it.key}"`))
		}
		w.b.WriteString("content {\n")
	} else {
		w.b.WriteString(name)
		for _, label := range labels {
			fmt.Fprintf(&w.b, " %q", label)
		}
		w.b.WriteString(" {\n")
	}
	for ty.Kind() == reflect.Pointer || ty.Kind() == reflect.Slice || ty.Kind() == reflect.Map && len(labels) > 0 {
		ty = ty.Elem()
	}
	switch {
	case ty == reflect.TypeFor[map[string]any]():
		w.freeForm(depth, 3)
	case ty.Kind() == reflect.Map:
		for _, key := range []string{"A", "b-c", "_d"} {
			if w.chance(2) {
				fmt.Fprintf(&w.b, "%s = %s\n", key, w.value(ty.Elem()))
			}
		}
	case dynamic && w.chance(2) && w.p.fieldsOf(ty).schema.attrs["attribute"]:
		w.b.WriteString("attribute = it.value\n")
	default:
		w.body(ty, depth+1)
	}
	w.b.WriteString("}\n")
	if dynamic {
		w.b.WriteString("}\n")
	}
}

func (w *jobWriter) freeForm(depth, left int) {
	for _, key := range []string{"image", "args", "mounts", "opt"} {
		if w.chance(2) {
			fmt.Fprintf(&w.b, "%s = %s\n", key, w.pick(anything...))
		}
	}
	for range w.r.IntN(left + 1) {
		fmt.Fprintf(&w.b, "%s {\n", w.pick("mount", "labels", "mount", `rule "in"`, `rule "in" "x"`, "opt"))
		w.freeForm(depth, left-1)
		w.b.WriteString("}\n")
	}
}

var (
	texts     = []string{`"x"`, `"x"`, `"${NOMAD_X}"`, `"a ${attr.kernel.name} b"`, `var.text`, `local.made`, `meta.x`, `"${var.number}"`, `upper("q")`, `""`, "<<EOT\nline ${node.class}\n  two\nEOT\n", `"%{ if true }y%{ endif }"`, `"$${X} %%{y}"`, `5`, `true`}
	numbers   = []string{`1`, `0`, `-1`, `100`, `"12"`, `var.number`, `1 + 2`, `length(var.list)`, `1e2`}
	bools     = []string{`true`, `false`, `"true"`, `!false`, `var.number > 3`}
	durations = []string{`"5s"`, `"1h30m"`, `"0s"`, `1000000000`, `"500ms"`, `"${var.number}s"`}
	lists     = []string{`["a"]`, `[]`, `var.list`, `["a", 1, true]`, `[for x in var.list : "${x}-${NOMAD_Y}"]`, `concat(["a"], var.list)`}
	objects   = []string{`{}`, `{ a = "b" }`, `local.map`, `{ "x.y" = 1, z = true }`}
	anything  = append(append(append(append([]string{`[{ a = 1 }, { b = [2] }]`, `{ k = { l = null } }`, `[[1], []]`, `1.5`, `9223372036854775808`, `[1, { a = 2 }]`, `null`, `setunion(["b"], ["a"])`}, texts...), numbers...), lists...), objects...)
)

// value is an expression for an attribute of that Go type, sometimes a wrong one.
func (w *jobWriter) value(ty reflect.Type) string {
	if w.chance(1500) {
		return w.pick(anything...)
	}
	if ty.Kind() == reflect.Pointer {
		if w.chance(15) && ty.Elem() != reflect.TypeFor[time.Duration]() {
			return "null"
		}
		ty = ty.Elem()
	}
	switch {
	case ty == reflect.TypeFor[time.Duration]():
		return w.pick(durations...)
	case ty.Kind() == reflect.String:
		return w.pick(texts...)
	case ty.Kind() == reflect.Bool:
		return w.pick(bools...)
	case ty == reflect.TypeFor[[]uint16]():
		return w.pick(`[1, 2]`, `[]`, `["80"]`, `[var.number]`)
	case ty.Kind() == reflect.Slice:
		return w.pick(lists...)
	case ty.Kind() == reflect.Map:
		return w.pick(objects...)
	}
	if ty.Kind() >= reflect.Uint && ty.Kind() <= reflect.Uint64 {
		return w.pick(`1`, `0`, `"12"`, `var.number`)
	}
	return w.pick(numbers...)
}

// TestRandomJobsParseAsInNomad compares random job files with the nomad on PATH.
func TestRandomJobsParseAsInNomad(t *testing.T) {
	nomad := nomadOnPath(t)
	checks := 15
	if os.Getenv("OSTRO_TEST") == "full" {
		checks = 500
	}
	dir := t.TempDir()
	accepted := 0
	for seed := range checks {
		text := randomJob(seed)
		c := jobCase{dir: dir, file: fmt.Sprintf("%d.nomad.hcl", seed)}
		writeFile(t, filepath.Join(dir, c.file), text)
		want, errs, err := c.nomad(nomad)
		result, diags := Parse(c.file, []byte(text), Options{BaseDir: dir})
		switch {
		case (err != nil) != diags.HasErrors():
			t.Errorf("nomad says %v %s, we say %v of\n%s", err, errs, diags, text)
		case err == nil:
			accepted++
			got, err := JSON(result.Job)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(want, string(got)); diff != "" {
				t.Errorf("-nomad +ours:\n%s\nof\n%s", diff, text)
			}
		}
	}
	if accepted < checks/5 {
		t.Errorf("only %d of %d random jobs are sound", accepted, checks)
	}
}

// Random jobs keep their meaning when they are formatted, and can be linted.
func TestRandomJobsSurviveFormatting(t *testing.T) {
	for seed := range 200 {
		text := []byte(randomJob(seed))
		before, diags := Parse("a", text, Options{})
		after, moreDiags := Parse("a", Format(text), Options{})
		if diags.HasErrors() != moreDiags.HasErrors() {
			t.Fatalf("before: %v, after: %v", diags, moreDiags)
		}
		if !diags.HasErrors() {
			if diff := cmp.Diff(before.Job, after.Job); diff != "" {
				t.Fatal(diff)
			}
			Lint("a", text, before.Job)
		}
	}
}
