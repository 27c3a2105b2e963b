package redact

import (
	"bytes"
	"cmp"
	"encoding/json"
	"net/url"
	"slices"
	"strings"
	"sync"
)

// Mask stands where a secret stood.
const Mask = "********"

// A Redactor masks the secrets it knows. It is safe for use by several
// goroutines; a secret added later is masked from then on, in writers that
// are already in use too. A nil Redactor knows no secrets.
type Redactor struct {
	mu      sync.RWMutex
	secrets []string // distinct, longest first: of two that overlap the longer one is masked
}

// New returns a Redactor that masks the given secrets. Empty strings are ignored.
func New(secrets ...string) *Redactor {
	r := &Redactor{}
	r.Add(secrets...)
	return r
}

// Add makes the Redactor mask these secrets as well, also where they are
// escaped: in JSON and HCL strings and in URLs. A secret of several lines is
// masked as a whole and line by line, because logs and diffs print lines with
// something between them; lines shorter than [MinLength] are not masked by
// themselves. Empty strings are ignored.
func (r *Redactor) Add(secrets ...string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	known := slices.Clone(r.secrets)
	for _, s := range secrets {
		if s == "" {
			continue
		}
		known = append(append(known, s), escaped(s)...)
		if strings.Contains(s, "\n") {
			known = append(known, secretLines(s)...)
		}
	}
	slices.SortFunc(known, func(a, b string) int {
		return cmp.Or(cmp.Compare(len(b), len(a)), cmp.Compare(a, b))
	})
	r.secrets = slices.Compact(known)
}

// escaped returns the forms of a secret in JSON, with and without escapes for
// HTML, in HCL, and in the query and the path of a URL.
func escaped(s string) []string {
	forms := []string{url.QueryEscape(s), url.PathEscape(s)}
	for _, html := range []bool{true, false} {
		var b strings.Builder
		e := json.NewEncoder(&b)
		e.SetEscapeHTML(html)
		if e.Encode(s) == nil {
			quoted := strings.TrimSuffix(b.String(), "\n")
			plain := quoted[1 : len(quoted)-1]
			forms = append(forms, plain, strings.NewReplacer("${", "$${", "%{", "%%{").Replace(plain))
		}
	}
	return forms
}

// secretLines returns the lines of s that are worth masking alone.
func secretLines(s string) []string {
	var lines []string
	for line := range strings.Lines(s) {
		if line = strings.TrimSpace(line); len(line) >= MinLength {
			lines = append(lines, line)
		}
	}
	return lines
}

// String returns s with every secret replaced by [Mask]. Where nothing is
// secret the result is s itself.
func (r *Redactor) String(s string) string {
	secrets := r.known()
	if !containsAny(s, secrets) {
		return s
	}
	masked, _ := mask([]byte(s), secrets, true)
	return string(masked)
}

// known returns the secrets; the slice is never changed in place.
func (r *Redactor) known() []string {
	if r == nil {
		return nil
	}
	r.mu.RLock()
	defer r.mu.RUnlock()
	return r.secrets
}

func containsAny(s string, secrets []string) bool {
	return slices.ContainsFunc(secrets, func(secret string) bool { return strings.Contains(s, secret) })
}

// mask returns text with its secrets masked. Unless final is set it stops
// where the rest may be the beginning of a secret, or of a longer one than
// the text shows so far, and returns that rest.
func mask(text []byte, secrets []string, final bool) (masked, rest []byte) {
	found := search{text: text, secrets: secrets, next: make([]int, len(secrets))}
	for i := range found.next {
		found.next[i] = -1
	}
	open := len(text)
	if !final {
		open = opening(text, secrets, 0)
	}
	for pos := 0; pos < len(text); {
		at, length := found.from(pos)
		if open < pos {
			open = opening(text, secrets, pos)
		}
		if open <= at && open < len(text) {
			return append(masked, text[pos:open]...), text[open:]
		}
		masked = append(masked, text[pos:at]...)
		if length > 0 {
			masked = append(masked, Mask...)
		}
		pos = at + length
	}
	return masked, nil
}

// A search finds secrets in a text from left to right. It remembers where
// each secret comes next, so that a text full of one of them is not searched
// again for all others.
type search struct {
	text    []byte
	secrets []string
	next    []int // per secret: its first place at or behind the last pos asked for; -1 before the first search
}

// from returns the leftmost secret at or behind pos, and of those that begin
// there the longest. Without any it returns the length of the text and 0.
func (s *search) from(pos int) (at, length int) {
	at = len(s.text)
	for i, secret := range s.secrets {
		if s.next[i] < pos {
			s.next[i] = len(s.text)
			if n := bytes.Index(s.text[pos:], []byte(secret)); n >= 0 {
				s.next[i] = pos + n
			}
		}
		if s.next[i] < at {
			at, length = s.next[i], len(secret)
		}
	}
	return at, length
}

// opening returns the first position at or behind pos from which all of the
// text to its end is the beginning of a secret, and not all of one. Without
// any it returns the length of the text.
func opening(text []byte, secrets []string, pos int) int {
	first := len(text)
	for _, s := range secrets {
		for i := max(pos, len(text)-len(s)+1); i < first; i++ {
			if strings.HasPrefix(s, string(text[i:])) {
				first = i
			}
		}
	}
	return first
}
