package main

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"
)

// A bitbucketFile is a bitbucket-pipelines.yml, as far as these tests know it: what
// has no field here is an error. (Bitbucket: configuration reference.)
type bitbucketFile struct {
	Image     any
	Options   any
	Clone     any
	Pipelines struct {
		Default  []bitbucketItem
		Branches map[string][]bitbucketItem
		Tags     map[string][]bitbucketItem
		Custom   map[string][]bitbucketItem
		Requests map[string][]bitbucketItem `yaml:"pull-requests"`
	}
	Definitions struct {
		Caches   map[string]any
		Services map[string]any
		Steps    []bitbucketItem // with anchors, for others
	}
}

// A bitbucketItem is one of its fields.
type bitbucketItem struct {
	Step      *bitbucketStep
	Variables []struct {
		Name, Default, Description string
		Allowed                    []string `yaml:"allowed-values"`
	}
	Parallel yaml.Node
}

type bitbucketStep struct {
	Name       string
	Image      any
	Deployment string
	Trigger    string
	OIDC       bool
	MaxTime    int `yaml:"max-time"`
	Size       string
	Caches     []string
	Services   []string
	Script     []yaml.Node
	After      []yaml.Node `yaml:"after-script"`
	Artifacts  []string
	Condition  any
}

// readPipeline reads a bitbucket-pipelines.yml, strictly.
func readPipeline(t *testing.T, name string) bitbucketFile {
	t.Helper()
	text, err := os.Open(name)
	if err != nil {
		t.Fatal(err)
	}
	defer text.Close()
	decoder := yaml.NewDecoder(text)
	decoder.KnownFields(true)
	var file bitbucketFile
	if err := decoder.Decode(&file); err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	return file
}

// of gives the steps of a branch.
func (f bitbucketFile) of(t *testing.T, branch string) (steps []bitbucketStep) {
	t.Helper()
	for pattern, items := range f.Pipelines.Branches {
		alternatives := []string{pattern}
		if inner, ok := strings.CutPrefix(pattern, "{"); ok {
			alternatives = strings.Split(strings.TrimSuffix(inner, "}"), ",")
		}
		if slices.ContainsFunc(alternatives, func(p string) bool { return matches(p, branch) }) {
			return stepsOf(t, items)
		}
	}
	return stepsOf(t, f.Pipelines.Default)
}

// variables gives what a pipeline that is started by hand asks for.
func (f bitbucketFile) variables(custom string) (names []string) {
	for _, item := range f.Pipelines.Custom[custom] {
		for _, v := range item.Variables {
			names = append(names, v.Name)
		}
	}
	return names
}

func matches(pattern, name string) bool {
	ok, err := path.Match(pattern, name)
	return ok && err == nil
}

func stepsOf(t *testing.T, items []bitbucketItem) (steps []bitbucketStep) {
	t.Helper()
	for _, item := range items {
		switch {
		case item.Step != nil:
			steps = append(steps, *item.Step)
		case len(item.Variables) == 0:
			t.Fatal("the pipeline has an item that is no step")
		}
	}
	if len(steps) == 0 {
		t.Fatal("the pipeline has no steps")
	}
	return steps
}

// lines are the commands of a script. Pipes are programs of others.
func lines(script []yaml.Node) (commands []string, err error) {
	for _, node := range script {
		if node.Kind == yaml.AliasNode {
			node = *node.Alias
		}
		if node.Kind != yaml.ScalarNode {
			return nil, fmt.Errorf("line %d is no command", node.Line)
		}
		commands = append(commands, node.Value)
	}
	return commands, nil
}

// TestPipelineFile holds the file against the rules of Bitbucket that its published
// schema has, and against some that it has not.
func TestPipelineFile(t *testing.T) {
	file := readPipeline(t, "../../bitbucket-pipelines.yml")
	pipelines := map[string][]bitbucketItem{"default": file.Pipelines.Default}
	for kind, list := range map[string]map[string][]bitbucketItem{
		"branches": file.Pipelines.Branches, "tags": file.Pipelines.Tags, "custom": file.Pipelines.Custom, "pull-requests": file.Pipelines.Requests,
	} {
		for name, items := range list {
			pipelines[kind+" "+name] = items
		}
	}
	for name, items := range pipelines {
		if len(items) == 0 {
			continue
		}
		deployed := map[string]bool{}
		for i, step := range stepsOf(t, items) {
			where := fmt.Sprintf("%s, step %q", name, step.Name)
			if len(step.Script) == 0 {
				t.Errorf("%s: there is no script", where)
			}
			if _, err := lines(slices.Concat(step.Script, step.After)); err != nil {
				t.Errorf("%s: %v", where, err)
			}
			if !slices.Contains([]string{"", "automatic", "manual"}, step.Trigger) || step.Trigger == "manual" && i == 0 && !strings.HasPrefix(name, "custom") {
				t.Errorf("%s: the trigger %q", where, step.Trigger)
			}
			if step.Deployment != "" && deployed[step.Deployment] {
				t.Errorf("%s: a further deployment to %s", where, step.Deployment)
			}
			deployed[step.Deployment] = true
			for _, cache := range step.Caches {
				if file.Definitions.Caches[cache] == nil && !slices.Contains(predefinedCaches(), cache) {
					t.Errorf("%s: the cache %s is not defined", where, cache)
				}
			}
			for _, pattern := range step.Artifacts {
				if path.IsAbs(pattern) || strings.HasPrefix(pattern, "..") {
					t.Errorf("%s: the artifact %s is outside of the clone", where, pattern)
				}
			}
		}
	}
}

// TestPipelineSchema has a validator that brings Bitbucket's published schema look
// at the files that init writes, and at one that must not pass.
func TestPipelineSchema(t *testing.T) {
	program, err := exec.LookPath("check-jsonschema")
	if err != nil {
		t.Skip("check-jsonschema, which has the schema of Bitbucket, is not on PATH")
	}
	check := func(text []byte) (string, error) {
		path := filepath.Join(t.TempDir(), "bitbucket-pipelines.yml")
		if err := os.WriteFile(path, text, 0o600); err != nil {
			t.Fatal(err)
		}
		said, err := exec.Command(program, "--builtin-schema", "vendor.bitbucket-pipelines", path).CombinedOutput()
		return string(said), err
	}
	web := starter{Job: "web", Files: []string{"start.sh"}, CI: "bitbucket"}
	withGo := starter{Job: "web", Files: []string{"web"}, Go: true, CI: "bitbucket"}
	for name, p := range map[string]pipeline{"our own": ownPipeline(), "of a program in Go": withGo.pipeline(), "of files": web.pipeline()} {
		text, err := fillIn("bitbucket.yml", p)
		if err != nil {
			t.Fatal(err)
		}
		if said, err := check(text); err != nil {
			t.Errorf("the pipeline file %s: %v\n%s", name, err, said)
		}
		wrong := bytes.Replace(text, []byte("trigger: manual"), []byte("trigger: by hand"), 1)
		if said, err := check(wrong); err == nil || bytes.Equal(wrong, text) {
			t.Errorf("a mistake in the pipeline file %s is not found:\n%s", name, said)
		}
	}
}

// predefinedCaches are those of Bitbucket. (Bitbucket: caches.)
func predefinedCaches() []string {
	return []string{"composer", "docker", "dotnetcore", "gradle", "ivy2", "maven", "node", "pip", "sbt"}
}
