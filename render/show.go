package render

import (
	"fmt"
	"math"
	"reflect"
	"strconv"
	"strings"
)

// show returns what an action writes for a value. The rest is text/template's.
func (e *execution) show(n int, v any) (any, error) {
	s, err := e.site(n)
	if err != nil {
		return nil, err
	}
	switch v := v.(type) {
	case nil:
		if !e.run.opts.AllowMissing && e.run.firstAt(s) {
			e.run.warn(s, `the value is null and renders as "<no value>"`, "")
		}
		return nil, nil
	case absent:
		return "", nil
	case float64:
		return decimal(v), nil
	case string:
		if err := bounded(len(v)); err != nil {
			return nil, err
		}
		e.wrote(n, s, v)
	}
	return v, nil
}

// wrote notes where in the output a value is about to stand.
func (e *execution) wrote(n int, s *site, text string) {
	start := len(e.out.text)
	e.out.markInclude(text, start)
	if !s.escaped && e.out.include == nil && needsEscape(text) && len(e.out.values) < maxMarks {
		e.out.values = append(e.out.values, value{start: start, end: start + len(text), site: n})
	}
}

// decimal renders a float without an exponent, as people write numbers in job
// files, unless it has very many digits.
func decimal(f float64) string {
	if size := math.Abs(f); f == 0 || size >= 1e-6 && size < 1e21 {
		return strconv.FormatFloat(f, 'f', -1, 64)
	}
	return fmt.Sprint(f)
}

// keep bounds the values that a template stores in its variables, which can
// double with each step.
func (e *execution) keep(v any) (any, error) {
	if _, gone := v.(absent); gone {
		e.run.carried = true
	}
	switch value := reflect.ValueOf(v); value.Kind() {
	case reflect.String:
		return v, bounded(value.Len())
	case reflect.Slice, reflect.Map:
		return v, bounded(16 * value.Len())
	}
	return v, nil
}

// bounded refuses a size above MaxSize.
func bounded(size int) error {
	if size < 0 || size > MaxSize {
		return errTooLarge
	}
	return nil
}

// printf is fmt.Sprintf, but a whole number may also be formatted as a float
// and a float without fraction as a whole number: variable files differ in
// which of them they give.
func printf(format string, args ...any) (string, error) {
	text := fmt.Sprintf(format, args...)
	if strings.Contains(text, "%!") {
		var either []any
		for _, arg := range args {
			either = append(either, eitherNumber(arg))
		}
		text = fmt.Sprintf(format, either...)
	}
	return text, bounded(len(text))
}

func eitherNumber(v any) any {
	if n, ok := numberOf(v); ok {
		return formatted{v, n}
	}
	return v
}

// formatted is a number that formats itself for verbs of its own kind and of
// the other one.
type formatted struct {
	value  any
	number numeric
}

func (f formatted) Format(s fmt.State, verb rune) {
	value := f.value
	switch verb {
	case 'e', 'E', 'f', 'F', 'g', 'G':
		value = f.number.float64()
	case 'd', 'b', 'o', 'O', 'x', 'X', 'c', 'q', 'U':
		if i, exact := f.number.int64(); exact {
			value = i
		}
	}
	fmt.Fprintf(s, fmt.FormatString(s, verb), value)
}
