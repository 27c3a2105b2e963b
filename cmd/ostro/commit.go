package main

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"slices"
	"strings"

	"ostro/artifact"
	"ostro/config"
)

// namesCommit tells whether anything could name the commit. Where nothing does,
// git is not asked.
func (p *project) namesCommit() bool {
	if len(p.artifacts) > 0 || len(p.config.Pending) > 0 {
		return true
	}
	return slices.ContainsFunc(p.jobs, func(job config.Job) bool {
		text, err := os.ReadFile(job.Template)
		return err == nil && slices.ContainsFunc(commitWords(), func(word string) bool { return bytes.Contains(text, []byte(word)) })
	})
}

// commitWords are what in a template can ask for the commit, itself or in a file
// that it includes.
func commitWords() []string {
	return []string{"BB_COMMIT", "include", "artifactURL", "artifactSource", "artifactSHA256"}
}

// findCommit looks for the commit, and completes the configuration with it. A
// folder without one is no mistake as long as nothing needs it.
func (p *project) findCommit(ctx context.Context) error {
	given, err := p.givenCommit(ctx)
	if err != nil {
		return err
	}
	p.commit, p.noCommit = artifact.ResolveCommit(ctx, artifact.CommitInput{
		Flag: p.c.String("commit"), Var: given, Getenv: os.Getenv, Dir: p.dir,
		AllowDirty: true, Standalone: p.standalone(),
	})
	if p.noCommit != nil {
		return nil
	}
	if p.standalone() {
		p.tagEdited(ctx)
	}
	if p.file == nil {
		return nil
	}
	p.file.Commit = p.commit.Tag
	if p.config, err = p.file.Select(p.c.String("env"), p.given()...); err != nil {
		return err
	}
	return p.chooseJobs()
}

// tagEdited marks the tag of a tree that was edited, or of an artifact that was
// replaced, so that nothing on one's own machine is refused because it is not
// what the commit holds. A commit that somebody named here and now is left as it
// is; one that a CI system names is not.
func (p *project) tagEdited(ctx context.Context) {
	switch p.commit.Source {
	case "git":
	case "BITBUCKET_COMMIT", "GITHUB_SHA", "CI_COMMIT_SHA":
		tree, err := artifact.ResolveCommit(ctx, artifact.CommitInput{Dir: p.dir, Standalone: true})
		if _, hash, dirty := strings.Cut(tree.Tag, dirtyMark); err == nil && dirty {
			p.commit.Tag += dirtyMark + hash
		}
	default:
		return
	}
	p.commit.Tag = tagReplaced(p.commit.Tag, p.artifacts)
}

// dirtyMark stands in a tag between the commit and the hash of what differs.
const dirtyMark = "-dirty-"

// givenCommit is the BB_COMMIT of -var, else of the variable files.
func (p *project) givenCommit(ctx context.Context) (string, error) {
	for _, job := range p.jobs {
		vars, err := p.userVariables(ctx, job)
		if err != nil {
			return "", err
		}
		if commit, ok := vars["BB_COMMIT"]; ok {
			return fmt.Sprint(commit), nil
		}
	}
	return p.flagVariable("BB_COMMIT"), nil
}

// needCommit is for what goes elsewhere under the commit's name.
func (p *project) needCommit() error {
	if p.noCommit != nil {
		return usageError{withHint(p.noCommit, "say which commit it is with -commit")}
	}
	if p.commit.Dirty && !p.standalone() && !p.c.Bool("allow-dirty") {
		return usageError{withHint(artifact.ErrDirty, "commit them, or say -allow-dirty")}
	}
	return nil
}
