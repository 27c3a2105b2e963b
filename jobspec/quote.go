package jobspec

import (
	"fmt"
	"reflect"
	"regexp"
	"strconv"
	"strings"
	"time"
	"unicode"
)

// runtime matches what a node fills in when the task starts. It means the same in
// HCL, unless a brace follows: Nomad's parser then adds one.
var runtime = regexp.MustCompile(`^\$\{(NOMAD_\w+|(attr|node|meta|device)\.[\w.-]*\w)\}([^}]|$)`)

// Quote is a text as a string of HCL, in quotes.
func Quote(text string) string {
	var b strings.Builder
	for i, r := range text {
		switch {
		case r == '"' || r == '\\':
			b.WriteString(`\` + string(r))
		case r == '\n':
			b.WriteString(`\n`)
		case r == '\r':
			b.WriteString(`\r`)
		case r == '\t':
			b.WriteString(`\t`)
		case unicode.IsControl(r):
			fmt.Fprintf(&b, `\u%04x`, r)
		default:
			b.WriteString(escapedSign(text[i:], r))
		}
	}
	return `"` + b.String() + `"`
}

// escapedSign keeps "${" and "%{" from beginning a template, where they are text.
func escapedSign(rest string, r rune) string {
	begins := (r == '$' || r == '%') && strings.HasPrefix(rest[1:], "{")
	if begins && !runtime.MatchString(rest) {
		return string(r) + string(r)
	}
	return string(r)
}

// wholeLines is what stands between the marks, for a text of several whole lines.
func wholeLines(v reflect.Value) (string, bool) {
	if v.Kind() != reflect.String {
		return "", false
	}
	text := v.String()
	odd := strings.ContainsFunc(text, func(r rune) bool { return unicode.IsControl(r) && r != '\n' && r != '\t' })
	if odd || !strings.HasSuffix(text, "\n") || regexp.MustCompile(`(?m)^\s*EOT\s*$`).MatchString(text) {
		return "", false
	}
	var b strings.Builder
	for i, r := range text {
		b.WriteString(escapedSign(text[i:], r))
	}
	return b.String(), true
}

// duration leaves out the zeros that Go writes: 1h, not 1h0m0s.
func duration(d time.Duration) string {
	text := d.String()
	if strings.HasSuffix(text, "m0s") {
		text = strings.TrimSuffix(text, "0s")
	}
	if strings.HasSuffix(text, "h0m") {
		text = strings.TrimSuffix(text, "0m")
	}
	return text
}

func decimal(f float64) string { return strconv.FormatFloat(f, 'f', -1, 64) }
