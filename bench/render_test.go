package bench

import (
	"bytes"
	"cmp"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"testing"
	"time"
)

// BenchmarkRender takes the time of whole processes that render a job of 60
// lines. The two programs take turns, so that whatever else the machine does
// slows down both. levant is the one on PATH.
func BenchmarkRender(b *testing.B) {
	ostro := newProgram(b, buildOstro(b), "render", "-commit", "1a2b3c4", "-var-file", "vars.yaml", "job.nomad")
	path, err := exec.LookPath("levant")
	if err != nil {
		b.Log("levant is not on PATH: there is nothing to compare with")
		for b.Loop() {
			ostro.run(b)
		}
		return
	}
	levant := newProgram(b, path, "render", "-var-file", "vars.yaml", "job.nomad")
	if ours, theirs := ostro.output(b), levant.output(b); !bytes.Equal(bytes.TrimSpace(ours), bytes.TrimSpace(theirs)) {
		b.Fatalf("the programs do not do the same work: ostro renders\n%s\nlevant renders\n%s", ours, theirs)
	}
	for b.Loop() {
		ostro.run(b)
		levant.run(b)
	}
	ours, theirs := ostro.median(), levant.median()
	b.ReportMetric(float64(ours.Microseconds()), "ostro-µs")
	b.ReportMetric(float64(theirs.Microseconds()), "levant-µs")
	b.ReportMetric(float64(ours)/float64(theirs), "ratio-to-levant")
}

// A program is a command line, and how long each of its runs took.
type program struct {
	path string
	args []string
	env  []string
	dir  string // "testdata" when empty
	took []time.Duration
}

// median is less moved than the mean by the few runs that had to wait for the
// machine.
func (p *program) median() time.Duration {
	slices.Sort(p.took)
	return p.took[len(p.took)/2]
}

// newProgram is a program that sees no home and no configuration of the user.
func newProgram(b *testing.B, path string, args ...string) *program {
	return &program{path: path, args: args, env: []string{"HOME=" + b.TempDir(), "PATH=" + os.Getenv("PATH")}}
}

func (p *program) command() *exec.Cmd {
	command := exec.Command(p.path, p.args...)
	command.Dir = cmp.Or(p.dir, "testdata")
	command.Env = p.env
	return command
}

// run notes how long a run took, and gives the most memory that it held.
func (p *program) run(b *testing.B) int64 {
	command := p.command()
	var said bytes.Buffer
	command.Stderr = &said
	start := time.Now()
	if err := command.Run(); err != nil {
		b.Fatalf("%s: %v\n%s", command, err, &said)
	}
	p.took = append(p.took, time.Since(start))
	return peakMemory(command.ProcessState)
}

func (p *program) output(b *testing.B) []byte {
	command := p.command()
	out, err := command.Output()
	if err != nil {
		b.Fatalf("%s: %v", command, err)
	}
	return out
}

// buildOstro makes the binary as a release is made, and copies it as an installation
// does: the linker writes its file through a mapping, and the kernel then maps more of
// such a file at once, which counts as memory.
func buildOstro(b *testing.B) string {
	linked, path := filepath.Join(b.TempDir(), "linked"), filepath.Join(b.TempDir(), "ostro.exe")
	build := exec.Command("go", "build", "-trimpath", "-tags", "urfave_cli_no_docs", "-o", linked, "ostro/cmd/ostro")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		b.Fatalf("build ostro: %v\n%s", err, out)
	}
	program, err := os.ReadFile(linked)
	if err == nil {
		err = os.WriteFile(path, program, 0o755)
	}
	if err != nil {
		b.Fatal(err)
	}
	return path
}
