package template

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strings"
	"text/template"
	"time"
)

// A Template is the text of a template block.
type Template struct {
	Text           string
	Left, Right    string // delimiters; "" stands for {{ and }}
	ErrorOnMissing bool   // a key that a map does not have is an error, not "<no value>"
}

// A World answers what a template asks.
type World struct {
	Env               map[string]string // of the task
	Namespace, Region string            // of the job
	Now               time.Time

	// Read returns a file of the task. One that is not there is fs.ErrNotExist, one out of reach another error.
	Read func(path string) (string, error)

	Nomad  Nomad
	Consul *Consul // nil where no Consul is configured
}

// A Result is what came of a rendering.
type Result struct {
	Text    []byte
	Missing []string // what has to be there first, sorted, as Nomad names it; with any of it Text is of no use
	Files   []string // what was read by path, and may change
	Polled  bool     // something was asked of Consul, and may change
}

// Execute renders t. Errors are final: no change of the world cures them. They hold no value of a variable.
func (t Template) Execute(w World) (Result, error) {
	e := &execution{world: w}
	e.tmpl = template.New("").Delims(t.Left, t.Right).Option("missingkey=zero")
	if t.ErrorOnMissing {
		e.tmpl.Option("missingkey=error")
	}
	e.tmpl.Funcs(e.functions())
	if _, err := e.tmpl.Parse(t.Text); err != nil {
		return Result{}, fmt.Errorf("parse: %w", err)
	}
	out := limited{left: maxOutput}
	if err := e.tmpl.Execute(&out, nil); err != nil {
		return Result{}, fmt.Errorf("execute: %w", e.redact(err))
	}
	slices.Sort(e.missing)
	return Result{Text: append([]byte{}, out.Bytes()...), Missing: slices.Compact(e.missing), Files: e.files, Polled: e.polled}, nil
}

// An execution is one rendering under way.
type execution struct {
	world   World
	tmpl    *template.Template
	depth   int
	missing []string
	files   []string
	polled  bool
	secrets []string
}

func (e *execution) miss(what string) { e.missing = append(e.missing, what) }

// maxOutput is how many bytes a template may render.
const maxOutput = 64 << 20

// maxDepth bounds templates that call themselves.
const maxDepth = 100

func (e *execution) executeTemplate(name string, data ...any) (string, error) {
	if len(data) > 1 {
		return "", fmt.Errorf("executeTemplate: wrong number of arguments, expected 1 or 2, but got %d", len(data)+1)
	}
	if e.depth++; e.depth > maxDepth {
		return "", errors.New("executeTemplate: the templates call one another without end")
	}
	defer func() { e.depth-- }()
	var dot any
	if len(data) == 1 {
		dot = data[0]
	}
	out := limited{left: maxOutput}
	err := e.tmpl.ExecuteTemplate(&out, name, dot)
	return out.String(), err
}

// redact takes the values of variables out of an error.
func (e *execution) redact(err error) error {
	text := err.Error()
	for _, secret := range e.secrets {
		if len(secret) >= 4 { // shorter ones would take parts of words with them, and guard nothing
			text = strings.ReplaceAll(text, secret, "[redacted]")
		}
	}
	if text == err.Error() {
		return err
	}
	return errors.New(text)
}

// limited is a buffer that a template without end cannot fill the memory with.
type limited struct {
	bytes.Buffer
	left int64
}

func (l *limited) Write(p []byte) (int, error) {
	if l.left -= int64(len(p)); l.left < 0 {
		return 0, errors.New("the template renders more than it may")
	}
	return l.Buffer.Write(p)
}
