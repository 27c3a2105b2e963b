package jobspec

import (
	"fmt"
	"reflect"
	"strings"
	"time"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/nomad/api"
	"github.com/zclconf/go-cty/cty"
	"github.com/zclconf/go-cty/cty/convert"
	"github.com/zclconf/go-cty/cty/gocty"
)

// fields is what the hcl tags of a struct say.
type fields struct {
	schema schema
	attrs  map[string]int // attribute name to field index
	blocks map[string]int // block name to field index
	labels []int          // field indexes of the labels
	names  []string       // names of the labels
}

// fieldsOf reads the hcl tags of a struct type of nomad/api.
func (p *parser) fieldsOf(t reflect.Type) *fields {
	if f, ok := p.fields[t]; ok {
		return f
	}
	f := &fields{
		schema: schema{attrs: map[string]bool{}, blocks: map[string][]string{}},
		attrs:  map[string]int{},
		blocks: map[string]int{},
	}
	p.fields[t] = f
	for i := range t.NumField() {
		field := t.Field(i)
		name, kind, _ := strings.Cut(field.Tag.Get("hcl"), ",")
		switch {
		case kind == "label":
			f.labels, f.names = append(f.labels, i), append(f.names, name)
		case kind == "block":
			f.blocks[name] = i
			f.schema.blocks[name] = p.labelNames(field.Type)
		case name != "" && name != "-":
			f.attrs[name] = i
			f.schema.attrs[name] = kind != "optional" && field.Type.Kind() != reflect.Pointer
		}
	}
	return f
}

// labelNames returns the names of the labels of a block that is decoded into t.
func (p *parser) labelNames(t reflect.Type) []string {
	for t.Kind() == reflect.Slice || t.Kind() == reflect.Pointer || t.Kind() == reflect.Map {
		t = t.Elem()
	}
	if t.Kind() != reflect.Struct {
		return nil
	}
	return p.fieldsOf(t).names
}

// decode fills the struct or map v from a block.
func (p *parser) decode(b block, v reflect.Value) {
	if !p.eval.spend(costOfBlock) {
		p.report(tooLarge(b.defRange))
		return
	}
	switch target := v.Addr().Interface().(type) {
	case *api.Constraint:
		p.decodeConstraint(b, target)
	case *api.Affinity:
		p.decodeAffinity(b, target)
	case *api.TaskGroup:
		p.decodeGroup(b, target)
	case *api.Task:
		p.decodeTask(b, target)
	case *map[string]any:
		*target = p.freeForm(b.body)
	default:
		if v.Kind() == reflect.Map {
			p.decodeMap(b, v)
		} else {
			f := p.fieldsOf(v.Type())
			p.assign(p.read(b.body, f.schema, b.String()), f, v, b.String())
		}
	}
	if v.Kind() == reflect.Struct {
		for i, field := range p.fieldsOf(v.Type()).labels {
			if i < len(b.labels) {
				setLabel(v.Field(field), b.labels[i])
			}
		}
	}
}

func setLabel(field reflect.Value, label string) {
	if field.Kind() == reflect.Pointer {
		field.Set(reflect.ValueOf(&label))
		return
	}
	field.SetString(label)
}

// assign stores the content of a body in the fields of the struct v.
func (p *parser) assign(c content, f *fields, v reflect.Value, where string) {
	for name, i := range f.attrs {
		if attr := c.attrs[name]; attr != nil {
			p.decodeAttribute(attr, c.ctx, v.Field(i).Addr().Interface())
		}
	}
	byKind := map[string][]block{}
	for _, b := range c.blocks {
		byKind[b.kind] = append(byKind[b.kind], b)
	}
	for kind, i := range f.blocks {
		if blocks := byKind[kind]; len(blocks) > 0 {
			p.decodeBlocks(blocks, v.Field(i), where)
		}
	}
}

