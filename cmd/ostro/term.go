package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"strings"
	"time"

	"github.com/hashicorp/hcl/v2"
	"golang.org/x/term"

	"ostro/redact"
	"ostro/tunnel"
)

// terminal is the whole user-facing voice. Its rules:
//
//   - results go to stdout, everything else to stderr;
//   - lines on stderr begin with "ostro: ", lower case, without a full stop;
//   - "error:", "hint:" and "warning:" mark what they say;
//   - mistakes in files read FILE:LINE:COLUMN: summary, then the source line;
//   - no secret and no control character reaches the screen.
type terminal struct {
	in       io.Reader
	out, err *redact.Writer
	// raw is stdout without masking, for a rendered job.
	raw      io.Writer
	redactor *redact.Redactor
	// tty says that stderr is a terminal.
	tty bool
	// live is the table at the end of that terminal, nil where there is none.
	live *live
	// pulse knows when something was written last.
	pulse *pulse
	// subject is the job that this voice speaks of where there are several, or "".
	subject string
	// ci is the CI system that reads the lines.
	ci ciSystem
	// log, when set, takes the lines instead of stderr (-log-format json).
	log   *slog.Logger
	level slog.Level
}

func newTerm(stdin io.Reader, stdout, stderr io.Writer) *terminal {
	r := redact.New()
	t := &terminal{in: stdin, raw: stdout, redactor: r, out: r.Writer(stdout)}
	t.pulse = &pulse{out: stderr, last: time.Now()}
	t.err = r.Writer(t.pulse)
	if t.tty = isTerminal(stderr); t.tty && os.Getenv("TERM") != "dumb" {
		t.live = newLive(stderr.(*os.File), r.String)
		t.err = r.Writer(t.live)
	}
	return t
}

func isTerminal(stream any) bool {
	file, ok := stream.(*os.File)
	return ok && term.IsTerminal(int(file.Fd()))
}

func (t *terminal) flush() {
	t.out.Flush()
	t.err.Flush()
}

// mask keeps values off the screen from now on.
func (t *terminal) mask(secrets ...string) { t.redactor.Add(secrets...) }

// configure takes Levant's -log-level and -log-format.
func (t *terminal) configure(level, format string) error {
	if err := t.level.UnmarshalText([]byte(levantLevel(level))); err != nil {
		return usageError{fmt.Errorf("-log-level %q is not one of debug, info, warn, error, fatal", level)}
	}
	t.ci = ciSystemOf(os.Getenv)
	switch strings.ToLower(format) {
	case "json":
		t.log = slog.New(slog.NewJSONHandler(jsonWriter{t.err}, &slog.HandlerOptions{Level: t.level}))
	case "human", "":
	default:
		return usageError{fmt.Errorf("-log-format %q is not one of human, json", format)}
	}
	return nil
}

// about is the voice that speaks of one job among several.
func (t *terminal) about(subject string) *terminal {
	of := *t
	of.subject = subject + ": "
	return &of
}

// atOnce writes what do writes in one piece, so that no other job's lines come
// between.
func (t *terminal) atOnce(do func(*terminal)) {
	var text bytes.Buffer
	apart := *t
	apart.err = t.redactor.Writer(&text)
	do(&apart)
	apart.err.Flush()
	t.err.Write(text.Bytes())
}

// levantLevel gives Levant's names for levels their meaning here, where an error
// is always told.
func levantLevel(name string) string {
	switch strings.ToUpper(name) {
	case "FATAL":
		return "ERROR"
	case "WARNING":
		return "WARN"
	}
	return name
}

// result prints what the command was asked for.
func (t *terminal) result(format string, args ...any) {
	fmt.Fprintln(t.out, printableLines(fmt.Sprintf(format, args...)))
}

// info tells what goes on.
func (t *terminal) info(format string, args ...any) {
	t.line(slog.LevelInfo, "", fmt.Sprintf(format, args...))
}

// debug tells what only somebody who looks for a fault wants to know.
func (t *terminal) debug(format string, args ...any) {
	t.line(slog.LevelDebug, "debug: ", fmt.Sprintf(format, args...))
}

func (t *terminal) warn(format string, args ...any) {
	t.line(slog.LevelWarn, "warning: ", fmt.Sprintf(format, args...))
}

