package render

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"

	"github.com/hashicorp/hcl/v2"
)

// parseJSON reads a JSON object.
func parseJSON(file string, src []byte) (map[string]any, hcl.Diagnostics) {
	value, offset, err := decodeJSON(src)
	if err != nil {
		return nil, fail(pointAt(file, src, offset), "not valid JSON: "+err.Error(), "")
	}
	switch value := value.(type) {
	case nil:
		return nil, nil
	case map[string]any:
		return value, nil
	}
	return nil, fail(pointAt(file, src, 0), "a variable file holds an object of names and values", `write { "name": value }`)
}

// JSONValue decodes the JSON of -var-json NAME=JSON, for [Variables.Set].
func JSONValue(text string) (any, error) {
	value, offset, err := decodeJSON([]byte(text))
	if err != nil {
		return nil, fmt.Errorf("not valid JSON, at byte %d: %w", offset+1, err)
	}
	return value, nil
}

// decodeJSON decodes one JSON value with the number types of Variables. An
// error comes with its offset in src.
func decodeJSON(src []byte) (value any, offset int, err error) {
	d := json.NewDecoder(bytes.NewReader(src))
	d.UseNumber()
	if err := d.Decode(&value); err != nil {
		return nil, jsonOffset(src, err), jsonReason(err)
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return nil, int(d.InputOffset()), errors.New("something follows the value")
	}
	return numbers(value), 0, nil
}

func jsonOffset(src []byte, err error) int {
	if syntax, ok := errors.AsType[*json.SyntaxError](err); ok {
		return max(0, int(syntax.Offset)-1)
	}
	return len(src)
}

func jsonReason(err error) error {
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return errors.New("it ends too early")
	}
	return err
}

// numbers replaces each json.Number in value.
func numbers(value any) any {
	switch value := value.(type) {
	case map[string]any:
		for k, v := range value {
			value[k] = numbers(v)
		}
	case []any:
		for i, v := range value {
			value[i] = numbers(v)
		}
	case json.Number:
		return number(value.String())
	}
	return value
}

// number converts the text of a JSON number: to int, uint64, float64, or for
// a whole number beyond 64 bits to the string of its digits.
func number(text string) any {
	if i, err := strconv.Atoi(text); err == nil {
		return i
	}
	if u, err := strconv.ParseUint(text, 10, 64); err == nil {
		return u
	}
	if !strings.ContainsAny(text, ".eE") {
		return text
	}
	f, err := strconv.ParseFloat(text, 64)
	if err != nil {
		return text
	}
	return f
}
