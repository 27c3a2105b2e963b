package runner

import (
	"errors"
	"fmt"
	"strings"
)

// parseEnv reads a file of environment variables as Nomad does: KEY=VALUE lines, optionally after "export", with
// comments, and values in single quotes as they stand or in double quotes with escapes.
func parseEnv(text string) (map[string]string, error) {
	vars := map[string]string{}
	for i, line := range strings.Split(text, "\n") {
		line = strings.TrimSpace(line)
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		key, value, ok := strings.Cut(line, "=")
		key = strings.TrimSpace(strings.TrimPrefix(key, "export "))
		if !ok {
			return nil, fmt.Errorf("error on line %d: missing =", i+1)
		}
		if key == "" || strings.ContainsAny(key, " \t\"'") {
			return nil, fmt.Errorf("error on line %d: key %q is not a variable's name", i+1, key)
		}
		value, err := envValue(strings.TrimSpace(value))
		if err != nil {
			return nil, fmt.Errorf("error on line %d: %w", i+1, err)
		}
		vars[key] = value
	}
	return vars, nil
}

// envValue reads a value with its quotes, escapes and comment. Parts with and without quotes may follow one another.
func envValue(text string) (string, error) {
	var out strings.Builder
	quote := byte(0)
	for i := 0; i < len(text); i++ {
		c := text[i]
		switch {
		case quote == 0 && (c == '"' || c == '\''):
			quote = c
		case quote != 0 && c == quote:
			quote = 0
		case c == '\\' && quote != '\'':
			if i++; i == len(text) {
				return "", errors.New("it ends in a backslash")
			}
			out.WriteString(unescape(text[i]))
		case c == '#' && quote == 0 && (i == 0 || text[i-1] == ' ' || text[i-1] == '\t'):
			return strings.TrimRight(out.String(), " \t"), nil
		default:
			out.WriteByte(c)
		}
	}
	if quote != 0 {
		return "", errors.New("unmatched quote")
	}
	return out.String(), nil
}

func unescape(c byte) string {
	switch c {
	case 'n':
		return "\n"
	case 'r':
		return "\r"
	case 't':
		return "\t"
	}
	return string(c)
}
