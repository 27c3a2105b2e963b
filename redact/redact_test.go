package redact_test

import (
	"bytes"
	"slices"
	"strings"
	"testing"

	"ostro/redact"

	"pgregory.net/rapid"
)

func TestString(t *testing.T) {
	tests := []struct {
		name, in, want string
		secrets        []string
	}{
		{"nothing known", "abc", "abc", nil},
		{"nothing secret", "abc", "abc", []string{"x"}},
		{"one", "password is hunter2!", "password is ********!", []string{"hunter2"}},
		{"twice", "hunter2hunter2", "****************", []string{"hunter2"}},
		{"the longer of two", "hunter22 hunter2x", "******** ********x", []string{"hunter2", "hunter22"}},
		{"the left of two that overlap", "abcdef", "********ef", []string{"abcd", "cdef"}},
		{"lines of a longer one", "+ line one\n+ line two\n", "+ ********\n+ ********\n", []string{"line one\nline two\n"}},
		{"escaped in JSON and HCL", `"a\"b<c$${d}" "a\"b\u003cc${d}" "a\"b<c${d}"`, `"********" "********" "********"`, []string{`a"b<c${d}`}},
		{"escaped in a URL", "?k=a%2Fb%2Bc+d /a%2Fb+c%20d", "?k=******** /********", []string{"a/b+c d"}},
		{"empty", "abc", "abc", []string{""}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := redact.New(tt.secrets...).String(tt.in); got != tt.want {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
}

// Words over three letters collide, overlap and repeat all the time.
var (
	text    = rapid.StringOfN(rapid.SampledFrom([]rune("abc")), 0, 60, -1)
	secrets = rapid.SliceOfN(rapid.StringOfN(rapid.SampledFrom([]rune("abc")), 1, 6, -1), 0, 4)
)

func TestWriterIsTheSameHoweverWritesAreSplit(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		in, known := text.Draw(t, "text"), secrets.Draw(t, "secrets")
		r := redact.New(known...)
		var out bytes.Buffer
		w := r.Writer(&out)
		for rest := in; rest != ""; {
			n := rapid.IntRange(1, len(rest)).Draw(t, "write")
			if got, err := w.Write([]byte(rest[:n])); got != n || err != nil {
				t.Fatalf("Write of %d bytes: %d, %v", n, got, err)
			}
			rest = rest[n:]
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		if want := r.String(in); out.String() != want {
			t.Fatalf("written %q, at once %q", out.String(), want)
		}
		for _, s := range known {
			if strings.Contains(out.String(), s) {
				t.Fatalf("secret %q stands in %q", s, out.String())
			}
		}
		if !slices.ContainsFunc(known, func(s string) bool { return strings.Contains(in, s) }) && out.String() != in {
			t.Fatalf("nothing is secret in %q, but it became %q", in, out.String())
		}
	})
}

func TestWriterPassesCompleteLinesOnAtOnce(t *testing.T) {
	var out bytes.Buffer
	w := redact.New("hunter2", "so\nlong secret").Writer(&out)
	for _, step := range []struct{ write, want string }{
		{"a line\n", "a line\n"},
		{"ends as a secret begins: hunt", "ends as a secret begins: "},
		{"ing\n", "hunting\n"},
		{"hunter2", "********"},
		{" and so", " and "},
		{"\n", ""}, // may go on with the secret's second line
		{"much\n", "so\nmuch\n"},
	} {
		out.Reset()
		if _, err := w.Write([]byte(step.write)); err != nil {
			t.Fatal(err)
		}
		if out.String() != step.want {
			t.Errorf("after %q: got %q, want %q", step.write, out.String(), step.want)
		}
	}
}

func TestAddReachesWritersInUse(t *testing.T) {
	r := redact.New()
	var out bytes.Buffer
	w := r.Writer(&out)
	w.Write([]byte("token-1 "))
	r.Add("token-1")
	w.Write([]byte("token-1"))
	w.Flush()
	if want := "token-1 ********"; out.String() != want {
		t.Errorf("got %q, want %q", out.String(), want)
	}
}

func TestNilRedactorKnowsNothing(t *testing.T) {
	var r *redact.Redactor
	if got := r.String("abc"); got != "abc" {
		t.Errorf("got %q", got)
	}
}

func TestManyMatchesStayLinear(t *testing.T) {
	in := strings.Repeat("ab ", 300_000)
	got := redact.New("ab", "never there").String(in)
	if strings.Contains(got, "ab") {
		t.Error("a secret is left")
	}
}

func TestSecretName(t *testing.T) {
	secret := []string{
		"password", "db_password", "dbPassword", "DB_PASSWORD", "dbpassword", "passwd", "secret", "client_secret",
		"token", "NOMAD_TOKEN", "aws_access_key_id", "AWS_SECRET_ACCESS_KEY", "aws_session_token", "api_key", "apiKey",
		"ssh_key", "encryption-keys", "credentials", "service/db/password", "basic_auth", "secret_key_base", "secret_id", "token_id",
	}
	open := []string{
		"", "key", "keys", "public_key", "pubKey", "s3_key", "cache_key", "primary_key", "keyboard", "monkey", "name",
		"token_ttl", "secret_name", "password_file", "compass", "bypass", "author", "tokenizer", "image", "commit", "max_tokens",
	}
	for _, name := range secret {
		if !redact.SecretName(name) {
			t.Errorf("%q is a secret's name", name)
		}
	}
	for _, name := range open {
		if redact.SecretName(name) {
			t.Errorf("%q is no secret's name", name)
		}
	}
}

func TestSecrets(t *testing.T) {
	vars := map[string]any{
		"name":     "web",
		"password": "hunter2",
		"pin":      "1234",
		"db": map[string]any{
			"user":    "admin",
			"token":   42424242,
			"api_key": "abc",
		},
		"credentials": map[string]any{"list": []any{"first", map[string]any{"x": "second"}}, "on": true},
		"secret":      `quo"ted`,
		"my_token":    "",
	}
	tests := []struct {
		name  string
		named []string
		want  []string
	}{
		{"by their names", nil, []string{"42424242", "first", "hunter2", `quo"ted`, "second"}},
		{"by path, by last part, and trivial ones", []string{"db.user", "api_key", "pin"},
			[]string{"1234", "42424242", "abc", "admin", "first", "hunter2", `quo"ted`, "second"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := redact.Secrets(vars, tt.named); !slices.Equal(got, tt.want) {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
}
