package config

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
)

// Artifact is an artifact block: what to build and what to zip. The parts that
// may name build_dir or commit are evaluated by its methods.
type Artifact struct {
	Name string
	// Dir is where the build runs and what relative files are relative to.
	Dir string
	// Ignore are patterns of names to leave out.
	Ignore []string
	// Key is the object's key with {name} and {commit} in it, whether it was
	// written so or as ${commit}; empty means the default.
	Key   string
	Range hcl.Range

	file *File
	body *hclsyntax.Body
}

// artifactBody is the schema of the block.
type artifactBody struct {
	Dir    string         `hcl:"dir,path"`
	Build  []string       `hcl:"build,command"`
	Env    map[string]any `hcl:"env,block"`
	Files  []string       `hcl:"files,required"`
	Ignore []string       `hcl:"ignore"`
	Key    string         `hcl:"key"`
}

// artifact decodes a block as far as it can be known before the build.
func (d *decoder) artifact(f *File, b *hclsyntax.Block, where string) Artifact {
	a := Artifact{Name: b.Labels[0], Dir: f.Dir, Range: b.DefRange(), file: f, body: b.Body}
	body := a.decode(d, scope{getenv: f.getenv, artifact: true, commit: "{commit}"}, where)
	if body.Dir != "" {
		a.Dir = body.Dir
	}
	a.Ignore, a.Key = body.Ignore, body.Key
	if at, ok := a.at("key"); ok && a.Key != "" && !strings.Contains(a.Key, "{commit}") {
		d.errorf(at, `write for example "{name}_{commit}.zip"`, "the key of %s does not name the commit, so each would overwrite the last", where)
	}
	if at, ok := a.at("files"); ok && body.Files != nil && len(body.Files) == 0 {
		d.errorf(at, "name a file, a folder, or a pattern", "%s has no files", where)
	}
	a.checkEnv(d, body.Env)
	return a
}

// checkEnv refuses lists and maps, which no environment variable can hold.
func (a Artifact) checkEnv(d *decoder, env map[string]any) {
	for _, b := range a.body.Blocks {
		for name, attr := range b.Body.Attributes {
			switch env[name].(type) {
			case map[string]any, []any:
				d.errorf(attr.Expr.Range(), "join the parts into one text", "the environment variable %s is no text", name)
			}
		}
	}
}

// decode evaluates the block under s and leaves the diagnostics in d.
func (a Artifact) decode(d *decoder, s scope, where string) artifactBody {
	var body artifactBody
	sub := d.child(&s)
	sub.decode(a.body, &body, where)
	d.add(sub)
	return body
}

// at is where the block gives an attribute.
func (a Artifact) at(name string) (hcl.Range, bool) {
	attr, ok := a.body.Attributes[name]
	if !ok {
		return hcl.Range{}, false
	}
	return attr.Expr.Range(), true
}

// evaluate decodes the block once more, now that everything is known.
func (a Artifact) evaluate(buildDir string) (artifactBody, error) {
	d := a.file.decoder(true)
	s := scope{getenv: a.file.getenv, artifact: true, commit: a.file.Commit, buildDir: buildDir, final: true}
	body := a.decode(d, s, fmt.Sprintf("artifact %q", a.Name))
	if d.diags.HasErrors() {
		return artifactBody{}, sorted(d.diags)
	}
	return body, nil
}

// Command is the build command, to run in Dir; nil where there is none.
// buildDir is an existing folder for what it makes, outside the source tree.
// Errors are hcl.Diagnostics.
func (a Artifact) Command(buildDir string) ([]string, error) {
	body, err := a.evaluate(buildDir)
	return body.Build, err
}

// Environ is what the build command finds in its environment beside that of
// the process, sorted, as NAME=VALUE.
func (a Artifact) Environ(buildDir string) ([]string, error) {
	body, err := a.evaluate(buildDir)
	var out []string
	for name, value := range body.Env {
		if value != nil {
			out = append(out, fmt.Sprintf("%s=%v", name, value))
		}
	}
	slices.Sort(out)
	return out, err
}

// Files are the files, folders and patterns to zip, slash-separated and
// relative to dir, which is buildDir or the artifact's Dir.
func (a Artifact) Files(buildDir string) (dir string, paths []string, err error) {
	body, err := a.evaluate(buildDir)
	if err != nil {
		return "", nil, err
	}
	built := 0
	for _, p := range body.Files {
		p = filepath.ToSlash(p)
		if rest, ok := strings.CutPrefix(p, strings.TrimSuffix(filepath.ToSlash(buildDir), "/")+"/"); ok && buildDir != "" {
			built++
			p = rest
		}
		paths = append(paths, p)
	}
	switch built {
	case 0:
		return a.Dir, paths, nil
	case len(paths):
		return buildDir, paths, nil
	}
	at, _ := a.at("files")
	return "", nil, hcl.Diagnostics{diagnostic(at, "let the build copy the others into build_dir, or make two artifacts",
		fmt.Sprintf("files of artifact %q lie both inside and outside build_dir", a.Name))}
}
