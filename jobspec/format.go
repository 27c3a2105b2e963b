package jobspec

import (
	"fmt"
	"strings"
	"unicode"

	"github.com/hashicorp/hcl/v2/hclwrite"
)

// Format indents and aligns the text of a job file or template as `nomad fmt` does.
// Whatever stands in [[ ]] is left as it is. JSON is returned unchanged, as is a text
// that formatting would change in more than its blanks.
func Format(text []byte) []byte {
	if isHCLJSON(text) || isAPIJSON(text) {
		return text
	}
	masked, actions := maskActions(string(text))
	formatted := string(hclwrite.Format([]byte(masked)))
	for _, a := range actions {
		formatted = a.restore(formatted)
	}
	if withoutBlanks(formatted) != withoutBlanks(string(text)) {
		return text
	}
	return []byte(formatted)
}

func withoutBlanks(s string) string {
	return strings.NewReplacer(" ", "", "\t", "").Replace(s)
}

// action is a template action, and the word that stands for it while HCL is formatted.
type action struct {
	text, mask              string
	touchesLeft, touchesEnd bool // no blank between it and its neighbour
}

// restore puts the action back. HCL takes its mask for a word and puts blanks around
// it, which go where the action touched its neighbour: 1[[ .zeros ]] is one number.
func (a action) restore(formatted string) string {
	before, after, ok := strings.Cut(formatted, a.mask)
	if !ok {
		return formatted
	}
	if a.touchesLeft {
		before = strings.TrimRight(before, " ")
	}
	if a.touchesEnd {
		after = strings.TrimLeft(after, " ")
	}
	return before + a.text + after
}

// maskActions replaces the template actions of a text by words of the same width, and
// lines that have nothing else by a comment.
func maskActions(text string) (string, []action) {
	var masked strings.Builder
	var actions []action
	for {
		start, end := nextAction(text)
		if start < 0 {
			break
		}
		lineStart := strings.LastIndexByte(text[:start], '\n') + 1
		alone := blank(text[lineStart:start]) && (lineStart > 0 || masked.Len() == 0 || strings.HasSuffix(masked.String(), "\n"))
		if alone {
			end = endOfActions(text, end)
			rest, _, _ := strings.Cut(text[end:], "\n")
			alone = blank(rest)
		}
		a := action{text: text[start:end]}
		mark := "z"
		if alone {
			mark = "#"
		} else {
			a.touchesLeft = (start > 0 && glues(text[start-1])) || (start == 0 && len(actions) > 0)
			a.touchesEnd = end < len(text) && glues(text[end])
		}
		a.mask = fmt.Sprintf("%szq%dq", mark, len(actions))
		a.mask += strings.Repeat("_", max(1, end-start-len(a.mask)))
		masked.WriteString(text[:start] + a.mask)
		actions = append(actions, a)
		text = text[end:]
	}
	masked.WriteString(text)
	return masked.String(), actions
}

// glues reports whether a character is part of the word that an action beside it
// makes, as against an operator.
func glues(c byte) bool {
	return c >= 0x80 || unicode.IsLetter(rune(c)) || unicode.IsDigit(rune(c)) || strings.IndexByte(`_.-"'$[]{}`, c) >= 0
}

func blank(s string) bool { return strings.Trim(s, " \t\r") == "" }

// nextAction finds the first [[ ]] of a text. Strings in it may contain ]].
func nextAction(text string) (start, end int) {
	start = strings.Index(text, "[[")
	if start < 0 {
		return -1, -1
	}
	var quote byte
	for i := start + 2; i < len(text); i++ {
		switch c := text[i]; {
		case quote == '"' && c == '\\':
			i++
		case quote != 0:
			if c == quote {
				quote = 0
			}
		case c == '"' || c == '`':
			quote = c
		case c == ']' && i+1 < len(text) && text[i+1] == ']':
			return start, i + 2
		}
	}
	return -1, -1
}

// endOfActions is where the last of several actions ends that stand side by side.
func endOfActions(text string, end int) int {
	for {
		rest := strings.TrimLeft(text[end:], " \t")
		if !strings.HasPrefix(rest, "[[") {
			return end
		}
		_, more := nextAction(rest)
		if more < 0 {
			return end
		}
		end = len(text) - len(rest) + more
	}
}
