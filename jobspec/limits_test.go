package jobspec

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

// Texts that are small and would take all memory or time if nobody counted.
func TestEvaluationIsBounded(t *testing.T) {
	doubling := func(expr string, n int) string {
		var b strings.Builder
		b.WriteString("locals {\n l0 = [\"aaaaaaaaaaaaaaaa\"]\n")
		for i := 1; i <= n; i++ {
			fmt.Fprintf(&b, " l%d = %s\n", i, strings.ReplaceAll(expr, "PREV", fmt.Sprintf("local.l%d", i-1)))
		}
		return b.String() + fmt.Sprintf("}\njob \"j\" {\n meta {\n a = jsonencode(local.l%d)\n}\n}\n", n)
	}
	inMeta := func(expr string) string { return "job \"j\" {\n meta {\n a = " + expr + "\n}\n}\n" }
	nested := func(open, inner, close string, n int) string {
		return inMeta(strings.Repeat(open, n) + inner + strings.Repeat(close, n))
	}
	cases := map[string]string{
		"doubled lists":        doubling("[PREV, PREV]", 60),
		"doubled strings":      strings.Replace(doubling(`"${PREV}${PREV}"`, 60), `["aaaaaaaaaaaaaaaa"]`, `"aaaaaaaaaaaaaaaa"`, 1),
		"doubled by concat":    doubling("concat(PREV, PREV)", 60),
		"squared numbers":      strings.Replace(doubling("PREV * PREV", 60), `["aaaaaaaaaaaaaaaa"]`, "10", 1),
		"nested for":           inMeta("[for a in range(1024) : [for b in range(1024) : [for c in range(1024) : 1]]]"),
		"nested template for":  inMeta(`"` + strings.Repeat("%{ for a in range(1024) }", 4) + "x" + strings.Repeat("%{ endfor }", 4) + `"`),
		"long text in a loop":  inMeta(`"%{ for a in range(1024) }%{ for b in range(1024) }` + strings.Repeat("x", 1<<16) + `%{ endfor }%{ endfor }"`),
		"hidden by try":        inMeta("try(setproduct(range(1024), range(1024), range(1024)), 1)"),
		"setproduct":           inMeta("length(setproduct(range(1024), range(1024), range(1024)))"),
		"format width":         inMeta(`format("%1000000000d", 1)`),
		"format precision":     inMeta(`format("%.1000000000f", 1.5)`),
		"formatlist width":     inMeta(`join("", formatlist("%1000000d", range(1024)))`),
		"indent":               inMeta(`indent(1000000000, "a\nb")`),
		"replace":              inMeta(`replace(format("%100000d", 1), "", format("%100000d", 1))`),
		"regex_replace":        inMeta(`regex_replace(format("%100000d", 1), ".", "$0$0$0$0$0$0$0$0$0$0$0$0$0$0$0$0${format("%10000d", 1)}")`),
		"join":                 inMeta(`join(format("%1000000d", 1), range(1024))`),
		"distinct":             inMeta(`join("", distinct(flatten([for a in range(100) : [for b in range(100) : "${a}-${b}"]])))`),
		"list from a tuple":    inMeta(`join("", flatten([for a in range(1024) : [for b in range(100) : "${a}-${b}"]]))`),
		"list of literals":     inMeta(`join("", [` + strings.Repeat("1,", 1<<20) + `])`),
		"bcrypt":               inMeta(`bcrypt("x", 31)`),
		"endless file":         inMeta(`file("/dev/zero")`),
		"huge number":          inMeta("1e99999999"),
		"huge power":           inMeta(`"${"1e300000" * "1e300000"}"`),
		"nested brackets":      nested("[", "1", "]", 20000),
		"nested parentheses":   nested("(", "1", ")", 20000),
		"nested objects":       nested("{a=", "1", "}", 20000),
		"nested templates":     nested(`"${`, "1", `}"`, 20000),
		"nested calls":         nested("upper(", `"a"`, ")", 20000),
		"many negations":       nested("!", "true", "", 20000),
		"many minus signs":     nested("-", "1", "", 20000),
		"many operators":       nested("1 + ", "1", "", 100000),
		"operators on strings": nested("\"${1}\" + ", "1", "", 20000),
		"operators on lines":   inMeta("(" + strings.Repeat("1 +\n", 20000) + "1)"),
		"splats in lines":      inMeta("(a" + strings.Repeat(".*\n", 20000) + ")"),
		"many conditions":      nested("true ? 1 : ", "1", "", 20000),
		"many indexes":         inMeta("a" + strings.Repeat("[b]", 20000)),
		"many splats":          inMeta("a" + strings.Repeat("[*]", 20000)),
		"many splats in dots":  inMeta("a" + strings.Repeat(".*", 20000)),
		"nested blocks":        "job \"j\" {\n" + strings.Repeat("group \"g\" {\n", 20000) + strings.Repeat("}\n", 20000) + "}\n",
		"nested JSON":          `{"job":{"j":{"meta":{"a":` + strings.Repeat("[", 20000) + strings.Repeat("]", 20000) + `}}}}`,
		"nested JSON template": `{"job":{"j":{"meta":{"a":"` + strings.Repeat("${", 20000) + strings.Repeat("}", 20000) + `"}}}}`,
		"unclosed JSON string": `{"job":{"` + "\n" + strings.Repeat("[", 100000),
		"dynamic":              "job \"j\" {\n dynamic \"group\" {\n for_each = range(1024)\n labels = [\"g\"]\n content {\n dynamic \"task\" {\n for_each = range(1024)\n labels = [\"t\"]\n content {\n dynamic \"template\" {\n for_each = range(1024)\n content {}\n}\n}\n}\n}\n}\n}\n",
		"large":                strings.Repeat(" ", maxText+1) + "job \"j\" {}",
	}
	for name, text := range cases {
		t.Run(name, func(t *testing.T) {
			began := time.Now()
			result, diags := Parse("job.nomad.hcl", []byte(text), Options{})
			if !diags.HasErrors() {
				t.Errorf("accepted: %d groups", len(result.Job.TaskGroups))
			}
			if took := time.Since(began); took > time.Minute {
				t.Errorf("took %s", took)
			}
		})
	}
}
