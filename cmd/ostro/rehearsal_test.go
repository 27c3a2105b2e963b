package main

import (
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"ostro/artifact"
)

// TestRehearsal runs the repository's bitbucket-pipelines.yml as Bitbucket does: a
// good commit, one whose program exits at once, the promotion of the good one by
// hand, another one by a role instead of keys, and the way back. Staging and production are agents in network
// namespaces of their own, and only an sshd leads to them.
func TestRehearsal(t *testing.T) {
	if os.Getenv("OSTRO_TEST") != "full" {
		t.Skip("set OSTRO_TEST=full for the rehearsal of the pipeline")
	}
	file := readPipeline(t, "../../bitbucket-pipelines.yml")
	s, origin := newStage(t), newOrigin(t)
	first := origin.commit(t, "a good one")
	firstRun := s.begin(origin, first, file.of(t, "main"))
	firstRun.expect(t, codeOK)
	firstRun.waits(t)
	s.serves(t, "staging", first)
	s.untouched(t, "production")

	mend := origin.spoil(t)
	bad := origin.commit(t, "a bad one")
	badRun := s.begin(origin, bad, file.of(t, "main"))
	badRun.expect(t, codeReverted)
	badRun.says(t, "there is no database", "reverted to version 0")
	if red := badRun.steps[badRun.done]; red.Deployment != "staging" {
		t.Errorf("the step %q is red", red.Name)
	}
	s.serves(t, "staging", first)
	s.untouched(t, "production")

	before := s.objects(t)
	firstRun.promote(t, codeOK)
	firstRun.says(t, "http-echo_"+first+".zip is in the bucket already", `is stable in environment "staging" with commit `+first)
	s.serves(t, "production", first)
	if after := s.objects(t); after != before || strings.Count(after, "\n") != 2 {
		t.Errorf("the artifacts are not those of the two builds: before the promotion\n%safter it\n%s", before, after)
	}

	mend()
	second := origin.commit(t, "another good one")
	secondRun := s.begin(origin, second, file.of(t, "master"))
	secondRun.role = true
	secondRun.expect(t, codeOK)
	s.serves(t, "production", first)
	secondRun.promote(t, codeOK)
	s.serves(t, "production", second)

	back := s.begin(origin, second, stepsOf(t, file.Pipelines.Custom["rollback-production"]))
	for _, name := range file.variables("rollback-production") {
		back.given = append(back.given, name+"="+first)
	}
	back.expect(t, codeOK)
	s.serves(t, "production", first)
	s.serves(t, "staging", second)

	for _, run := range []*pipelineRun{firstRun, badRun, secondRun, back} {
		if strings.Contains(run.output, rehearsalSecret) {
			t.Errorf("a secret is in the log of a step:\n%s", run.output)
		}
		if strings.Contains(run.output, "curl http://localhost") {
			t.Errorf("what answers on the far side is told as an address of the runner:\n%s", run.output)
		}
		if n := strings.Count(run.output, "building http-echo"); run != back && n != 1 {
			t.Errorf("the artifact was built %d times:\n%s", n, run.output)
		}
	}
}

// waits checks that the run has come to the step that takes it to production.
func (r *pipelineRun) waits(t *testing.T) {
	t.Helper()
	if r.done == len(r.steps) || r.steps[r.done].Trigger != "manual" || r.steps[r.done].Deployment != "production" {
		t.Fatalf("the pipeline stops after %d of %d steps", r.done, len(r.steps))
	}
}

// says checks what is in the log of a run.
func (r *pipelineRun) says(t *testing.T, texts ...string) {
	t.Helper()
	for _, text := range texts {
		if !strings.Contains(r.output, text) {
			t.Errorf("the log of %s does not say %q:\n%s", r.commit[:7], text, r.output)
		}
	}
}

// serves checks which commit answers in an environment.
func (s *stage) serves(t *testing.T, environment, commit string) {
	t.Helper()
	said, err := s.in(environment, "http-get", "http://127.0.0.1:9595/").CombinedOutput()
	if err != nil || !strings.Contains(string(said), "commit "+commit[:7]) {
		t.Errorf("%s answers %q, %v, not with commit %s", environment, said, err, commit[:7])
	}
}

// httpGet is the program http-get URL.
func httpGet() {
	reply, err := http.Get(os.Args[1])
	if err == nil {
		_, err = io.Copy(os.Stdout, reply.Body)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(codeError)
	}
}

// untouched checks that nothing was ever registered in an environment.
func (s *stage) untouched(t *testing.T, environment string) {
	t.Helper()
	out, err := s.in(environment, "ostro", "status", "-address", "http://127.0.0.1:4646").CombinedOutput()
	if err != nil || !strings.Contains(string(out), "no jobs") {
		t.Errorf("%s is not untouched: %v\n%s", environment, err, out)
	}
}

// objects lists what the bucket holds, a line each with key and time.
func (s *stage) objects(t *testing.T) string {
	t.Helper()
	bucket, err := artifact.OpenBucket(t.Context(), s.bucket())
	if err != nil {
		t.Fatal(err)
	}
	var list strings.Builder
	for o, err := range bucket.List(t.Context(), "") {
		if err != nil {
			t.Fatal(err)
		}
		list.WriteString(strings.Join([]string{o.Key, o.Modified.String()}, " ") + "\n")
	}
	return list.String()
}

// An origin is a repository that pipelines are about: this one, as it stands here.
type origin struct{ dir string }

func newOrigin(t *testing.T) origin {
	t.Helper()
	root, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	list := exec.Command("git", "-c", "safe.directory=*", "ls-files", "-z", "--cached", "--others", "--exclude-standard")
	list.Dir = root
	names, err := list.Output()
	if err != nil {
		t.Skipf("this is no checkout of git: %v", err)
	}
	o := origin{filepath.Join(t.TempDir(), "origin")}
	for name := range strings.SplitSeq(strings.TrimSuffix(string(names), "\x00"), "\x00") {
		info, err := os.Stat(filepath.Join(root, name))
		if err != nil {
			continue // it is deleted here
		}
		text, err := os.ReadFile(filepath.Join(root, name))
		if err != nil {
			t.Fatal(err)
		}
		path := filepath.Join(o.dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, text, info.Mode().Perm()); err != nil {
			t.Fatal(err)
		}
	}
	o.git(t, "init", "-q", "-b", "main")
	return o
}

// spoil has the example's program end at once; mend brings it back.
func (o origin) spoil(t *testing.T) (mend func()) {
	t.Helper()
	path := filepath.Join(o.dir, "examples", "http-echo", "main.go")
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	put := func(text string) {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	spoilt := strings.Replace(string(text), "func main() {\n", "func main() {\n\tlog.Fatal(\"there is no database\")\n", 1)
	if spoilt == string(text) {
		t.Fatalf("%s has no main", path)
	}
	put(spoilt)
	return func() { put(string(text) + "\n// It is mended.\n") }
}

// commit commits everything, and gives the full hash.
func (o origin) commit(t *testing.T, message string) string {
	t.Helper()
	o.git(t, "add", "-A")
	o.git(t, "-c", "user.name=t", "-c", "user.email=t@example.com", "commit", "-q", "-m", message)
	return strings.TrimSpace(o.git(t, "rev-parse", "HEAD"))
}

func (o origin) git(t *testing.T, args ...string) string {
	t.Helper()
	command := exec.Command("git", args...)
	command.Dir = o.dir
	out, err := command.CombinedOutput()
	if err != nil {
		t.Fatalf("git %s: %v\n%s", strings.Join(args, " "), err, out)
	}
	return string(out)
}
