package render

import (
	"cmp"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"text/template"

	"github.com/hashicorp/hcl/v2"
)

// A fault is an error with its place, on its way out of an execution.
type fault struct {
	diagnostic *hcl.Diagnostic
	at         place // the action that failed
	err        error
}

func (f *fault) Error() string { return f.diagnostic.Error() }
func (f *fault) Unwrap() error { return f.err }

// fault gives an error of text/template its place. An error that comes out of
// an included file has one already.
func (e *execution) fault(err error) error {
	if f, ok := errors.AsType[*fault](err); ok {
		return f
	}
	if isFinal(err) && !errors.Is(err, errTooLarge) {
		return err
	}
	at := e.here()
	text, offset := e.message(err)
	if offset < 0 {
		offset = at.start
	}
	d := fail(pointAt(e.source.name, e.source.text, offset), text, e.hint(text))[0]
	return &fault{diagnostic: d, at: at, err: err}
}

// message takes an error of text/template apart:
//
//	template: NAME:LINE:COLUMN: executing "NAME" at <EXPRESSION>: MESSAGE
//
// The expression is left out, because it is ours since the rewriting, and
// because the place says the same. offset is -1 if there is no place.
func (e *execution) message(err error) (text string, offset int) {
	text, offset = err.Error(), -1
	if errors.Is(err, errTooLarge) {
		return errTooLarge.Error(), offset
	}
	if _, ok := errors.AsType[template.ExecError](err); !ok {
		return text, offset
	}
	if rest, ok := strings.CutPrefix(text, "template: "+mainTree+":"); ok {
		line, rest, _ := strings.Cut(rest, ":")
		column, _, _ := strings.Cut(rest, ":")
		l, lineErr := strconv.Atoi(line)
		c, columnErr := strconv.Atoi(column)
		if lineErr == nil && columnErr == nil {
			// Their columns are bytes from 0.
			offset = min(offsetAt(e.source.text, l, 1)+c, len(e.source.text))
		}
	}
	if _, rest, ok := strings.Cut(text, " at <"); ok {
		if _, said, ok := strings.Cut(rest, ">: "); ok {
			text = said
		}
	}
	return readable(text), offset
}

// readable puts "error calling f: reason" as "f: reason", without our own names.
func readable(text string) string {
	if rest, ok := strings.CutPrefix(text, "error calling "); ok {
		name, reason, _ := strings.Cut(rest, ": ")
		text = reason
		if !strings.HasPrefix(name, ownPrefix) && !strings.HasPrefix(reason, name+":") {
			text = name + ": " + reason
		}
	}
	return strings.NewReplacer(fnIndex, "index", fnShow, "the value", "render.absent", "a missing variable").Replace(text)
}

// hint says what to do about some errors of functions.
func (e *execution) hint(text string) string {
	switch {
	case strings.HasPrefix(text, "wrong type for value; expected int"), strings.Contains(text, "(string) is not a number"):
		return "convert a string with parseInt, as in [[ .x | parseInt ]]; values given with -var are strings"
	case strings.Contains(text, errIncomparable.Error()):
		return "values given with -var are strings: compare them with \"3\", or convert them, as in [[ eq (.x | parseInt) 3 ]]"
	case strings.HasPrefix(text, "wrong type for value; expected string"):
		return "convert a value with toString, as in [[ .x | toString ]]"
	case strings.Contains(text, "can't evaluate field"):
		return "within range and with the dot is the current element; variables from the top are written [[ $.name ]]"
	case strings.HasPrefix(text, "consulKey"):
		return "set -consul-address or CONSUL_HTTP_ADDR, or use consulKeyOrDefault"
	}
	return ""
}

// syntaxError gives an error of the template parser its place:
//
//	template: NAME:LINE: MESSAGE
func syntaxError(s *source, err error) hcl.Diagnostics {
	text := strings.TrimPrefix(err.Error(), "template: "+mainTree+":")
	number, text, _ := strings.Cut(text, ": ")
	line, lineErr := strconv.Atoi(number)
	if lineErr != nil {
		return fail(wholeFile(s.name), err.Error(), "")
	}
	text = strings.ReplaceAll(text, "{{", leftDelim)
	text = strings.ReplaceAll(text, "}}", rightDelim)
	offset := suspect(s.text, offsetAt(s.text, line, 1), text)
	return fail(pointAt(s.name, s.text, offset), text, syntaxHint(text))
}

// suspect finds what a message quotes in the line that begins at start, or
// the first action there.
func suspect(src []byte, start int, text string) int {
	line, _, _ := strings.Cut(string(src[start:]), "\n")
	action := max(0, strings.Index(line, leftDelim))
	for _, m := range regexp.MustCompile(`"((?:[^"\\]|\\.)+)"|<([^>]+)>|U\+[0-9A-F]+ '(.)'`).FindAllStringSubmatch(text, -1) {
		quoted := cmp.Or(m[1], m[2], m[3])
		if i := strings.Index(line[action:], quoted); i >= 0 {
			return start + action + i
		}
	}
	return start + action
}

func syntaxHint(text string) string {
	switch {
	case strings.Contains(text, "U+002D '-'"):
		return `a name with a dash is looked up with index: [[ index . "my-name" ]]`
	case strings.Contains(text, "unexpected EOF"), strings.Contains(text, "unclosed action"):
		return "close every [[ with ]], and every if, range, with, block and define with [[ end ]]"
	case strings.Contains(text, "undefined variable"):
		return "variables of the template itself are set with [[ $name := VALUE ]]; those from outside are written [[ .name ]]"
	}
	return ""
}

// inOrder sorts diagnostics by their place, file by file.
func inOrder(diags hcl.Diagnostics) hcl.Diagnostics {
	first := map[string]int{}
	for i, d := range diags {
		if d.Subject == nil {
			return diags
		}
		if _, known := first[d.Subject.Filename]; !known {
			first[d.Subject.Filename] = i
		}
	}
	slices.SortStableFunc(diags, func(a, b *hcl.Diagnostic) int {
		return cmp.Or(cmp.Compare(first[a.Subject.Filename], first[b.Subject.Filename]),
			cmp.Compare(a.Subject.Start.Byte, b.Subject.Start.Byte))
	})
	return diags
}

// undefined is the error of a function that does not exist.
func undefined(where hcl.Range, name, hint string) *hcl.Diagnostic {
	return fail(where, fmt.Sprintf("function %q is not defined", name), hint)[0]
}
