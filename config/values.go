package config

import (
	"fmt"
	"net/url"
	"path/filepath"
	"slices"
	"strings"

	"github.com/agext/levenshtein"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"
	"github.com/zclconf/go-cty/cty/convert"
)

func (d *decoder) checkString(a *hclsyntax.Attribute, f field, s string) bool {
	switch {
	case len(f.oneof) > 0 && !slices.Contains(f.oneof, s):
		hint := suggest(s, f.oneof)
		if !strings.HasPrefix(hint, "did") {
			hint = "want one of: " + strings.Join(f.oneof, ", ")
		}
		d.errorf(a.Expr.Range(), hint, "%s cannot be %q", a.Name, s)
	case f.kind == "url" && !isURL(s):
		d.errorf(a.Expr.Range(), "want http://HOST[:PORT] or https://HOST[:PORT]", "%s is no URL: %q", a.Name, s)
	case f.has("required") && s == "":
		d.errorf(a.Expr.Range(), "", "%s is empty", a.Name)
	default:
		return true
	}
	return false
}

func isURL(s string) bool {
	u, err := url.Parse(s)
	return err == nil && (u.Scheme == "http" || u.Scheme == "https") && u.Host != "" || err == nil && u.Scheme == "unix" && u.Path != ""
}

// list turns a known list of strings into Go; nulls are left out.
func (d *decoder) list(v cty.Value, paths bool) []string {
	out := []string{}
	for _, e := range v.AsValueSlice() {
		switch {
		case e.IsNull():
		case paths:
			out = append(out, d.path(e.AsString()))
		default:
			out = append(out, e.AsString())
		}
	}
	return out
}

// command takes a list of arguments, or a line for the shell.
func (d *decoder) command(a *hclsyntax.Attribute, v cty.Value) ([]string, bool) {
	if v.Type() == cty.String {
		return []string{"sh", "-c", v.AsString()}, true
	}
	list, err := convert.Convert(v, cty.List(cty.String))
	if err != nil || list.LengthInt() == 0 || slices.ContainsFunc(list.AsValueSlice(), cty.Value.IsNull) {
		d.errorf(a.Expr.Range(), `write a list such as ["go", "build", "."], or one line for the shell in quotes`, "%s is no command", a.Name)
		return nil, false
	}
	return d.list(list, false), true
}

// path resolves ~ and joins a relative path with the file's folder.
func (d *decoder) path(p string) string {
	if rest, ok := strings.CutPrefix(p, "~"); ok && (rest == "" || rest[0] == '/') {
		if home := d.scope.getenv("HOME"); home != "" {
			return filepath.Join(home, rest)
		}
		return p
	}
	if p == "" || filepath.IsAbs(p) {
		return p
	}
	return filepath.Join(d.dir, p)
}

// names lists what may stand in a block.
func names(known []field, others []string) []string {
	out := slices.Clone(others)
	for _, f := range known {
		out = append(out, f.name)
	}
	slices.Sort(out)
	return out
}

// suggest is the hint for a name that is not known.
func suggest(given string, known []string) string {
	best, least := "", 3
	for _, k := range known {
		if n := levenshtein.Distance(given, k, nil); n < least && n < len(given) {
			best, least = k, n
		}
	}
	if best != "" {
		return fmt.Sprintf("did you mean %q?", best)
	}
	return "known here: " + strings.Join(known, ", ")
}
