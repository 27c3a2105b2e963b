package jobspec

import (
	"fmt"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"
)

const (
	maxText     = 8 << 20  // bytes of one job or variable file
	maxNesting  = 250      // brackets, braces and interpolations inside each other
	maxOperands = 2000     // operators and indexes in one expression, which nest as well
	maxProduct  = 64 << 20 // bytes that all expressions of a file may produce together
	costOfNode  = 16       // bytes that any value counts for at least
	costOfRound = 256      // bytes that a round of a for-expression counts for, beyond its text
	costOfBlock = 1024     // bytes that a decoded block counts for
)

// evaluator holds what all expressions of one text share.
type evaluator struct {
	src         []byte // text that source ranges point into
	keepUnknown bool   // references to unknown names evaluate to their own text
	budget      *budget
}

// budget is what the expressions of one parse may still produce, in bytes.
type budget struct {
	left int64
	over bool
}

// spend takes n bytes from the budget, and reports whether it had them.
func (e *evaluator) spend(n int64) bool {
	if n > e.budget.left {
		e.budget.over = true
		e.budget.left = 0
		return false
	}
	e.budget.left -= n
	return true
}

// measured passes on the value of an expression if the budget has room for it.
func (e *evaluator) measured(v cty.Value, diags hcl.Diagnostics, at hcl.Range) (cty.Value, hcl.Diagnostics) {
	if !e.spend(sizeOf(v, e.budget.left)) {
		return cty.DynamicVal, append(diags, tooLarge(at))
	}
	return v, diags
}

func tooLarge(at hcl.Range) *hcl.Diagnostic {
	return &hcl.Diagnostic{
		Severity: hcl.DiagError,
		Summary:  "the expressions of this file produce too much data",
		Detail:   fmt.Sprintf("All of them together may produce %d MiB.", maxProduct>>20),
		Subject:  &at,
	}
}

// sizeOf estimates how many bytes a value takes when written out. It stops soon
// after limit, since values share their parts: a few lines can describe terabytes.
func sizeOf(v cty.Value, limit int64) int64 {
	size := int64(costOfNode)
	if v.IsNull() || !v.IsKnown() || v.IsMarked() {
		return size
	}
	switch ty := v.Type(); {
	case ty == cty.String:
		return size + int64(len(v.AsString()))
	case ty == cty.Number:
		// Written out, a number has as many digits as its exponent says, and finding
		// them takes time that grows with its square.
		exp := int64(v.AsBigFloat().MantExp(nil))
		return size + exp*exp/64
	case v.CanIterateElements():
		if ty.IsTupleType() {
			// The time to make it a list, which most uses need, grows with the square.
			size += square(v.LengthInt()) / 16
		}
		for it := v.ElementIterator(); it.Next() && size <= limit; {
			key, elem := it.Element()
			if key.Type() == cty.String {
				size += int64(len(key.AsString()))
			}
			size += sizeOf(elem, limit-size)
		}
	}
	return size
}

func lengthOf(v cty.Value) int {
	if v.IsNull() || !v.IsKnown() || v.IsMarked() || !v.CanIterateElements() {
		return 1
	}
	return v.LengthInt()
}

// checkShape refuses a text that would make the parsers recurse without bound. It
// looks at tokens only, so it never recurses itself.
func checkShape(filename string, text []byte, start hcl.Pos, lex lexer) hcl.Diagnostics {
	if len(text) > maxText {
		return hcl.Diagnostics{{
			Severity: hcl.DiagError,
			Summary:  fmt.Sprintf("the text is larger than %d MiB", maxText>>20),
			Subject:  &hcl.Range{Filename: filename, Start: start, End: start},
		}}
	}
	tokens, _ := lex(text, filename, start) // the parser reports what is wrong with a token
	levels := []level{{newlineEnds: true}}
	for _, t := range tokens {
		here := &levels[len(levels)-1]
		switch t.Type {
		case hclsyntax.TokenOBrace:
			levels = append(levels, level{newlineEnds: true})
		case hclsyntax.TokenOBrack:
			here.operands++
			levels = append(levels, level{})
		case hclsyntax.TokenOParen, hclsyntax.TokenOQuote, hclsyntax.TokenOHeredoc, hclsyntax.TokenTemplateInterp, hclsyntax.TokenTemplateControl:
			levels = append(levels, level{})
		case hclsyntax.TokenCBrace, hclsyntax.TokenCParen, hclsyntax.TokenCBrack, hclsyntax.TokenCQuote, hclsyntax.TokenCHeredoc, hclsyntax.TokenTemplateSeqEnd:
			if len(levels) > 1 {
				levels = levels[:len(levels)-1]
			}
		case hclsyntax.TokenComma, hclsyntax.TokenEqual:
			here.operands = 0
		case hclsyntax.TokenNewline:
			if here.newlineEnds {
				here.operands = 0
			}
		case hclsyntax.TokenPlus, hclsyntax.TokenMinus, hclsyntax.TokenStar, hclsyntax.TokenSlash, hclsyntax.TokenPercent, hclsyntax.TokenBang,
			hclsyntax.TokenAnd, hclsyntax.TokenOr, hclsyntax.TokenQuestion, hclsyntax.TokenEqualOp, hclsyntax.TokenNotEqual,
			hclsyntax.TokenLessThan, hclsyntax.TokenLessThanEq, hclsyntax.TokenGreaterThan, hclsyntax.TokenGreaterThanEq:
			here.operands++
		}
		if len(levels) > maxNesting || here.operands > maxOperands {
			return hcl.Diagnostics{{
				Severity: hcl.DiagError,
				Summary:  "this is nested too deeply",
				Detail:   fmt.Sprintf("At most %d levels of brackets and %d operators in one expression are read.", maxNesting, maxOperands),
				Subject:  t.Range.Ptr(),
			}}
		}
	}
	return nil
}

// level is what checkShape knows of one pair of brackets.
type level struct {
	operands    int  // operators and indexes of the expression so far
	newlineEnds bool // a newline ends an expression here
}

// lexer is one of hclsyntax's LexConfig, LexExpression and LexTemplate.
type lexer func(src []byte, filename string, start hcl.Pos) (hclsyntax.Tokens, hcl.Diagnostics)
