package render

import (
	"context"
	"fmt"
	"text/template"
)

// Options say how a template is rendered. The zero value is the usual way.
type Options struct {
	// AllowMissing renders missing variables as Levant does, "<no value>",
	// instead of reporting them.
	AllowMissing bool

	// ConsulAddress is where consulKey, consulKeyExists and
	// consulKeyOrDefault look, as HOST:PORT or URL. Empty means
	// CONSUL_HTTP_ADDR, else 127.0.0.1:8500. Nothing is dialled unless the
	// template calls one of them.
	ConsulAddress string

	// Functions are more functions for the template; they win over those of
	// the same name.
	Functions template.FuncMap

	// Getenv answers for the environment; nil means os.Getenv.
	Getenv func(name string) string
}

// File renders the template in a file. Errors are hcl.Diagnostics, unless ctx
// is done.
func File(ctx context.Context, path string, vars Variables, opts Options) (*Document, error) {
	text, err := readBounded(ctx, path)
	if err != nil {
		return nil, fail(wholeFile(path), fmt.Sprintf("the template cannot be read: %s", reason(err)), "")
	}
	return Text(ctx, path, string(text), vars, opts)
}

// Text renders a template from memory. Files that it names are looked for
// beside name. Errors are hcl.Diagnostics, unless ctx is done.
func Text(ctx context.Context, name, text string, vars Variables, opts Options) (*Document, error) {
	r := newRun(ctx, vars, opts)
	src, diags := r.source(name, []byte(text))
	if diags.HasErrors() {
		return nil, diags
	}
	return r.render(src)
}
