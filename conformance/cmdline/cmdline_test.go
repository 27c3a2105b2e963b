package cmdline

import (
	"encoding/json"
	"flag"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/aymanbagabas/go-udiff"
	"github.com/hashicorp/nomad/api"
	"github.com/rogpeppe/go-internal/testscript"

	"ostro/nomadtest"
	"ostro/orchestrator"
	"ostro/orchestrator/orchestratortest"
)

func TestMain(m *testing.M) { os.Exit(orchestratortest.Main(m)) }

// An engine is an agent that scripts talk to.
type engine struct {
	name  string
	start func(t *testing.T) *api.Client
}

var engines = []engine{
	{"ours", func(t *testing.T) *api.Client {
		return orchestratortest.Start(t, orchestrator.Config{Version: "2.0.6"}).Client
	}},
	{"nomad", func(t *testing.T) *api.Client { return nomadtest.StartDev(t).Client }},
}

// TestCommandLines runs each script of testdata on both engines, with an agent of
// its own. What the commands print, without what differs from run to run, has to
// be the same.
func TestCommandLines(t *testing.T) {
	if _, err := exec.LookPath("nomad"); err != nil {
		t.Skip("no nomad on PATH: its command lines are not run")
	}
	if os.Getenv("OSTRO_TEST") != "full" {
		t.Skip("OSTRO_TEST is not full: the command lines are not compared")
	}
	files, err := filepath.Glob("testdata/*.txtar")
	if err != nil || len(files) == 0 {
		t.Fatalf("there are no scripts: %v", err)
	}
	for _, file := range files {
		name := strings.TrimSuffix(filepath.Base(file), ".txtar")
		t.Run(name, func(t *testing.T) { compare(t, file) })
	}
}

func compare(t *testing.T, file string) {
	said := map[string]*transcript{}
	t.Run("on", func(t *testing.T) {
		for _, e := range engines {
			said[e.name] = &transcript{}
			if e.name == "nomad" && *recorded != "" {
				load(t, file, said[e.name])
				continue
			}
			t.Run(e.name, func(t *testing.T) {
				t.Parallel()
				run(t, file, e.start(t), said[e.name])
			})
		}
	})
	keep(t, file, said)
	if len(*said["ours"]) == 0 {
		t.Error("the script says nothing")
	}
	if d := udiff.Unified("Nomad", "ours", said["nomad"].String(), said["ours"].String()); d != "" {
		t.Errorf("the commands say something else\n%s", d)
	}
}

var (
	transcripts = flag.String("transcripts", "", "the folder in which to keep what the commands said, to look at it")
	recorded    = flag.String("recorded", "", "the folder with transcripts, from which to take what Nomad said")
)

// keep keeps a transcript as it is, to be loaded again, and without what differs
// from run to run, to be read.
func keep(t *testing.T, file string, said map[string]*transcript) {
	t.Helper()
	if *transcripts == "" {
		return
	}
	for name, said := range said {
		text, err := json.Marshal(said)
		if err != nil {
			t.Fatal(err)
		}
		path := filepath.Join(*transcripts, filepath.Base(file)+"."+name)
		for path, text := range map[string][]byte{path + ".json": text, path: []byte(said.String())} {
			if err := os.WriteFile(path, text, 0o600); err != nil {
				t.Fatal(err)
			}
		}
	}
}

func load(t *testing.T, file string, said *transcript) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(*recorded, filepath.Base(file)+".nomad.json"))
	if err == nil {
		err = json.Unmarshal(text, said)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// run runs a script on an agent and keeps what its commands say.
func run(t *testing.T, file string, client *api.Client, said *transcript) {
	testscript.Run(t, testscript.Params{
		Files: []string{file}, RequireExplicitExec: true,
		Setup: func(env *testscript.Env) error {
			env.Setenv("NOMAD_ADDR", client.Address())
			env.Setenv("NOMAD_CLI_SHOW_HINTS", "0")
			env.Values[session{}] = session{client, said}
			return nil
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"nomad": program("nomad"), "levant": program("levant"), "shape": shape, "follow": follow,
			"id": id, "await": await,
		},
	})
}
