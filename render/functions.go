package render

import (
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"text/template"
	"time"
	"unicode"

	"github.com/davecgh/go-spew/spew"
)

// sprigVersion is the version of sprig in go.mod; a test compares them.
const sprigVersion = "3.3.0"

// builtins are text/template's functions that are not replaced here.
var builtins = []string{
	"and", "call", "html", "index", "js", "len", "not", "or", "print", "println", "slice", "urlquery",
}

// functions returns the functions that the source calls, by name. Of those
// with the same name the caller's win, then ours, then sprig's.
func (e *execution) functions() template.FuncMap {
	used := e.own()
	ours := e.ours(e.run.sprig)
	for name := range e.source.calls {
		for _, from := range []template.FuncMap{e.run.opts.Functions, ours, e.run.sprig} {
			if f, known := from[name]; known {
				used[name] = f
				break
			}
		}
	}
	return used
}

// defined returns the functions that templates may call.
func (r *run) defined() template.FuncMap {
	if r.all == nil {
		r.all = (&execution{run: r}).ours(r.sprig)
		maps.Copy(r.all, r.sprig)
		maps.Copy(r.all, r.opts.Functions)
		for _, name := range builtins {
			r.all[name] = nil
		}
	}
	return r.all
}

// ours returns Levant's functions, those that replace one of text/template or
// of sprig, and our additions. Where sprig has a function of Levant's name, as
// in Levant, sprig's keeps it and Levant's is called levantAdd, levantEnv and
// levantReplace.
func (e *execution) ours(sprig template.FuncMap) template.FuncMap {
	f := template.FuncMap{
		"consulKey":          e.consulKey,
		"consulKeyExists":    e.consulKeyExists,
		"consulKeyOrDefault": e.consulKeyOrDefault,
		"levantEnv":          e.env,
		"fileContents":       e.fileContents,
		"loop":               e.loop,
		"parseBool":          parseBool,
		"parseFloat":         parseFloat,
		"parseInt":           parseInt,
		"parseJSON":          parseJSONText,
		"parseUint":          parseUint,
		"levantReplace":      replace,
		"timeNow":            func() string { return time.Now().Format(time.RFC3339) },
		"timeNowUTC":         func() string { return time.Now().UTC().Format(time.RFC3339) },
		"timeNowTimezone":    timeNowTimezone,
		"toLower":            strings.ToLower,
		"toUpper":            strings.ToUpper,

		"levantAdd": add,
		"subtract":  subtract,
		"multiply":  multiply,
		"divide":    divide,
		"modulo":    modulo,

		"firstRuneToUpper": func(s string) (string, error) { return changeRune("firstRuneToUpper", unicode.ToUpper, s, 0) },
		"firstRuneToLower": func(s string) (string, error) { return changeRune("firstRuneToLower", unicode.ToLower, s, 0) },
		"runeToUpper":      func(s string, i int) (string, error) { return changeRune("runeToUpper", unicode.ToUpper, s, i) },
		"runeToLower":      func(s string, i int) (string, error) { return changeRune("runeToLower", unicode.ToLower, s, i) },

		"spewDump":     spewConfig().Sdump,
		"spewPrintf":   spewConfig().Sprintf,
		"sprigVersion": func(...any) string { return sprigVersion },

		"env":       e.env,
		"expandenv": func(s string) string { return os.Expand(s, e.env) },
		"include":   e.include,
		"hclString": hclString,

		"eq": equal, "ne": notEqual, "lt": less, "le": lessOrEqual, "gt": greater, "ge": greaterOrEqual,
		"printf": printf,
	}
	maps.Copy(f, boundedFunctions(sprig))
	return f
}

func spewConfig() *spew.ConfigState {
	return &spew.ConfigState{Indent: " ", SortKeys: true}
}

func (e *execution) env(name string) string {
	if name == "" {
		return ""
	}
	text := e.run.opts.Getenv(name)
	e.run.inputs[name] = text
	return text
}

// fileContents reads a file that is named relative to the file that calls it,
// or to one that includes that, or else to the working directory.
func (e *execution) fileContents(name string) (string, error) {
	if name == "" {
		return "", nil
	}
	var paths []string
	for up := e; up != nil && !filepath.IsAbs(name); up = up.parent {
		paths = append(paths, filepath.Join(up.source.dir(), name))
	}
	for _, path := range append(paths, name) {
		text, err := readBounded(e.run.ctx, path)
		if err == nil {
			return string(text), nil
		}
		if !errors.Is(err, os.ErrNotExist) {
			return "", fmt.Errorf("%s cannot be read: %s", path, reason(err))
		}
	}
	return "", fmt.Errorf("%s is neither beside the template nor in the working directory", name)
}

// loop counts from 0, or from the first of two bounds, up to but without the
// last one. The channel is closed early when nobody wants the rest.
func (e *execution) loop(bounds ...any) (<-chan int64, error) {
	var ints []int64
	for _, bound := range bounds {
		i, err := whole(bound)
		if err != nil {
			return nil, err
		}
		ints = append(ints, i)
	}
	switch len(ints) {
	case 1:
		ints = []int64{0, ints[0]}
	case 2:
	default:
		return nil, fmt.Errorf("takes one or two numbers, not %d", len(ints))
	}
	counter := make(chan int64, 64)
	go func() {
		defer close(counter)
		for i := ints[0]; i < ints[1]; i++ {
			select {
			case counter <- i:
			case <-e.ended:
				return
			case <-e.run.ctx.Done():
				return
			}
		}
	}()
	return counter, nil
}

// whole converts any integer, a float without fraction, or the text of one.
func whole(v any) (int64, error) {
	if text, ok := v.(string); ok {
		if i, err := strconv.ParseInt(strings.TrimSpace(text), 10, 64); err == nil {
			return i, nil
		}
		return 0, fmt.Errorf("%q is not a whole number", text)
	}
	if n, ok := numberOf(v); ok {
		if i, exact := n.int64(); exact {
			return i, nil
		}
	}
	return 0, fmt.Errorf("%v is not a whole number", v)
}

// The parse functions give nothing for an empty string, as Levant's do.

func parseBool(s string) (bool, error) {
	if s == "" {
		return false, nil
	}
	return strconv.ParseBool(s)
}

func parseFloat(s string) (float64, error) {
	if s == "" {
		return 0, nil
	}
	return strconv.ParseFloat(s, 64)
}

func parseInt(s string) (int64, error) {
	if s == "" {
		return 0, nil
	}
	return strconv.ParseInt(s, 10, 64)
}

func parseUint(s string) (uint64, error) {
	if s == "" {
		return 0, nil
	}
	return strconv.ParseUint(s, 10, 64)
}

func parseJSONText(s string) (any, error) {
	if s == "" {
		return map[string]any{}, nil
	}
	value, _, err := decodeJSON([]byte(s))
	return value, err
}

func timeNowTimezone(zone string) (string, error) {
	if zone == "" {
		return "", nil
	}
	place, err := time.LoadLocation(zone)
	if err != nil {
		return "", err
	}
	return time.Now().In(place).Format(time.RFC3339), nil
}

func changeRune(name string, change func(rune) rune, s string, i int) (string, error) {
	runes := []rune(s)
	if string(runes) != s {
		return "", fmt.Errorf("%s: the string is not valid UTF-8", name)
	}
	if i < 0 || i >= len(runes) {
		return "", fmt.Errorf("%s: there is no character %d in a string of %d", name, i, len(runes))
	}
	runes[i] = change(runes[i])
	return string(runes), nil
}
