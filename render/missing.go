package render

import (
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
	"text/template/parse"

	"github.com/hashicorp/hcl/v2"
)

// absent stands for the value of a missing variable, so that the rest of the
// template can be searched for others. It is false, empty and has no fields.
type absent map[string]any

// check looks whether on has the given fields, one in the other. If so, or if
// that is not for us to say, it returns on; if not, something that has them.
func (e *execution) check(n int, on any, fields ...string) (any, error) {
	s, err := e.site(n)
	if err != nil {
		return nil, err
	}
	current := on
	for i, field := range fields {
		if _, gone := current.(absent); gone {
			e.run.tainted = true
			return nest(fields, absent(nil)), nil
		}
		next, known := lookup(current, field)
		if !known {
			return e.missing(s, lookedUp{on: on, in: current, path: fields, at: i})
		}
		current = next
	}
	return on, nil
}

// missing deals with a field that is not there.
func (e *execution) missing(s *site, l lookedUp) (any, error) {
	if l.in != nil && !isMapping(l.in) {
		if !isPlain(l.in) || e.run.opts.AllowMissing {
			return l.on, nil // text/template knows its methods, or what is wrong
		}
		e.report(s, l, e.notMap)
		return nest(l.path, absent(nil)), nil
	}
	if e.run.opts.AllowMissing {
		if l.in == nil && l.on != nil {
			return nil, fmt.Errorf("nil pointer evaluating %s", strings.Join(l.path[:l.at+1], "."))
		}
		return l.on, nil
	}
	e.miss(s, l)
	if s.tested {
		return nest(l.path, nil), nil
	}
	return nest(l.path, absent(nil)), nil
}

// lookup returns an element of a map whose keys are strings. Methods of the
// map go first, as they do in text/template.
func lookup(in any, field string) (value any, known bool) {
	if m, ok := in.(map[string]any); ok {
		value, known = m[field]
		return value, known
	}
	if !isMapping(in) {
		return nil, false
	}
	m := reflect.Indirect(reflect.ValueOf(in))
	if m.Type().Key().Kind() != reflect.String {
		return nil, false
	}
	element := m.MapIndex(reflect.ValueOf(field).Convert(m.Type().Key()))
	if !element.IsValid() {
		return nil, false
	}
	return element.Interface(), true
}

// isMapping reports whether v is a map without methods, or points to one.
func isMapping(v any) bool {
	value := reflect.ValueOf(v)
	if !value.IsValid() || value.NumMethod() > 0 {
		return false
	}
	return reflect.Indirect(value).Kind() == reflect.Map
}

// isPlain reports whether v is a value as variables have them, other than a
// map: it has neither fields nor methods.
func isPlain(v any) bool {
	switch v.(type) {
	case string, bool, int, int64, uint64, float64, []any:
		return true
	}
	return false
}

// nest returns a map that has the fields, one in the other, with leaf as the last.
func nest(fields []string, leaf any) any {
	for _, field := range slices.Backward(fields) {
		leaf = map[string]any{field: leaf}
	}
	return leaf
}

// lookedUp is a variable that is missing: the path from on, whose field
// number at the map in does not have.
type lookedUp struct {
	on, in any
	path   []string
	at     int
}

// miss reports a missing variable; where it may be missing, it warns of one
// that is likely misspelt.
func (e *execution) miss(s *site, l lookedUp) {
	if !s.tested {
		e.report(s, l, e.remedy)
		return
	}
	if !e.run.firstAt(s) {
		return
	}
	if near := nearest(l.field(), l.beside(), 1); near != "" {
		e.run.warn(s, fmt.Sprintf("variable %q is not set, which counts as false here", l.name(s)), didYouMean(l.sibling(s, near)))
	}
}

// report records a missing variable, once per place.
func (e *execution) report(s *site, l lookedUp, hint func(*site, lookedUp) string) {
	e.run.misses++
	e.run.tainted = true
	if e.run.firstAt(s) {
		e.run.missing = append(e.run.missing, fail(s.rng(), fmt.Sprintf("variable %q is not set", l.name(s)), hint(s, l))...)
	}
}

// remedy says what to do about a missing variable.
func (e *execution) remedy(s *site, l lookedUp) string {
	if l.on == nil {
		return `nothing was given to look it up in; a template gets its variables with [[ template "name" . ]]`
	}
	if hint := e.fromTop(l); hint != "" {
		return hint
	}
	beside := l.beside()
	if near := nearest(l.field(), beside, (len(l.field())+1)/3); near != "" {
		return didYouMean(l.sibling(s, near))
	}
	if path := findPath(e.root, l.field(), 4); path != "" {
		return didYouMean(strings.Join(append([]string{path}, l.path[l.at+1:]...), "."))
	}
	if sameMap(l.on, e.root) {
		return fmt.Sprintf("set it with -var %s=VALUE or in a variable file", strings.Join(l.path, "."))
	}
	if len(beside) == 0 {
		return "the map that it is looked up in is empty"
	}
	return "the map that it is looked up in has " + strings.Join(beside[:min(len(beside), 8)], ", ")
}

