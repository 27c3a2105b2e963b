package config

import (
	"cmp"
	"fmt"
	"math"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"
)

// decoder fills structs from blocks by their hcl tags and collects what is wrong.
//
// Tags are `hcl:"NAME,OPTION..."`: path joins relative paths with the file's
// folder, command takes a list of arguments or a shell line, block is a nested
// block, required must be there. kind:"url" and oneof:"a b" narrow a string.
//
// gohcl would do part of it, but it has neither lists of the known names in its
// messages nor a place for values that are unknown until an environment is chosen.
type decoder struct {
	dir   string
	scope *scope
	diags hcl.Diagnostics
	// pending is what could not be evaluated before the commit is known.
	pending hcl.Diagnostics
	// set holds where each setting was given, by its dotted name.
	set map[string]hcl.Range
	// current is the dotted name of the setting that is being evaluated.
	current string
}

// begin notes which setting is evaluated next.
func (d *decoder) begin(name string, a *hclsyntax.Attribute) {
	d.current = name
	d.set[name] = a.Expr.Range()
}

func (f *File) decoder(final bool) *decoder {
	return &decoder{dir: f.Dir, scope: &scope{getenv: f.getenv, commit: f.Commit, final: final}, set: map[string]hcl.Range{}}
}

func (d *decoder) errorf(subject hcl.Range, hint, format string, args ...any) {
	d.diags = append(d.diags, diagnostic(subject, hint, fmt.Sprintf(format, args...)))
}

func diagnostic(subject hcl.Range, hint, summary string) *hcl.Diagnostic {
	return &hcl.Diagnostic{Severity: hcl.DiagError, Summary: summary, Detail: hint, Subject: &subject}
}

// field is one tagged field of a struct.
type field struct {
	name    string
	options []string
	kind    string
	oneof   []string
	value   reflect.Value
}

func (f field) has(option string) bool { return slices.Contains(f.options, option) }

// fields lists the tagged fields of a struct, those of embedded ones included.
func fields(v reflect.Value) []field {
	var out []field
	for i := range v.NumField() {
		sf := v.Type().Field(i)
		tag, tagged := sf.Tag.Lookup("hcl")
		if sf.Anonymous {
			out = append(out, fields(v.Field(i))...)
			continue
		}
		parts := strings.Split(tag, ",")
		if !tagged || parts[0] == "" {
			continue
		}
		out = append(out, field{name: parts[0], options: parts[1:], kind: sf.Tag.Get("kind"), oneof: strings.Fields(sf.Tag.Get("oneof")), value: v.Field(i)})
	}
	return out
}

// decode fills the struct that into points to from body. where names the block
// in messages; blocks of the types in others are somebody else's.
func (d *decoder) decode(body *hclsyntax.Body, into any, where string, others ...string) {
	d.decodeAs(body, reflect.ValueOf(into).Elem(), where, "", others)
}

func (d *decoder) decodeAs(body *hclsyntax.Body, into reflect.Value, where, prefix string, others []string) {
	known := fields(into)
	for _, a := range body.Attributes {
		f, ok := find(known, a.Name)
		switch {
		case slices.Contains(others, a.Name):
			d.errorf(a.NameRange, fmt.Sprintf("write %s \"NAME\" { ... }", a.Name), "%s is a block, not an attribute", a.Name)
		case !ok:
			d.errorf(a.NameRange, suggest(a.Name, names(known, others)), "unknown attribute %q in %s", a.Name, where)
		case f.has("block"):
			d.blockAsAttribute(a, f, prefix)
		default:
			d.begin(prefix+f.name, a)
			d.attribute(a, f)
		}
	}
	d.decodeBlocks(body, known, where, prefix, others)
	for _, f := range known {
		if f.has("required") && body.Attributes[f.name] == nil {
			d.errorf(body.SrcRange, fmt.Sprintf("add: %s = ...", f.name), "%s has no %s", where, f.name)
		}
	}
}

func find(known []field, name string) (field, bool) {
	i := slices.IndexFunc(known, func(f field) bool { return f.name == name })
	if i < 0 {
		return field{}, false
	}
	return known[i], true
}

func (d *decoder) decodeBlocks(body *hclsyntax.Body, known []field, where, prefix string, others []string) {
	seen := map[string]hcl.Range{}
	for _, b := range body.Blocks {
		f, ok := find(known, b.Type)
		switch {
		case slices.Contains(others, b.Type):
			continue
		case !ok:
			d.errorf(b.TypeRange, suggest(b.Type, names(known, others)), "unknown block %q in %s", b.Type, where)
		case !f.has("block"):
			d.errorf(b.TypeRange, fmt.Sprintf("write %s = ...", b.Type), "%s is an attribute, not a block", b.Type)
		case len(b.Labels) > 0:
			d.errorf(b.LabelRanges[0], fmt.Sprintf("write %s { ... }", b.Type), "%s takes no name", b.Type)
		case body.Attributes[b.Type] != nil:
			d.errorf(b.TypeRange, "keep the block alone", "%s is an attribute and a block in %s", b.Type, where)
		case seen[b.Type] != hcl.Range{}:
			d.errorf(b.TypeRange, fmt.Sprintf("the first one is on line %d: put both together", seen[b.Type].Start.Line), "a second %s block in %s", b.Type, where)
		default:
			seen[b.Type] = b.TypeRange
			d.block(b, f, prefix)
		}
	}
}

