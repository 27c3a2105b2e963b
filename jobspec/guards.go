package jobspec

import (
	"errors"
	"strings"

	"github.com/zclconf/go-cty/cty"
	"github.com/zclconf/go-cty/cty/function"
)

// costs estimate in bytes what functions produce or compute that can do far more than
// their arguments and their result's text suggest. All others are linear.
func costs() map[string]func([]cty.Value) int64 {
	return map[string]func([]cty.Value) int64{
		"setproduct":    costOfSetProduct,
		"distinct":      func(args []cty.Value) int64 { return square(lengthOf(args[0])) },
		"format":        func(args []cty.Value) int64 { return widths(stringOrEmpty(args[0])) },
		"formatlist":    costOfFormatList,
		"indent":        costOfIndent,
		"join":          costOfJoin,
		"replace":       costOfReplace,
		"regex_replace": costOfReplace,
		"bcrypt":        costOfBcrypt,
	}
}

// guarded makes a function fail before it starts if the budget cannot pay for it.
func (e *evaluator) guarded(fn function.Function, cost func([]cty.Value) int64) function.Function {
	return function.New(&function.Spec{
		Params:   fn.Params(),
		VarParam: fn.VarParam(),
		Type: func(args []cty.Value) (cty.Type, error) {
			if !e.spend(cost(args)) {
				return cty.DynamicPseudoType, errors.New("it would produce too much data")
			}
			return fn.ReturnTypeForValues(args)
		},
		Impl: func(args []cty.Value, _ cty.Type) (cty.Value, error) { return fn.Call(args) },
	})
}

func costOfSetProduct(args []cty.Value) int64 {
	cost := int64(costOfNode * max(1, len(args)))
	for _, arg := range args {
		if cost *= int64(lengthOf(arg)); cost > maxProduct {
			break
		}
	}
	return cost
}

func costOfFormatList(args []cty.Value) int64 {
	longest := 1
	for _, arg := range args {
		if ty := arg.Type(); ty.IsListType() || ty.IsTupleType() || ty.IsSetType() {
			longest = max(longest, lengthOf(arg))
		}
	}
	return bounded(widths(stringOrEmpty(args[0]))+int64(len(stringOrEmpty(args[0])))) * int64(longest)
}

func costOfIndent(args []cty.Value) int64 {
	return bounded(intOrZero(args[0])) * int64(1+strings.Count(stringOrEmpty(args[1]), "\n"))
}

func costOfJoin(args []cty.Value) int64 {
	elements := 0
	for _, list := range args[1:] {
		elements += lengthOf(list)
	}
	return int64(len(stringOrEmpty(args[0]))) * int64(elements)
}

// costOfReplace counts on one replacement for every occurrence, and on every $ of a
// regular expression's replacement to stand for the whole text.
func costOfReplace(args []cty.Value) int64 {
	text, sub, repl := stringOrEmpty(args[0]), stringOrEmpty(args[1]), stringOrEmpty(args[2])
	matches := int64(len(text) + 1)
	if !strings.ContainsAny(sub, `\[]{}()*+?|^$.`) {
		matches = int64(strings.Count(text, sub))
	}
	return bounded(matches)*int64(len(repl)) + int64(strings.Count(repl, "$"))*int64(len(text))
}

// costOfBcrypt: every step of the cost parameter doubles the time.
func costOfBcrypt(args []cty.Value) int64 {
	cost := int64(10)
	if len(args) > 1 {
		cost = intOrZero(args[1])
	}
	return 256 << min(max(cost, 0), 40)
}

// widths sums the widths and precisions that a format asks for.
func widths(format string) int64 {
	var sum int64
	for {
		_, verb, ok := strings.Cut(format, "%")
		if !ok {
			return bounded(sum)
		}
		verb = strings.TrimLeft(verb, " +#0-")
		var number int64
		for verb != "" && (verb[0] >= '0' && verb[0] <= '9' || verb[0] == '.' || verb[0] == '[' || verb[0] == ']') {
			if verb[0] >= '0' && verb[0] <= '9' {
				number = bounded(number*10 + int64(verb[0]-'0'))
			} else {
				sum, number = bounded(sum+number), 0
			}
			verb = verb[1:]
		}
		sum = bounded(sum + number)
		format = verb
	}
}

// bounded keeps an estimate from overflowing when it is multiplied.
func bounded(n int64) int64 { return min(max(n, 0), maxProduct+1) }

func square(n int) int64 { return bounded(int64(n)) * bounded(int64(n)) }

func stringOrEmpty(v cty.Value) string {
	if v.IsNull() || !v.IsKnown() || v.IsMarked() || v.Type() != cty.String {
		return ""
	}
	return v.AsString()
}

func intOrZero(v cty.Value) int64 {
	if v.IsNull() || !v.IsKnown() || v.IsMarked() || v.Type() != cty.Number {
		return 0
	}
	n, _ := v.AsBigFloat().Int64()
	return n
}
