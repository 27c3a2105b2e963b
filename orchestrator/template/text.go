package template

import (
	"bytes"
	"crypto/hmac"
	"crypto/md5"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"
)

// textFunctions make text of text, and read and write its formats. The text that is worked on comes last, for pipes.
func textFunctions() map[string]any {
	return map[string]any{
		"base64Decode":    decode(base64.StdEncoding),
		"base64Encode":    func(s string) string { return base64.StdEncoding.EncodeToString([]byte(s)) },
		"base64URLDecode": decode(base64.URLEncoding),
		"base64URLEncode": func(s string) string { return base64.URLEncoding.EncodeToString([]byte(s)) },

		"sha256Hex": func(s string) string { sum := sha256.Sum256([]byte(s)); return hex.EncodeToString(sum[:]) },
		"md5sum":    func(s string) string { sum := md5.Sum([]byte(s)); return hex.EncodeToString(sum[:]) },
		"hmacSHA256Hex": func(s, key string) string {
			mac := hmac.New(sha256.New, []byte(key))
			mac.Write([]byte(s))
			return hex.EncodeToString(mac.Sum(nil))
		},

		"indent":          indent,
		"join":            func(sep string, list []string) string { return strings.Join(list, sep) },
		"regexMatch":      regexp.MatchString,
		"regexReplaceAll": regexReplaceAll,
		"replaceAll":      func(old, with, s string) string { return strings.ReplaceAll(s, old, with) },
		"split":           split,
		"splitToMap":      splitToMap,
		"toLower":         strings.ToLower,
		"toTitle":         title,
		"toUpper":         strings.ToUpper,
		"trim":            func(cut, s string) string { return strings.Trim(s, cut) },
		"trimPrefix":      func(prefix, s string) string { return strings.TrimPrefix(s, prefix) },
		"trimSuffix":      func(suffix, s string) string { return strings.TrimSuffix(s, suffix) },
		"trimSpace":       strings.TrimSpace,

		"parseBool":  parse("parseBool", strconv.ParseBool),
		"parseFloat": parse("parseFloat", func(s string) (float64, error) { return strconv.ParseFloat(s, 64) }),
		"parseInt":   parse("parseInt", func(s string) (int64, error) { return strconv.ParseInt(s, 10, 64) }),
		"parseUint":  parse("parseUint", func(s string) (uint64, error) { return strconv.ParseUint(s, 10, 64) }),
		"parseJSON":  parseInto(json.Unmarshal),
		"parseYAML":  parseInto(yaml.Unmarshal),

		"toJSON":                func(v any) (string, error) { return toJSON(v, "", true) },
		"toJSONPretty":          func(v any) (string, error) { return toJSON(v, "  ", true) },
		"toUnescapedJSON":       func(v any) (string, error) { return toJSON(v, "", false) },
		"toUnescapedJSONPretty": func(v any) (string, error) { return toJSON(v, "  ", false) },
		"toYAML":                toYAML,

		"spew_dump":    func(args ...any) string { return fmt.Sprintf("%#v", args) },
		"spew_sdump":   func(args ...any) string { return fmt.Sprintf("%#v", args) },
		"spew_printf":  func(format string, args ...any) string { return fmt.Sprintf(format, args...) },
		"spew_sprintf": func(format string, args ...any) string { return fmt.Sprintf(format, args...) },
	}
}

func decode(encoding *base64.Encoding) func(string) (string, error) {
	return func(s string) (string, error) {
		text, err := encoding.DecodeString(s)
		return string(text), err
	}
}

// title gives each word a capital.
func title(s string) string {
	//lint:ignore SA1019 it is what Nomad does.
	return strings.Title(s)
}

func indent(spaces int, s string) (string, error) {
	if spaces < 0 {
		return "", errors.New("indent value must be a positive integer")
	}
	lines := strings.Split(s, "\n")
	for i, line := range lines {
		if line != "" {
			lines[i] = strings.Repeat(" ", spaces) + line
		}
	}
	return strings.Join(lines, "\n"), nil
}

func regexReplaceAll(pattern, with, s string) (string, error) {
	re, err := regexp.Compile(pattern)
	if err != nil {
		return "", err
	}
	return re.ReplaceAllString(s, with), nil
}

func split(sep, s string) []string {
	if s = strings.TrimSpace(s); s == "" {
		return []string{}
	}
	return strings.Split(s, sep)
}

// splitToMap reads "a=1,b=2": pairSep stands between pairs, valueSep between key and value.
func splitToMap(pairSep, valueSep, s string) map[string]string {
	m := map[string]string{}
	for _, pair := range split(pairSep, s) {
		if key, value, ok := strings.Cut(pair, valueSep); ok {
			m[key] = value
		}
	}
	return m
}

// parse makes a function that takes the empty text for zero.
func parse[T any](name string, f func(string) (T, error)) func(string) (T, error) {
	return func(s string) (T, error) {
		var zero T
		if s == "" {
			return zero, nil
		}
		value, err := f(s)
		if err != nil {
			return zero, fmt.Errorf("%s: %w", name, err)
		}
		return value, nil
	}
}

func parseInto(unmarshal func([]byte, any) error) func(string) (any, error) {
	return func(s string) (any, error) {
		if s == "" {
			return map[string]any{}, nil
		}
		var value any
		err := unmarshal([]byte(s), &value)
		return value, err
	}
}

func toJSON(v any, indent string, escaped bool) (string, error) {
	var out bytes.Buffer
	encoder := json.NewEncoder(&out)
	encoder.SetEscapeHTML(escaped)
	encoder.SetIndent("", indent)
	if err := encoder.Encode(v); err != nil {
		return "", fmt.Errorf("toJSON: %w", err)
	}
	return strings.TrimSpace(out.String()), nil
}

func toYAML(v any) (string, error) {
	out, err := yaml.Marshal(v)
	if err != nil {
		return "", fmt.Errorf("toYAML: %w", err)
	}
	return strings.TrimSpace(string(out)), nil
}
