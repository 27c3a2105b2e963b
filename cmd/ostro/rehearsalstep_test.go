package main

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// A pipelineRun is one run of a pipeline: steps before done are through.
type pipelineRun struct {
	stage  *stage
	origin origin
	commit string
	steps  []bitbucketStep
	done   int
	output string
	// role has the repository trusted by a role of AWS, in place of keys.
	role bool
	// given are the variables of a pipeline that is started by hand.
	given []string
	// artifacts is where the files of earlier steps are kept.
	artifacts string
}

func (s *stage) begin(o origin, commit string, steps []bitbucketStep) *pipelineRun {
	return &pipelineRun{stage: s, origin: o, commit: commit, steps: steps}
}

// expect runs the steps up to the next one that somebody starts by hand, or to the
// one that fails, and wants this exit code at the end.
func (r *pipelineRun) expect(t *testing.T, want int) {
	t.Helper()
	if r.artifacts == "" {
		r.artifacts = t.TempDir()
	}
	code := codeOK
	for code == codeOK && r.done < len(r.steps) && r.steps[r.done].Trigger != "manual" {
		if code = r.step(t, r.steps[r.done]); code == codeOK {
			r.done++
		}
	}
	if code != want {
		t.Fatalf("the pipeline of %s ends with %d, not %d:\n%s", r.commit[:7], code, want, r.output)
	}
}

// promote starts the step that waits for somebody.
func (r *pipelineRun) promote(t *testing.T, want int) {
	t.Helper()
	r.steps[r.done].Trigger = ""
	r.expect(t, want)
}

// step runs the script of a step in one shell, which ends with the first command
// that fails, in a fresh clone and a fresh home.
func (r *pipelineRun) step(t *testing.T, step bitbucketStep) int {
	t.Helper()
	work := filepath.Join(r.stage.dir, "build") // the same for each, as at Bitbucket
	home := filepath.Join(r.stage.dir, "home")
	for _, dir := range []string{work, home} {
		if err := os.RemoveAll(dir); err != nil {
			t.Fatal(err)
		}
	}
	r.origin.git(t, "clone", "-q", r.origin.dir, work)
	r.origin.git(t, "-C", work, "checkout", "-q", r.commit)
	copyTree(t, r.artifacts, work)
	copyTree(t, filepath.Join(r.stage.dir, "ssh"), filepath.Join(home, ".ssh"))

	script, err := lines(step.Script)
	if err != nil {
		t.Fatal(err)
	}
	command := r.stage.in("runner", "bash", "-e", "-c", strings.Join(script, "\n"))
	command.Dir, command.Env = work, r.environ(step, work, home)
	var output bytes.Buffer
	command.Stdout, command.Stderr = &output, &output
	begun := time.Now()
	err = command.Run()
	t.Logf("%s of %s, %s:\n%s", step.Name, r.commit[:7], clock(time.Since(begun)), &output)
	r.output += output.String()
	if exit, ok := errors.AsType[*exec.ExitError](err); ok {
		return exit.ExitCode()
	}
	if err != nil {
		t.Fatal(err)
	}
	for _, pattern := range step.Artifacts {
		found, err := filepath.Glob(filepath.Join(work, pattern))
		if err != nil || len(found) == 0 || strings.Contains(pattern, "**") {
			t.Fatalf("%s leaves no %s", step.Name, pattern)
		}
		for _, file := range found {
			name, err := filepath.Rel(work, file)
			if err != nil {
				t.Fatal(err)
			}
			copyFile(t, file, filepath.Join(r.artifacts, name))
		}
	}
	return codeOK
}

// environ is what a step knows: Bitbucket's variables, those of the repository, and
// what the image has. (Bitbucket: variables and secrets.)
func (r *pipelineRun) environ(step bitbucketStep, work, home string) []string {
	env := append([]string{
		"CI=true", "BITBUCKET_COMMIT=" + r.commit, "BITBUCKET_BRANCH=main", "BITBUCKET_BUILD_NUMBER=7", "BITBUCKET_CLONE_DIR=" + work,
		"BITBUCKET_REPO_FULL_NAME=team/shop", "BITBUCKET_REPO_SLUG=shop", "BITBUCKET_WORKSPACE=team",
		"HOME=" + home, "PATH=" + os.Getenv("PATH"), "GOCACHE=" + goEnv("GOCACHE"), "GOMODCACHE=" + goEnv("GOMODCACHE"),
		"GOPROXY=off", "GOTOOLCHAIN=local", "GOFLAGS=-mod=mod -ldflags=-w", "GOMAXPROCS=2",
	}, append(r.stage.variables(r.role), r.given...)...)
	if step.OIDC {
		env = append(env, "BITBUCKET_STEP_OIDC_TOKEN="+rehearsalToken)
	}
	if step.Deployment != "" {
		env = append(env, "BITBUCKET_DEPLOYMENT_ENVIRONMENT="+step.Deployment)
	}
	return env
}

func copyTree(t *testing.T, from, to string) {
	t.Helper()
	err := filepath.WalkDir(from, func(file string, entry os.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		name, err := filepath.Rel(from, file)
		if err == nil {
			copyFile(t, file, filepath.Join(to, name))
		}
		return err
	})
	if err != nil {
		t.Fatal(fmt.Errorf("copy %s: %w", from, err))
	}
}

// copyFile keeps the mode.
func copyFile(t *testing.T, from, to string) {
	t.Helper()
	info, err := os.Stat(from)
	if err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(from)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.MkdirAll(filepath.Dir(to), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(to, text, info.Mode().Perm()); err != nil {
		t.Fatal(err)
	}
}
