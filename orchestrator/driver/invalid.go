package driver

import (
	"errors"
	"fmt"
	"strings"
)

// An InvalidConfig tells what is wrong with a task's config block on this node.
type InvalidConfig []string

// Error is in Nomad's words and layout.
func (e InvalidConfig) Error() string {
	return fmt.Sprintf("%d errors occurred:\n\t* failed to parse config: \n\t* %s\n\n", len(e)+1, strings.Join(e, "\n\t* "))
}

// unknownKey is about a key that the driver does not have.
func unknownKey(key string) error {
	return InvalidConfig{fmt.Sprintf("Invalid label: No argument or block type is named %q.", key)}
}

// missingKey is about one that is not there.
func missingKey(key string) error {
	return InvalidConfig{fmt.Sprintf("Missing required argument: The argument %q is required, but no definition was found.", key)}
}

// invalidValue is about the value of a key of a driver's config.
func invalidValue(driver, key string, err error) error {
	kind, ok := errors.AsType[wrongKind](err)
	if !ok {
		return fmt.Errorf("%s in the config of %s: %w", key, driver, err)
	}
	return InvalidConfig{fmt.Sprintf("Incorrect attribute value type: Inappropriate value for attribute %q: %v.", key, kind)}
}

// A wrongKind is about a value that is of another kind than is wanted.
type wrongKind struct {
	want string
	have any
}

func (e wrongKind) Error() string {
	have := fmt.Sprintf("%T", e.have)
	switch e.have.(type) {
	case int, int64, float64:
		have = "number"
	case []any, []string:
		have = "tuple"
	case map[string]any, []map[string]any:
		have = "object"
	}
	return fmt.Sprintf("%s required, but have %s", e.want, have)
}
