package main

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strings"
	"text/template"

	"ostro/artifact"
	"ostro/config"
)

// artifactSource is one artifact: a configured one that may have to be built, or
// files that the command line names.
type artifactSource struct {
	name, key string
	// configured is nil for files of the command line.
	configured *config.Artifact
	// given are the files of the command line.
	given *artifact.Tree
}

// findArtifacts lists the artifacts. -artifact replaces a configured one of the
// same name.
func (p *project) findArtifacts(ctx context.Context) error {
	if p.file != nil {
		for _, a := range p.file.Artifacts {
			p.artifacts = append(p.artifacts, artifactSource{name: a.Name, key: a.Key, configured: &a})
		}
	}
	for _, pair := range p.c.StringSlice("artifact") {
		name, path, ok := strings.Cut(pair, "=")
		if !ok || name == "" || path == "" {
			return usageError{withHint(fmt.Errorf("-artifact %s is not a name and a path", pair), "-artifact NAME=PATH")}
		}
		tree, err := artifact.Gather(ctx, artifact.SourceOf(name, path))
		if err != nil {
			return usageError{err}
		}
		given := artifactSource{name: name, given: tree}
		if i := slices.IndexFunc(p.artifacts, func(a artifactSource) bool { return a.name == name }); i >= 0 {
			given.key = p.artifacts[i].key
			p.artifacts[i] = given
		} else {
			p.artifacts = append(p.artifacts, given)
		}
	}
	return nil
}

// tagReplaced marks a tag when the command line replaces an artifact: what is
// uploaded is then not what the commit holds.
func tagReplaced(tag string, sources []artifactSource) string {
	digest, replaced := sha256.New(), false
	for _, a := range sources {
		if a.given != nil {
			replaced = true
			fmt.Fprintln(digest, a.name, a.given.Digest())
		}
	}
	if !replaced {
		return tag
	}
	commit, _, _ := strings.Cut(tag, dirtyMark)
	return fmt.Sprintf("%s%s%x", commit, dirtyMark, digest.Sum(nil)[:4])
}

// objectKey is where an artifact stands in the bucket.
func (p *project) objectKey(a artifactSource) (string, error) {
	pattern := a.key
	if named := p.c.String("key"); named != "" {
		pattern = named
	}
	return artifact.Key(pattern, a.name, p.commit.Tag)
}

// templateFunctions let a template name an artifact before it is uploaded.
func (p *project) templateFunctions(ctx context.Context) template.FuncMap {
	find := func(name string) (artifactSource, error) {
		for _, a := range p.artifacts {
			if a.name == name {
				return a, p.noCommit
			}
		}
		return artifactSource{}, fmt.Errorf("there is no artifact %q", name)
	}
	address := func(name string) (string, error) {
		a, err := find(name)
		if err != nil {
			return "", err
		}
		key, err := p.objectKey(a)
		if err != nil {
			return "", err
		}
		return p.objectURL(ctx, key)
	}
	return template.FuncMap{
		"artifactURL": address,
		// What is signed already must not be signed again.
		"artifactSource": func(name string) (string, error) {
			text, err := address(name)
			if err != nil || p.presigned() {
				return text, err
			}
			return "s3::" + text, nil
		},
		"artifactSHA256": func(name string) (string, error) {
			a, err := find(name)
			if err != nil {
				return "", err
			}
			tree, err := p.tree(ctx, a)
			if err != nil {
				return "", err
			}
			return tree.SHA256(ctx)
		},
	}
}

// tree gives an artifact's files; a configured one is built first.
func (p *project) tree(ctx context.Context, a artifactSource) (*artifact.Tree, error) {
	if a.given != nil {
		return a.given, nil
	}
	if built := p.built[a.name]; built != nil {
		return built, nil
	}
	buildDir, err := os.MkdirTemp("", "ostro-build-")
	if err != nil {
		return nil, fmt.Errorf("make a folder to build in: %w", err)
	}
	p.buildDirs = append(p.buildDirs, buildDir)
	if err := p.build(ctx, a.configured, buildDir); err != nil {
		return nil, err
	}
	dir, paths, err := a.configured.Files(buildDir)
	if err != nil {
		return nil, usageError{err}
	}
	tree, err := artifact.Gather(ctx, artifact.Source{Name: a.name, Dir: dir, Paths: paths, Ignore: a.configured.Ignore})
	if err != nil {
		return nil, err
	}
	p.built[a.name] = tree
	return tree, nil
}

