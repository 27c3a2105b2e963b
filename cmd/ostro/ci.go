package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/hashicorp/hcl/v2"
)

// ciSystem is a CI system that has a way of its own to fold lines away or to
// mark what failed.
type ciSystem int

const (
	noCI ciSystem = iota
	bitbucket
	github
	gitlab
)

func ciSystemOf(getenv func(string) string) ciSystem {
	switch {
	case getenv("GITHUB_ACTIONS") == "true":
		return github
	case getenv("GITLAB_CI") == "true":
		return gitlab
	case getenv("BITBUCKET_BUILD_NUMBER") != "":
		return bitbucket
	}
	return noCI
}

// harmless gives a line in which a task or a server has a part as one that the CI
// system does not take for a command. (GitHub: "::" at the beginning, after blanks,
// and "##[" anywhere.)
func (s ciSystem) harmless(line string) string {
	if s != github {
		return line
	}
	if rest := strings.TrimSpace(line); strings.HasPrefix(rest, "::") {
		line = "| " + rest
	}
	return strings.ReplaceAll(line, "##[", "## [")
}

// section begins lines that the CI system may fold away, and gives what ends
// them; the second end does nothing.
func (t *terminal) section(title string) (end func()) {
	if t.log != nil {
		return func() {}
	}
	name := fmt.Sprintf("ostro_%d", time.Now().UnixNano())
	open := true
	switch t.ci {
	case github:
		fmt.Fprintf(t.err, "::group::%s\n", printable(title))
	case gitlab:
		fmt.Fprintf(t.err, "\x1b[0Ksection_start:%d:%s\r\x1b[0K%s\n", time.Now().Unix(), name, printable(title))
	}
	return func() {
		switch {
		case !open:
		case t.ci == github:
			fmt.Fprintln(t.err, "::endgroup::")
		case t.ci == gitlab:
			fmt.Fprintf(t.err, "\x1b[0Ksection_end:%d:%s\r\x1b[0K\n", time.Now().Unix(), name)
		}
		open = false
	}
}

// annotate marks what failed where the CI system shows it first. at may be nil.
func (t *terminal) annotate(title, text string, at *hcl.Range) {
	if t.ci != github || t.log != nil {
		return
	}
	place := ""
	if at != nil {
		place = fmt.Sprintf("file=%s,line=%d,col=%d,", escapeProperty(printable(at.Filename)), at.Start.Line, max(at.Start.Column, 1))
	}
	// Masked first: a secret that is escaped is another text.
	fmt.Fprintf(t.err, "::error %stitle=%s::%s\n", place, escapeProperty(title), escapeData(printableLines(t.redactor.String(text))))
}

// escapeData and escapeProperty are the escapes of a GitHub workflow command.
func escapeData(s string) string {
	return strings.NewReplacer("%", "%25", "\r", "%0D", "\n", "%0A").Replace(s)
}

func escapeProperty(s string) string {
	return strings.NewReplacer(":", "%3A", ",", "%2C").Replace(escapeData(s))
}

// tellPipeline leaves the outcome where the CI system looks for it: a summary of
// the step on GitHub, test results on Bitbucket, which shows those that fail. It
// also writes the file of -junit.
func (d *deployment) tellPipeline(ctx context.Context, outcome error) {
	var failed error
	if path := d.c.String("junit"); path != "" {
		failed = d.writeJUnit(path, outcome)
	}
	switch d.t.ci {
	case bitbucket:
		failed = errors.Join(failed, d.writeJUnit(d.testResults(os.Getenv("BITBUCKET_CLONE_DIR")), outcome))
	case github:
		if path := os.Getenv("GITHUB_STEP_SUMMARY"); path != "" {
			failed = errors.Join(failed, d.appendSummary(path, endCode(ctx, outcome), outcome))
		}
	}
	if failed != nil {
		d.t.warn("the pipeline is not told: %v", failed)
	}
}

// details is what the last screen says, as a text.
func (r *jobReport) details() string {
	var b strings.Builder
	for _, u := range r.Unplaced {
		fmt.Fprintf(&b, "group %s: %d waiting for a node: %s\n", u.Group, u.Count, strings.Join(u.Reasons, ", "))
	}
	for _, why := range r.Reasons {
		fmt.Fprintf(&b, "allocation %s, group %s, task %s", short(why.Allocation), why.Group, why.Task)
		if why.Count > 1 {
			fmt.Fprintf(&b, " (and %d more like it)", why.Count-1)
		}
		b.WriteString("\n")
		for _, e := range why.Events {
			fmt.Fprintf(&b, "  %s\n", e)
		}
		for line := range strings.Lines(why.Log) {
			fmt.Fprintf(&b, "    %s\n", strings.TrimSuffix(line, "\n"))
		}
	}
	return b.String()
}

// appendSummary adds a table of the jobs to the page of a GitHub step.
func (d *deployment) appendSummary(path string, code int, outcome error) error {
	var b strings.Builder
	fmt.Fprintf(&b, "### %s\n\n", strings.TrimSpace("ostro deploy "+d.c.String("env")))
	b.WriteString("| job | version | commit | outcome | seconds |\n|---|---|---|---|---|\n")
	for _, r := range d.report.jobs {
		version := "-"
		if r.Version != nil {
			version = fmt.Sprint(*r.Version)
		}
		fmt.Fprintf(&b, "| %s | %s | %s | %s | %.1f |\n", r.Job, version, r.Commit, strings.NewReplacer("|", `\|`, "\n", " ").Replace(r.Outcome+": "+r.Summary), r.SubmitSeconds+r.WatchSeconds)
	}
	for _, r := range d.report.jobs {
		if text := r.details(); text != "" {
			fmt.Fprintf(&b, "\n<details><summary>why %s failed</summary>\n\n````\n%s````\n\n</details>\n", r.Job, text)
		}
	}
	if outcome != nil {
		fmt.Fprintf(&b, "\nexit code %d: %s\n", code, outcome)
	}
	file, err := os.OpenFile(path, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return fmt.Errorf("write the summary of the step: %w", err)
	}
	_, err = file.WriteString(d.t.redactor.String(b.String()))
	return errors.Join(err, file.Close())
}
