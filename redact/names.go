package redact

import (
	"fmt"
	"reflect"
	"slices"
	"strings"
	"unicode"
)

// MinLength is the length in bytes from which a value is masked merely
// because its variable has a secret's name. Shorter ones ("dev", "1") occur
// everywhere in ordinary text.
const MinLength = 4

// secretWords make a name secret wherever they stand in it as a word.
var secretWords = []string{
	"password", "passwords", "passwd", "pwd", "pass", "passphrase",
	"secret", "secrets", "token", "tokens", "credential", "credentials", "creds",
	"auth", "authorization", "bearer", "apikey", "privatekey", "secretkey", "accesskey",
	"dsn", "jwt", "salt", "otp",
}

// secretEndings make a name secret when its words run together, as in
// dbpassword.
var secretEndings = []string{"password", "passwd", "passphrase", "secret", "token", "apikey"}

// openKeys stand before the word "key" in names of what is no secret.
var openKeys = []string{
	"public", "pub", "primary", "foreign", "sort", "partition", "hash", "cache", "routing",
	"s3", "object", "artifact", "consul", "kv", "meta", "map", "config", "group", "key",
}

// describing end a name that tells something about a secret, not the secret.
var describing = []string{
	"name", "file", "path", "dir", "url", "uri", "endpoint", "host", "port", "role", "policy",
	"ttl", "length", "len", "size", "count", "enabled", "disabled", "type", "version", "mode",
	"method", "prefix", "suffix", "expiry", "expires", "timeout", "arn", "engine", "backend",
}

// counting begin a name of a number, as in max_tokens.
var counting = []string{"max", "min", "num", "total", "count"}

// SecretName reports whether a variable of this name usually holds a secret.
//
// The name is split into words at everything that is neither letter nor
// digit, and where lower case turns to upper case. It is a secret's name if
//   - one of the words is such as password, secret, token, credentials or auth, or
//   - its last word is "key" with a word before it that does not say the
//     opposite (api_key and ssh_key, but not "key" alone, public_key or s3_key), or
//   - it holds aws_access_key_id or access_key,
//
// unless its last word says that it only describes the secret, as in
// token_ttl, secret_name or password_file, or its first that it counts
// something, as in max_tokens.
func SecretName(name string) bool {
	words := split(name)
	if len(words) == 0 {
		return false
	}
	for i := 1; i < len(words); i++ {
		if words[i-1] == "access" && words[i] == "key" {
			return true
		}
	}
	last := words[len(words)-1]
	if len(words) > 1 && (slices.Contains(describing, last) || slices.Contains(counting, words[0])) {
		return false
	}
	if last == "key" || last == "keys" {
		return len(words) > 1 && !slices.Contains(openKeys, words[len(words)-2])
	}
	return slices.ContainsFunc(words, secretWord)
}

func secretWord(word string) bool {
	return slices.Contains(secretWords, word) ||
		slices.ContainsFunc(secretEndings, func(end string) bool { return strings.HasSuffix(word, end) })
}

// split returns the words of a name in lower case: dbPassword, DB_PASSWORD
// and db-password all have the words "db" and "password".
func split(name string) []string {
	var spaced strings.Builder
	lower := false
	for _, r := range name {
		if !unicode.IsLetter(r) && !unicode.IsDigit(r) {
			r = ' '
		}
		if lower && unicode.IsUpper(r) {
			spaced.WriteByte(' ')
		}
		lower = unicode.IsLower(r)
		spaced.WriteRune(unicode.ToLower(r))
	}
	return strings.Fields(spaced.String())
}

// Secrets returns the values to mask among variables: those whose name, or
// the name of something around them, is in named or is a [SecretName], in
// nested maps and lists too. A name in named may be the dotted path of a
// nested variable ("db.user") or its last part.
//
// Numbers and booleans count as their text. Values shorter than [MinLength],
// and the words true, false, null and none, are left out unless named,
// because masking them would make ordinary text unreadable; empty values are
// always left out. The result is sorted and without duplicates.
func Secrets(vars map[string]any, named []string) []string {
	c := collector{named: named}
	c.mapping(reflect.ValueOf(vars), "", public)
	slices.Sort(c.secrets)
	return slices.Compact(c.secrets)
}

// standing says why a value is masked; the later one includes the earlier.
type standing int

const (
	public    standing = iota
	byName             // a secret's name: trivial values stay
	requested          // the user named it: everything is masked
)

type collector struct {
	named   []string
	secrets []string
}

func (c *collector) mapping(m reflect.Value, path string, around standing) {
	for _, k := range m.MapKeys() {
		name := fmt.Sprint(k.Interface())
		full := name
		if path != "" {
			full = path + "." + name
		}
		why := around
		if SecretName(name) {
			why = max(why, byName)
		}
		if slices.Contains(c.named, full) || slices.Contains(c.named, name) {
			why = requested
		}
		c.value(m.MapIndex(k), full, why)
	}
}

func (c *collector) value(v reflect.Value, path string, why standing) {
	for v.Kind() == reflect.Interface || v.Kind() == reflect.Pointer {
		v = v.Elem()
	}
	switch v.Kind() {
	case reflect.Invalid:
	case reflect.Map:
		c.mapping(v, path, why)
	case reflect.Slice, reflect.Array:
		for i := range v.Len() {
			c.value(v.Index(i), path, why)
		}
	default:
		c.scalar(fmt.Sprint(v.Interface()), why)
	}
}

func (c *collector) scalar(text string, why standing) {
	if text == "" || why == public || why == byName && trivial(text) {
		return
	}
	c.secrets = append(c.secrets, text)
}

func trivial(text string) bool {
	switch strings.ToLower(text) {
	case "true", "false", "null", "none":
		return true
	}
	return len(text) < MinLength
}