func (t *terminal) hint(format string, args ...any) {
	t.line(slog.LevelError, "hint: ", fmt.Sprintf(format, args...))
}

// line prints one line, whatever its text holds.
func (t *terminal) line(level slog.Level, mark, text string) {
	if t.log != nil {
		t.log.Log(context.Background(), level, t.subject+mark+text)
		return
	}
	if level < t.level {
		return
	}
	fmt.Fprintf(t.err, "ostro: %s\n", t.ci.harmless(printable(t.subject+mark+text)))
}

// block prints lines that belong to the line before.
func (t *terminal) block(text string) {
	if t.log != nil {
		t.log.Error(text)
		return
	}
	for line := range strings.Lines(text) {
		fmt.Fprintf(t.err, "    %s\n", t.ci.harmless(printable(strings.TrimSuffix(line, "\n"))))
	}
}

// failure tells why the command failed and what to do next.
func (t *terminal) failure(err error) {
	if _, ok := errors.AsType[verdictError](err); ok {
		return
	}
	if _, ok := errors.AsType[told](err); ok {
		return
	}
	if _, ok := errors.AsType[commandError](err); ok {
		return
	}
	if diags, ok := errors.AsType[hcl.Diagnostics](err); ok {
		t.diagnostics(diags, nil)
		return
	}
	t.line(slog.LevelError, "error: ", err.Error())
	t.annotate("ostro", err.Error(), nil)
	if refused, ok := errors.AsType[*tunnel.Error](err); ok && refused.Hint != "" {
		t.hint("%s", refused.Hint)
	}
	if hinted, ok := errors.AsType[hintError](err); ok {
		t.hint("%s", hinted.hint)
	}
}

// interrupted tells that the command was ended from outside.
func (t *terminal) interrupted(err error) {
	_, judged := errors.AsType[verdictError](err)
	_, said := errors.AsType[told](err)
	if !judged && !said {
		t.line(slog.LevelError, "error: ", "interrupted")
	}
}

// told is an error that has been printed already.
type told struct{ error }

func (e told) Unwrap() error { return e.error }

// Where what failed is logged, and what is likely a mistake.
const (
	errorLevel = slog.LevelError
	warnLevel  = slog.LevelWarn
)

// hintError is an error with its next step.
type hintError struct {
	error
	hint string
}

func (e hintError) Unwrap() error { return e.error }

func withHint(err error, format string, args ...any) error {
	return hintError{err, fmt.Sprintf(format, args...)}
}

// diagnostics prints mistakes in files. sources holds texts by file name; what
// is not in it is read from disk.
func (t *terminal) diagnostics(diags hcl.Diagnostics, sources map[string][]byte) {
	for _, d := range diags {
		mark := "error: "
		if d.Severity == hcl.DiagWarning {
			mark = "warning: "
		}
		t.diagnostic(d, mark, sources)
	}
}

func (t *terminal) diagnostic(d *hcl.Diagnostic, mark string, sources map[string][]byte) {
	level := slog.LevelError
	if d.Severity == hcl.DiagWarning {
		level = slog.LevelWarn
	}
	if t.log != nil {
		place := ""
		if d.Subject != nil {
			place = position(d.Subject)
		}
		t.log.Log(context.Background(), level, place+d.Summary, "hint", d.Detail)
		return
	}
	if d.Subject == nil {
		t.line(level, mark, d.Summary)
	} else {
		// The place comes first, so that editors and people find it.
		fmt.Fprintf(t.err, "%s%s%s\n", printable(position(d.Subject)), strings.TrimPrefix(mark, "error: "), printable(d.Summary))
		if line := t.excerpt(d.Subject, sources); line != "" {
			fmt.Fprintf(t.err, "    %s\n", printable(line))
		}
	}
	if d.Detail != "" {
		t.line(level, "hint: ", d.Detail)
	}
	if d.Severity == hcl.DiagError {
		t.annotate("ostro", d.Summary, d.Subject)
	}
}

func position(r *hcl.Range) string {
	return fmt.Sprintf("%s:%d:%d: ", r.Filename, r.Start.Line, max(r.Start.Column, 1))
}
