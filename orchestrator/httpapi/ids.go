package httpapi

import (
	"encoding/hex"
	"fmt"
	"strings"
)

// checkID refuses what cannot be the ID of an evaluation, allocation,
// deployment or node. (Nomad: the texts.)
func checkID(context, id string) error {
	if len(id) != 36 {
		return textError(context + "UUID must be 36 characters")
	}
	return checkPrefix(context, id)
}

// checkPrefix refuses what cannot begin such an ID. (Nomad: the texts.)
func checkPrefix(context, prefix string) error {
	digits := strings.ReplaceAll(prefix, "-", "")
	if len(digits)%2 != 0 {
		return textError(context + "Input (without hyphens) must be even length")
	}
	if _, err := hex.DecodeString(digits); err != nil {
		return textError(context + "Invalid UUID: " + err.Error())
	}
	return nil
}

// hasIDPrefix compares in whole bytes, with or without hyphens.
func hasIDPrefix(id, prefix string) bool {
	if prefix == "" || strings.HasPrefix(id, prefix) {
		return true
	}
	plain := func(s string) string { return strings.ToLower(strings.ReplaceAll(s, "-", "")) }
	return strings.HasPrefix(plain(id), plain(prefix))
}

// textError is an error of the protocol, whose words are fixed.
type textError string

func (e textError) Error() string { return string(e) }

func textErrorf(format string, args ...any) error { return textError(fmt.Sprintf(format, args...)) }
