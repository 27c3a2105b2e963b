package main

import (
	"os"
	"regexp"
	"strings"

	"github.com/hashicorp/hcl/v2"

	"ostro/redact"
	"ostro/render"
)

// maxExcerpt is how many characters of a line are shown with a mistake in it.
const maxExcerpt = 160

// excerpt is the line that a diagnostic is about, or the part around its place
// where it is long. A line that gives a secret its value is not shown: what is
// in a file that cannot be read, nobody can mask.
func (t *terminal) excerpt(r *hcl.Range, sources map[string][]byte) string {
	line := sourceLine(r, sources)
	if givesSecret(line) {
		return "(this line has the value of a secret)"
	}
	runes := []rune(t.redactor.String(line)) // before a cut could go through a secret
	if len(runes) <= maxExcerpt {
		return string(runes)
	}
	start := max(0, min(r.Start.Column-maxExcerpt/2, len(runes)-maxExcerpt))
	end := start + maxExcerpt
	text := string(runes[start:end])
	if start > 0 {
		text = "…" + text
	}
	if end < len(runes) {
		text += "…"
	}
	return text
}

// sourceLine finds a line in sources, or else on disk: in a regular file that is
// no larger than what is rendered.
func sourceLine(r *hcl.Range, sources map[string][]byte) string {
	text, ok := sources[r.Filename]
	if !ok {
		info, err := os.Stat(r.Filename)
		if err != nil || !info.Mode().IsRegular() || info.Size() > render.MaxSize {
			return ""
		}
		if text, err = os.ReadFile(r.Filename); err != nil {
			return ""
		}
	}
	n := 0
	for line := range strings.Lines(string(text)) {
		if n++; n == r.Start.Line {
			return strings.TrimRight(line, "\r\n")
		}
	}
	return ""
}

// named finds what a line of YAML, JSON or HCL gives a value to.
var named = regexp.MustCompile(`([\w.-]+)["']?\s*[:=]|variable\s+"([^"]+)"`)

// givesSecret reports whether a line names a secret and has its value, too,
// rather than the place in a template where it goes.
func givesSecret(line string) bool {
	if strings.Contains(line, "[[") {
		return false
	}
	for _, name := range named.FindAllStringSubmatch(line, -1) {
		if redact.SecretName(name[1] + name[2]) {
			return true
		}
	}
	return false
}