// block decodes a nested block, the free names of variables among them.
func (d *decoder) block(b *hclsyntax.Block, f field, prefix string) {
	if f.value.Kind() != reflect.Map {
		d.decodeAs(b.Body, f.value, b.Type, prefix+f.name+".", nil)
		return
	}
	for _, nested := range b.Body.Blocks {
		d.errorf(nested.TypeRange, fmt.Sprintf("write %s = { ... }", nested.Type), "what stands in %s is an attribute, not a block", f.name)
	}
	out := map[string]any{}
	for name, a := range b.Body.Attributes {
		d.begin(prefix+f.name+"."+name, a)
		if v, ok := d.value(a.Expr, cty.DynamicPseudoType); ok {
			out[name] = toGo(v)
		}
	}
	f.value.Set(reflect.ValueOf(out))
}

// blockAsAttribute takes the short form ssh = "HOST".
func (d *decoder) blockAsAttribute(a *hclsyntax.Attribute, f field, prefix string) {
	ssh, ok := f.value.Addr().Interface().(*SSH)
	if !ok {
		d.errorf(a.NameRange, fmt.Sprintf("write %s { ... }", a.Name), "%s is a block, not an attribute", a.Name)
		return
	}
	d.begin(prefix+"ssh.host", a)
	if v, ok := d.value(a.Expr, cty.String); ok && !v.IsNull() {
		ssh.Host = v.AsString()
	}
}

// attribute evaluates a and stores it; what is unknown for now stays empty.
func (d *decoder) attribute(a *hclsyntax.Attribute, f field) {
	want := map[reflect.Kind]cty.Type{
		reflect.String: cty.String, reflect.Bool: cty.Bool, reflect.Int: cty.Number, reflect.Slice: cty.List(cty.String),
		reflect.Int64: cty.String, // a duration
	}[f.value.Kind()]
	if f.has("command") {
		want = cty.DynamicPseudoType
	}
	v, ok := d.value(a.Expr, want)
	if !ok || v.IsNull() {
		return
	}
	if f.has("command") {
		if command, ok := d.command(a, v); ok {
			f.value.Set(reflect.ValueOf(command))
		}
		return
	}
	switch f.value.Kind() {
	case reflect.String:
		s := v.AsString()
		if f.has("path") {
			s = d.path(s)
		}
		if d.checkString(a, f, s) {
			f.value.SetString(s)
		}
	case reflect.Bool:
		f.value.SetBool(v.True())
	case reflect.Int:
		n, _ := v.AsBigFloat().Float64()
		if n != math.Trunc(n) || n < 1 || n > math.MaxInt32 {
			d.errorf(a.Expr.Range(), "want a whole number from 1", "%s is %s", a.Name, v.AsBigFloat().Text('f', -1))
			return
		}
		f.value.SetInt(int64(n))
	case reflect.Int64:
		duration, err := time.ParseDuration(v.AsString())
		if err != nil || duration < 0 {
			d.errorf(a.Expr.Range(), `want a number with a unit, such as "90s", "10m" or "1h30m"`, "%s is no duration: %q", a.Name, v.AsString())
			return
		}
		f.value.SetInt(int64(duration))
	case reflect.Slice:
		f.value.Set(reflect.ValueOf(d.list(v, f.has("path"))))
	}
}

// label returns the one label of b, which must be new among labels of its type.
func (d *decoder) label(b *hclsyntax.Block, labels map[string]hcl.Range) (string, bool) {
	if len(b.Labels) != 1 || b.Labels[0] == "" {
		d.errorf(b.TypeRange, fmt.Sprintf("write %s \"NAME\" { ... }", b.Type), "%s needs one name", b.Type)
		return "", false
	}
	key := b.Type + " " + b.Labels[0]
	if first, ok := labels[key]; ok {
		d.errorf(b.LabelRanges[0], fmt.Sprintf("the first one is on line %d", first.Start.Line), "a second %s %q", b.Type, b.Labels[0])
		return "", false
	}
	labels[key] = b.DefRange()
	return b.Labels[0], true
}

func (d *decoder) job(b *hclsyntax.Block, where string) Job {
	j := Job{Name: b.Labels[0], Range: b.DefRange()}
	sub := d.child(d.scope)
	sub.decode(b.Body, &j, where)
	d.add(sub)
	return j
}

func (d *decoder) environment(b *hclsyntax.Block, where string) *Environment {
	e := &Environment{Name: b.Labels[0], Range: b.DefRange()}
	sub := d.child(d.scope)
	sub.decode(b.Body, e, where)
	sub.checkWay(e.Settings)
	d.add(sub)
	return e
}

// child decodes a block whose settings are not those of the whole; add takes
// over what it found.
func (d *decoder) child(s *scope) *decoder {
	return &decoder{dir: d.dir, scope: s, set: map[string]hcl.Range{}}
}

func (d *decoder) add(child *decoder) {
	d.diags = append(d.diags, child.diags...)
	d.pending = append(d.pending, child.pending...)
}

// checkWay refuses two ways to Nomad in one block.
func (d *decoder) checkWay(s Settings) {
	for _, other := range []string{"address", "ssh.host"} {
		if at, ok := d.set[other]; ok && s.Standalone {
			d.errorf(at, "remove one of them", "standalone and %s exclude each other", strings.TrimSuffix(other, ".host"))
		}
	}
}

// sorted puts diagnostics into the order of the file.
func sorted(diags hcl.Diagnostics) hcl.Diagnostics {
	slices.SortStableFunc(diags, func(a, b *hcl.Diagnostic) int {
		if a.Subject == nil || b.Subject == nil {
			return 0
		}
		return cmp.Compare(a.Subject.Start.Byte, b.Subject.Start.Byte)
	})
	return diags
}
