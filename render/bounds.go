package render

import (
	"fmt"
	"math"
	"reflect"
	"strings"
	"text/template"
)

// boundedFunctions are those of sprig that can make much out of a small
// template, with a look at the size first, and those that can tie a map into
// itself, which would be printed for ever.
func boundedFunctions(sprig template.FuncMap) template.FuncMap {
	f := template.FuncMap{
		"until": func(count int) ([]int, error) { return until(sprig, 0, count, sign(count)) },
		"untilStep": func(start, stop, step int) ([]int, error) {
			return until(sprig, start, stop, step)
		},
		"seq":       func(bounds ...int) (string, error) { return seq(sprig, bounds) },
		"repeat":    func(count int, s string) (string, error) { return repeat(count, s) },
		"replace":   func(from, to, s string) (string, error) { return replace(s, from, to) },
		"join":      func(by string, list any) (string, error) { return join(sprig, by, list) },
		"randBytes": func(count int) (string, error) { return randBytes(sprig, count) },
		"set": func(m map[string]any, key string, value any) map[string]any {
			m[key] = clone(value)
			return m
		},
	}
	for _, name := range []string{"randAlphaNum", "randAlpha", "randAscii", "randNumeric"} {
		make := sprig[name].(func(int) string)
		f[name] = func(count int) (string, error) {
			if err := fits(count, 1); err != nil {
				return "", err
			}
			return make(count), nil
		}
	}
	for _, name := range []string{"indent", "nindent"} {
		pad := sprig[name].(func(int, string) string)
		f[name] = func(spaces int, s string) (string, error) {
			if err := fits(spaces, 1+strings.Count(s, "\n")); err != nil {
				return "", err
			}
			return pad(spaces, s), nil
		}
	}
	for _, name := range []string{"merge", "mergeOverwrite"} {
		merge := sprig[name].(func(map[string]any, ...map[string]any) any)
		f[name] = func(into map[string]any, from ...map[string]any) any { return merge(into, cloneAll(from)...) }
	}
	for _, name := range []string{"mustMerge", "mustMergeOverwrite"} {
		merge := sprig[name].(func(map[string]any, ...map[string]any) (any, error))
		f[name] = func(into map[string]any, from ...map[string]any) (any, error) {
			return merge(into, cloneAll(from)...)
		}
	}
	return f
}

func cloneAll(maps []map[string]any) []map[string]any {
	copies := make([]map[string]any, len(maps))
	for i, m := range maps {
		copies[i] = cloneMap(m)
	}
	return copies
}

func until(sprig template.FuncMap, start, stop, step int) ([]int, error) {
	if err := steps(start, stop, step); err != nil {
		return nil, err
	}
	return sprig["untilStep"].(func(start, stop, step int) []int)(start, stop, step), nil
}

// seq's bounds are [END], [START END] or [START STEP END].
func seq(sprig template.FuncMap, bounds []int) (string, error) {
	start, step := 1, 1
	if len(bounds) > 1 {
		start = bounds[0]
	}
	if len(bounds) == 3 {
		step = bounds[1]
	}
	if len(bounds) > 0 {
		if err := steps(start, bounds[len(bounds)-1], step); err != nil {
			return "", err
		}
	}
	return sprig["seq"].(func(...int) string)(bounds...), nil
}

func repeat(count int, s string) (string, error) {
	if err := fits(count, len(s)); err != nil {
		return "", err
	}
	return strings.Repeat(s, max(0, count)), nil
}

func replace(s, from, to string) (string, error) {
	if err := fits(strings.Count(s, from), len(to)); err != nil {
		return "", err
	}
	return strings.ReplaceAll(s, from, to), nil
}

func join(sprig template.FuncMap, by string, list any) (string, error) {
	if v := reflect.ValueOf(list); v.Kind() == reflect.Slice {
		if err := fits(v.Len(), len(by)); err != nil {
			return "", err
		}
	}
	return sprig["join"].(func(string, any) string)(by, list), nil
}

func randBytes(sprig template.FuncMap, count int) (string, error) {
	if err := fits(count, 1); err != nil {
		return "", err
	}
	return sprig["randBytes"].(func(int) (string, error))(count)
}

func sign(i int) int {
	if i < 0 {
		return -1
	}
	return 1
}

// fits refuses count pieces of a size if they would pass MaxSize together.
func fits(count, size int) error {
	if count > 0 && size > 0 && count > MaxSize/size {
		return errTooLarge
	}
	return nil
}

// maxNumbers is how many numbers a list of them may have.
const maxNumbers = MaxSize / 16

// steps refuses a list of too many numbers from start to stop.
func steps(start, stop, step int) error {
	if step == 0 {
		return nil
	}
	if math.Abs(float64(stop)-float64(start))/math.Abs(float64(step)) > maxNumbers {
		return fmt.Errorf("that is more than %d numbers", maxNumbers)
	}
	return nil
}