// decodeBlocks stores the blocks of one kind in a field: a slice, a map keyed by
// label, or a single block.
func (p *parser) decodeBlocks(blocks []block, field reflect.Value, where string) {
	t := field.Type()
	switch {
	case t.Kind() == reflect.Slice:
		list := reflect.MakeSlice(t, len(blocks), len(blocks))
		for i, b := range blocks {
			p.decode(b, pointee(list.Index(i)))
		}
		field.Set(list)
	case t.Kind() == reflect.Map && len(blocks[0].labels) == 1:
		field.Set(reflect.MakeMap(t))
		for _, b := range blocks {
			elem := reflect.New(t.Elem()).Elem()
			p.decode(b, pointee(elem))
			field.SetMapIndex(reflect.ValueOf(b.labels[0]), elem)
		}
	case len(blocks) > 1:
		p.duplicate(blocks[0], blocks[1], where)
	default:
		p.decode(blocks[0], pointee(field))
	}
}

// pointee allocates what v points to, if it is a pointer.
func pointee(v reflect.Value) reflect.Value {
	if v.Kind() != reflect.Pointer {
		return v
	}
	v.Set(reflect.New(v.Type().Elem()))
	return v.Elem()
}

// decodeMap fills a map of strings, or of lists of strings, from a block's attributes.
func (p *parser) decodeMap(b block, v reflect.Value) {
	m := reflect.MakeMap(v.Type())
	if b.body.native != nil {
		for _, nested := range b.body.native.Blocks {
			p.fail(nested.TypeRange, fmt.Sprintf("%s takes no blocks", b), "Its content are attributes of your own naming: "+nested.Type+" = ...")
		}
	}
	for _, attr := range p.attributes(b.body) {
		elem := reflect.New(v.Type().Elem())
		p.decodeExpression(attr, b.body.ctx, elem.Interface())
		m.SetMapIndex(reflect.ValueOf(attr.Name), elem.Elem())
	}
	v.Set(m)
}

// decodeAttribute stores the value of an attribute in what target points to.
func (p *parser) decodeAttribute(attr *hcl.Attribute, ctx *hcl.EvalContext, target any) {
	switch target.(type) {
	case *time.Duration, **time.Duration:
		p.decodeDuration(attr, ctx, target)
	default:
		p.decodeExpression(attr, ctx, target)
	}
}

// decodeExpression converts a value to the type of what target points to.
func (p *parser) decodeExpression(attr *hcl.Attribute, ctx *hcl.EvalContext, target any) {
	v, ok := p.value(attr.Expr, ctx)
	if !ok {
		return
	}
	want, err := gocty.ImpliedType(target)
	if err == nil {
		v, err = convert.Convert(v, want)
	}
	if err == nil {
		err = gocty.FromCtyValue(v, target)
	}
	if err != nil {
		p.wrongType(attr, want, err)
	}
}

// decodeDuration reads a duration. Nomad: a Go duration such as "1h30m", or a number
// of nanoseconds.
func (p *parser) decodeDuration(attr *hcl.Attribute, ctx *hcl.EvalContext, target any) {
	v, ok := p.value(attr.Expr, ctx)
	if !ok {
		return
	}
	const hint = `Write a number with a unit: "30s", "5m" or "1h30m".`
	switch {
	case v.IsNull():
		p.fail(attr.Expr.Range(), fmt.Sprintf("%s is null, it needs a duration", attr.Name), hint)
		return
	case v.Type() == cty.String:
		d, err := time.ParseDuration(v.AsString())
		if err != nil {
			p.fail(attr.Expr.Range(), fmt.Sprintf("%s is no duration: %q", attr.Name, v.AsString()), hint)
			return
		}
		v = cty.NumberIntVal(int64(d))
	case v.Type() != cty.Number:
		p.fail(attr.Expr.Range(), fmt.Sprintf("%s needs a duration, not a %s", attr.Name, v.Type().FriendlyName()), hint)
		return
	}
	if err := gocty.FromCtyValue(v, target); err != nil {
		p.wrongType(attr, cty.Number, err)
	}
}
