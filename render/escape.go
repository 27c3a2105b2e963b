package render

import (
	"fmt"
	"strings"
	"unicode"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
)

// hclString escapes text so that it stands for itself between the quotes of
// an HCL string: "[[ .motd | hclString ]]". Values that are not strings are
// converted first.
func hclString(v any) (string, error) {
	text, ok := v.(string)
	if !ok {
		text = fmt.Sprint(v)
	}
	var b strings.Builder
	for i, r := range text {
		switch r {
		case '"', '\\':
			b.WriteRune('\\')
			b.WriteRune(r)
		case '\n':
			b.WriteString(`\n`)
		case '\r':
			b.WriteString(`\r`)
		case '\t':
			b.WriteString(`\t`)
		case '$', '%':
			// "${" begins an interpolation; "$${" is the text.
			if strings.HasPrefix(text[i+1:], "{") {
				b.WriteRune(r)
			}
			b.WriteRune(r)
		default:
			if unicode.IsControl(r) {
				fmt.Fprintf(&b, `\u%04x`, r)
			} else {
				b.WriteRune(r)
			}
		}
	}
	return b.String(), bounded(b.Len())
}

// maxLinted is the size up to which rendered text is searched for values that
// need escaping: the tokens of HCL take much more memory than their text.
const maxLinted = 4 << 20

// lintValues warns of values that stand in a quoted HCL string and would mean
// something there: a quote ends it, a backslash begins an escape, a template
// sequence is evaluated.
func (e *execution) lintValues() {
	if len(e.out.values) == 0 || len(e.out.text) > maxLinted {
		return
	}
	// The context of a value is that of the template around it, so the
	// values themselves must not count.
	masked := append([]byte(nil), e.out.text...)
	for _, v := range e.out.values {
		for i := v.start; i < v.end; i++ {
			masked[i] = 'x'
		}
	}
	tokens, _ := hclsyntax.LexConfig(masked, "", hcl.Pos{Line: 1, Column: 1})
	next := 0
	for _, v := range e.out.values {
		for next < len(tokens) && tokens[next].Range.End.Byte <= v.start {
			next++
		}
		if next == len(tokens) {
			return
		}
		if tokens[next].Type == hclsyntax.TokenQuotedLit && e.run.firstAt(&e.sites[v.site]) {
			s := &e.sites[v.site]
			e.run.warn(s, "a value that needs escaping stands in a quoted string", "write "+withEscape(s))
		}
	}
}

// withEscape is an action with hclString at its end.
func withEscape(s *site) string {
	inner := strings.TrimSuffix(string(s.source.text[s.start:s.end]), rightDelim)
	closing := rightDelim
	if trimmed, ok := strings.CutSuffix(inner, " -"); ok {
		inner, closing = trimmed, "-"+rightDelim
	}
	return strings.TrimRight(inner, " \t\r\n") + " | hclString " + closing
}

// needsEscape reports whether text means something else within the quotes of
// an HCL string. References such as ${NOMAD_PORT_http} are what people put
// there on purpose.
func needsEscape(text string) bool {
	if strings.ContainsAny(text, "\"\\\n\r") || strings.Contains(text, "%{") {
		return true
	}
	for rest := text; ; {
		_, after, found := strings.Cut(rest, "${")
		if !found {
			return false
		}
		reference, tail, closed := strings.Cut(after, "}")
		if !closed || strings.Trim(reference, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.-[] ") != "" {
			return true
		}
		rest = tail
	}
}