// notMap says what to do about a field of what is no map.
func (e *execution) notMap(_ *site, l lookedUp) string {
	if hint := e.fromTop(l); hint != "" {
		return hint
	}
	what := "the current element"
	if l.at > 0 {
		what = strings.Join(l.path[:l.at], ".")
	}
	if _, isList := l.in.([]any); isList {
		return what + " is a list: take its elements with range, or one of them with index"
	}
	return what + " is a single value, not a map"
}

// fromTop is the hint for a variable that is there, but not in the current
// dot, which within range and with is something else.
func (e *execution) fromTop(l lookedUp) string {
	if _, known := lookup(e.root, l.path[0]); known && !sameMap(l.on, e.root) {
		return didYouMean("$." + strings.Join(l.path, "."))
	}
	return ""
}

func (l lookedUp) field() string { return l.path[l.at] }

// beside are the names that the map does have.
func (l lookedUp) beside() []string {
	m, _ := l.in.(map[string]any)
	return slices.Sorted(maps.Keys(m))
}

// name is how messages call the variable: from the top, or from the
// template's own variable.
func (l lookedUp) name(s *site) string { return l.sibling(s, l.field()) }

// sibling is how messages call it with another name for the field.
func (l lookedUp) sibling(s *site, field string) string {
	names := slices.Clone(l.path)
	names[l.at] = field
	if v, ok := s.node.(*parse.VariableNode); ok && v.Ident[0] != "$" {
		names = append([]string{v.Ident[0]}, names...)
	}
	return strings.Join(names, ".")
}

func sameMap(a, b any) bool {
	x, y := reflect.ValueOf(a), reflect.ValueOf(b)
	return x.Kind() == reflect.Map && y.Kind() == reflect.Map && x.Pointer() == y.Pointer()
}

// findPath looks for a name in nested maps and returns its dotted path.
func findPath(in map[string]any, name string, depth int) string {
	if depth == 0 {
		return ""
	}
	for _, k := range slices.Sorted(maps.Keys(in)) {
		nested, ok := in[k].(map[string]any)
		if !ok {
			continue
		}
		if _, known := nested[name]; known {
			return k + "." + name
		}
		if path := findPath(nested, name, depth-1); path != "" {
			return k + "." + path
		}
	}
	return ""
}

// nearest returns the candidate that name is probably a misspelling of, at
// most so many mistakes away, or "".
func nearest(name string, candidates []string, most int) string {
	best, least := "", most+1
	for _, candidate := range candidates {
		if strings.EqualFold(letters(candidate), letters(name)) {
			return candidate
		}
		if abs(len(candidate)-len(name)) >= least {
			continue
		}
		if d := distance(name, candidate); d < least {
			best, least = candidate, d
		}
	}
	return best
}

func letters(name string) string { return strings.NewReplacer("_", "", "-", "").Replace(name) }

func abs(i int) int { return max(i, -i) }

// distance counts the mistakes between two names: letters that are missing,
// too many, wrong, or swapped with their neighbour.
func distance(a, b string) int {
	var before, last, row []int // of the three latest letters of a
	for i := range len(a) + 1 {
		before, last, row = last, row, make([]int, len(b)+1)
		for j := range row {
			if i == 0 || j == 0 {
				row[j] = i + j
				continue
			}
			wrong := 1
			if a[i-1] == b[j-1] {
				wrong = 0
			}
			row[j] = min(last[j]+1, row[j-1]+1, last[j-1]+wrong)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				row[j] = min(row[j], before[j-2]+1)
			}
		}
	}
	return row[len(b)]
}

// firstAt reports whether nothing has been said about a place yet.
func (r *run) firstAt(s *site) bool {
	at := place{s.source, s.start}
	first := !r.reported[at]
	r.reported[at] = true
	return first
}

func (r *run) warn(s *site, summary, hint string) {
	r.warnings = append(r.warnings, &hcl.Diagnostic{
		Severity: hcl.DiagWarning, Summary: summary, Detail: hint, Subject: new(s.rng()),
	})
}

func (s *site) rng() hcl.Range { return rangeOf(s.source.name, s.source.text, s.start, s.end) }

// didYouMean are fixed words that scripts look for.
func didYouMean(name string) string { return fmt.Sprintf("did you mean %q?", name) }