// close removes what was built.
func (p *project) close() {
	for _, dir := range p.buildDirs {
		os.RemoveAll(dir)
	}
}

func (p *project) build(ctx context.Context, a *config.Artifact, buildDir string) error {
	argv, err := a.Command(buildDir)
	if err != nil {
		return usageError{err}
	}
	if len(argv) == 0 {
		return nil
	}
	environ, err := a.Environ(buildDir)
	if err != nil {
		return usageError{err}
	}
	p.t.info("building %s: %s", a.Name, strings.Join(argv, " "))
	command := exec.CommandContext(ctx, argv[0], argv[1:]...)
	command.Dir, command.Env = a.Dir, append(os.Environ(), environ...)
	command.Stdout, command.Stderr = p.t.err, p.t.err
	command.WaitDelay = pipeTime
	if err := command.Run(); err != nil {
		return fmt.Errorf("build artifact %s: %w", a.Name, err)
	}
	return nil
}

// pushAll uploads every artifact. reuse says that an object that stands under
// the commit's name is taken as it is, without building it again.
func (p *project) pushAll(ctx context.Context, bucket *artifact.Bucket, reuse, force bool) error {
	for _, a := range p.artifacts {
		key, err := p.objectKey(a)
		if err != nil {
			return usageError{err}
		}
		if reuse && a.given == nil {
			if _, err := bucket.Stat(ctx, key); err == nil {
				p.t.info("%s is in the bucket already", key)
				continue
			} else if !errors.Is(err, artifact.ErrNotFound) {
				return err
			}
		}
		tree, err := p.tree(ctx, a)
		if err != nil {
			return err
		}
		if err := p.push(ctx, bucket, tree, key, force); err != nil {
			return err
		}
	}
	return nil
}

func (p *project) push(ctx context.Context, bucket *artifact.Bucket, tree *artifact.Tree, key string, force bool) error {
	progress, done := p.t.progress("uploading " + key)
	result, err := bucket.Push(ctx, tree, key, artifact.PushOptions{
		Commit: p.commit.Full, PipelineURL: pipelineURL(os.Getenv), Force: force, Progress: progress,
	})
	done()
	if errors.Is(err, artifact.ErrExists) {
		return withHint(err, "a commit's artifact does not change: commit the change, or replace it with -force")
	}
	if err != nil {
		return err
	}
	if result.Skipped {
		p.t.info("%s is in the bucket already, with the same content", key)
	} else {
		p.t.info("uploaded %s (%s)", key, size(result.Size))
	}
	return nil
}

// pipelineURL is where the running pipeline can be looked at.
func pipelineURL(getenv func(string) string) string {
	switch {
	case getenv("BITBUCKET_BUILD_NUMBER") != "":
		return fmt.Sprintf("https://bitbucket.org/%s/pipelines/results/%s", getenv("BITBUCKET_REPO_FULL_NAME"), getenv("BITBUCKET_BUILD_NUMBER"))
	case getenv("GITHUB_RUN_ID") != "":
		return fmt.Sprintf("%s/%s/actions/runs/%s", getenv("GITHUB_SERVER_URL"), getenv("GITHUB_REPOSITORY"), getenv("GITHUB_RUN_ID"))
	}
	return getenv("CI_PIPELINE_URL")
}

func size(bytes int64) string {
	switch {
	case bytes >= 1<<20:
		return fmt.Sprintf("%.1f MiB", float64(bytes)/(1<<20))
	case bytes >= 1<<10:
		return fmt.Sprintf("%.1f KiB", float64(bytes)/(1<<10))
	}
	return fmt.Sprintf("%d B", bytes)
}
