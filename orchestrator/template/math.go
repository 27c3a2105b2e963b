package template

import (
	"errors"
	"fmt"
	"reflect"
)

// A number is an argument of a calculation: whole, or with kind Float64 not.
type number struct {
	kind reflect.Kind
	i    int64
	f    float64
}

func (n number) float() float64 {
	if n.kind == reflect.Float64 {
		return n.f
	}
	return float64(n.i)
}

func toNumber(v any) (number, bool) {
	switch r := reflect.ValueOf(v); {
	case r.CanInt():
		return number{kind: reflect.Int64, i: r.Int()}, true
	case r.CanUint():
		return number{kind: reflect.Int64, i: int64(r.Uint())}, true
	case r.CanFloat():
		return number{kind: reflect.Float64, f: r.Float()}, true
	}
	return number{}, false
}

// mathFunctions calculate with what comes last on the left, for pipes: {{ 5 | subtract 2 }} is 3.
func mathFunctions() map[string]any {
	return map[string]any{
		"add":      calculate("add", func(a, b int64) int64 { return a + b }, func(a, b float64) float64 { return a + b }),
		"subtract": calculate("subtract", func(a, b int64) int64 { return a - b }, func(a, b float64) float64 { return a - b }),
		"multiply": calculate("multiply", func(a, b int64) int64 { return a * b }, func(a, b float64) float64 { return a * b }),
		"divide":   calculate("divide", func(a, b int64) int64 { return a / b }, func(a, b float64) float64 { return a / b }),
		"modulo":   calculate("modulo", func(a, b int64) int64 { return a % b }, nil),
		"minimum":  calculate("minimum", func(a, b int64) int64 { return min(a, b) }, func(a, b float64) float64 { return min(a, b) }),
		"maximum":  calculate("maximum", func(a, b int64) int64 { return max(a, b) }, func(a, b float64) float64 { return max(a, b) }),
	}
}

func calculate(name string, whole func(a, b int64) int64, fraction func(a, b float64) float64) func(b, a any) (any, error) {
	return func(b, a any) (any, error) {
		x, ok := toNumber(a)
		if !ok {
			return nil, fmt.Errorf("%s: unknown type for %q (%T)", name, fmt.Sprint(a), a)
		}
		y, ok := toNumber(b)
		if !ok {
			return nil, fmt.Errorf("%s: unknown type for %q (%T)", name, fmt.Sprint(b), b)
		}
		if x.kind == reflect.Int64 && y.kind == reflect.Int64 {
			if y.i == 0 && (name == "divide" || name == "modulo") {
				return nil, errors.New(name + ": division by zero")
			}
			return whole(x.i, y.i), nil
		}
		if fraction == nil {
			return nil, fmt.Errorf("%s: whole numbers are needed", name)
		}
		return fraction(x.float(), y.float()), nil
	}
}
