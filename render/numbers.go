package render

import (
	"cmp"
	"errors"
	"fmt"
	"math"
	"reflect"
)

// numeric is a number of any Go type.
type numeric struct {
	kind numericKind
	i    int64
	u    uint64
	f    float64
}

type numericKind int

const (
	signed numericKind = iota
	unsigned
	floating
)

func numberOf(v any) (numeric, bool) {
	switch value := reflect.ValueOf(v); value.Kind() {
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		return numeric{kind: signed, i: value.Int()}, true
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64, reflect.Uintptr:
		return numeric{kind: unsigned, u: value.Uint()}, true
	case reflect.Float32, reflect.Float64:
		return numeric{kind: floating, f: value.Float()}, true
	}
	return numeric{}, false
}

func (n numeric) float64() float64 {
	switch n.kind {
	case signed:
		return float64(n.i)
	case unsigned:
		return float64(n.u)
	}
	return n.f
}

// int64 converts to int64; exact is false if that is not the same number.
func (n numeric) int64() (i int64, exact bool) {
	switch n.kind {
	case signed:
		return n.i, true
	case unsigned:
		return int64(n.u), n.u <= math.MaxInt64
	}
	// -2^63 is a float64 and an int64, 2^63 only a float64.
	if n.f != math.Trunc(n.f) || n.f < math.MinInt64 || n.f >= math.MaxInt64 {
		return 0, false
	}
	return int64(n.f), true
}

// The arithmetic of Levant: the second argument is what the first is added
// to, subtracted from, or divides. Two unsigned numbers give uint64, other
// whole numbers int64, and with a float it is float64.

func add(b, a any) (any, error)      { return calculate("levantAdd", addition, b, a) }
func subtract(b, a any) (any, error) { return calculate("subtract", subtraction, b, a) }
func multiply(b, a any) (any, error) { return calculate("multiply", multiplication, b, a) }
func divide(b, a any) (any, error)   { return calculate("divide", division, b, a) }
func modulo(b, a any) (any, error)   { return calculate("modulo", remainder, b, a) }

type operation struct {
	ints   func(a, b int64) int64
	uints  func(a, b uint64) uint64
	floats func(a, b float64) float64 // nil where there is none
	divide bool                       // b must not be 0 for whole numbers
}

var (
	addition       = operation{sum[int64], sum[uint64], sum[float64], false}
	subtraction    = operation{difference[int64], difference[uint64], difference[float64], false}
	multiplication = operation{product[int64], product[uint64], product[float64], false}
	division       = operation{quotient[int64], quotient[uint64], quotient[float64], true}
	remainder      = operation{rest[int64], rest[uint64], nil, true}
)

type number64 interface{ int64 | uint64 | float64 }

func sum[N number64](a, b N) N          { return a + b }
func difference[N number64](a, b N) N   { return a - b }
func product[N number64](a, b N) N      { return a * b }
func quotient[N number64](a, b N) N     { return a / b }
func rest[N int64 | uint64](a, b N) N   { return a % b }
func (o operation) zero(n numeric) bool { return o.divide && n.kind != floating && n.float64() == 0 }

func calculate(name string, o operation, b, a any) (any, error) {
	x, aIs := numberOf(a)
	y, bIs := numberOf(b)
	switch {
	case !aIs:
		return nil, fmt.Errorf("%s: %v (%T) is not a number", name, a, a)
	case !bIs:
		return nil, fmt.Errorf("%s: %v (%T) is not a number", name, b, b)
	case x.kind == floating || y.kind == floating:
		if o.floats == nil {
			return nil, fmt.Errorf("%s: takes whole numbers only", name)
		}
		return o.floats(x.float64(), y.float64()), nil
	case o.zero(y):
		return nil, fmt.Errorf("%s: division by zero", name)
	case x.kind == unsigned && y.kind == unsigned:
		return o.uints(x.u, y.u), nil
	}
	i, aFits := x.int64()
	j, bFits := y.int64()
	if !aFits || !bFits {
		return nil, fmt.Errorf("%s: a number is beyond the range of int64", name)
	}
	return o.ints(i, j), nil
}

// The comparisons are text/template's, but a whole number can be compared
// with a float: which of them a variable is depends on the file it comes from.

var errIncomparable = errors.New("incompatible types for comparison")

func equal(a any, others ...any) (bool, error) {
	if len(others) == 0 {
		return false, errors.New("missing argument for comparison")
	}
	for _, b := range others {
		same, err := same(a, b)
		if same || err != nil {
			return same, err
		}
	}
	return false, nil
}

func notEqual(a, b any) (bool, error) {
	same, err := same(a, b)
	return !same && err == nil, err
}

func same(a, b any) (bool, error) {
	if order, ok := compare(a, b); ok {
		return order == 0, nil
	}
	x, y := reflect.ValueOf(a), reflect.ValueOf(b)
	switch {
	case !x.IsValid() || !y.IsValid():
		return isNil(x) && isNil(y), nil
	case x.Type() != y.Type() || !x.Comparable() || !y.Comparable():
		return false, fmt.Errorf("%w: %T and %T", errIncomparable, a, b)
	}
	return a == b, nil
}

func isNil(v reflect.Value) bool {
	switch v.Kind() {
	case reflect.Invalid:
		return true
	case reflect.Chan, reflect.Func, reflect.Map, reflect.Pointer, reflect.Slice:
		return v.IsNil()
	}
	return false
}

func less(a, b any) (bool, error) {
	order, err := ordered(a, b)
	return order < 0 && err == nil, err
}

func lessOrEqual(a, b any) (bool, error) {
	order, err := ordered(a, b)
	return order <= 0 && err == nil, err
}

func greater(a, b any) (bool, error) {
	order, err := ordered(a, b)
	return order > 0 && err == nil, err
}

func greaterOrEqual(a, b any) (bool, error) {
	order, err := ordered(a, b)
	return order >= 0 && err == nil, err
}

func ordered(a, b any) (int, error) {
	order, ok := compare(a, b)
	if !ok {
		return 0, fmt.Errorf("%w: %T and %T", errIncomparable, a, b)
	}
	return order, nil
}

// compare orders two numbers or two strings.
func compare(a, b any) (order int, ok bool) {
	x, aIs := numberOf(a)
	y, bIs := numberOf(b)
	if aIs && bIs {
		return compareNumbers(x, y), true
	}
	v, w := reflect.ValueOf(a), reflect.ValueOf(b)
	if v.Kind() == reflect.String && w.Kind() == reflect.String {
		return cmp.Compare(v.String(), w.String()), true
	}
	return 0, false
}

func compareNumbers(a, b numeric) int {
	i, aFits := a.int64()
	j, bFits := b.int64()
	switch {
	case aFits && bFits:
		return cmp.Compare(i, j)
	case a.kind == unsigned && b.kind == unsigned:
		return cmp.Compare(a.u, b.u)
	}
	return cmp.Compare(a.float64(), b.float64())
}
