package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/urfave/cli/v2"

	"ostro/artifact"
	"ostro/config"
	"ostro/redact"
	"ostro/render"
)

// project is what a command works on: the configuration, the flags over it, and
// the commit. Nothing in it has touched the network.
type project struct {
	t      *terminal
	c      *cli.Context
	target string       // the file or folder of the command line, or ""
	file   *config.File // nil without an ostro.hcl
	config *config.Selection
	dir    string
	jobs   []config.Job
	// elsewhere says that this is not the environment that was asked for: what
	// flags and NOMAD_* say is not about it.
	elsewhere bool
	commit    artifact.Commit
	// noCommit is why there is no commit; only what needs one reports it.
	noCommit  error
	artifacts []artifactSource
	built     map[string]*artifact.Tree
	loaded    map[string]render.Variables
	buildDirs []string
	// replied, when set, is told the headers of Nomad's replies.
	replied func(http.Header)
}

// openConfig reads the configuration, for commands that need no template.
func openConfig(t *terminal, c *cli.Context, target string) (*project, error) {
	if err := t.configure(c.String("log-level"), c.String("log-format")); err != nil {
		return nil, err
	}
	p := &project{t: t, c: c, target: target, dir: ".", built: map[string]*artifact.Tree{}, loaded: map[string]render.Variables{}}
	if err := p.loadConfig(target); err != nil {
		return nil, err
	}
	t.mask(redact.Secrets(p.config.Variables, p.secretNames())...)
	return p, nil
}

// openProject reads the configuration, and finds out which templates and which
// commit are meant.
func openProject(ctx context.Context, t *terminal, c *cli.Context, target string) (*project, error) {
	p, err := openConfig(t, c, target)
	if err != nil {
		return nil, err
	}
	if err := p.chooseJobs(); err != nil {
		return nil, err
	}
	if err := p.findArtifacts(ctx); err != nil {
		return nil, err
	}
	if p.namesCommit() {
		return p, p.findCommit(ctx)
	}
	return p, nil
}

// getenv is what the configuration reads of the environment. What a variable with the
// name of a secret holds is masked from then on.
func (p *project) getenv(name string) string {
	value := os.Getenv(name)
	p.t.mask(redact.Secrets(map[string]any{name: value}, nil)...)
	return value
}

// loadConfig reads the configuration that -config names, else the ostro.hcl of
// the folder that is deployed, of the working folder, or beside the template.
func (p *project) loadConfig(target string) error {
	path, err := p.configPath(target)
	if err != nil {
		return err
	}
	p.config = &config.Selection{}
	if path == "" {
		if env := p.c.String("env"); env != "" {
			return usageError{withHint(fmt.Errorf("-env %s needs a configuration", env), "write an %s, or name one with -config", config.FileName)}
		}
		return nil
	}
	file, err := config.Load(path, p.getenv)
	if err != nil {
		return usageError{err}
	}
	p.file, p.dir = file, file.Dir
	if p.config, err = file.Select(p.c.String("env"), p.given()...); err != nil {
		return usageError{err}
	}
	return nil
}

// given names the settings that flags override: what the configuration says of
// them need not make sense here.
func (p *project) given() []string {
	settings := map[string]string{
		"address": "address", "namespace": "namespace", "region": "region", "token": "token", "ca-cert": "ca_cert",
		"ca-path": "ca_path", "client-cert": "client_cert", "client-key": "client_key", "tls-server-name": "tls_server_name",
		"ssh": "ssh.host", "ssh-remote": "ssh.remote", "ssh-host-key": "ssh.host_key", "bucket": "bucket",
		"bucket-region": "bucket_region", "endpoint": "endpoint", "presign": "presign", "acl": "upload.acl",
		"storage-class": "upload.storage_class", "sse": "upload.sse", "sse-kms-key-id": "upload.sse_kms_key_id", "promote": "promote", "promote-check": "promote_check",
		"timeout": "timeout", "wait-for-capacity": "wait_for_capacity", "on-interrupt": "on_interrupt",
	}
	var names []string
	for flag, setting := range settings {
		if p.c.IsSet(flag) {
			names = append(names, setting)
		}
	}
	for _, pair := range slices.Concat(p.c.StringSlice("var"), p.c.StringSlice("var-json")) {
		name, _, _ := strings.Cut(pair, "=")
		names = append(names, "variables."+name)
	}
	return names
}

func (p *project) configPath(target string) (string, error) {
	if named := p.c.String("config"); named != "" {
		return named, nil
	}
	info, err := os.Stat(target)
	switch {
	case target == "":
		return firstFile(config.FileName), nil
	case errors.Is(err, fs.ErrNotExist):
		return "", usageError{fmt.Errorf("there is no file or folder %s", target)}
	case err != nil:
		return "", usageError{fmt.Errorf("cannot look at %s: %w", target, err)}
	case info.IsDir():
		path := firstFile(filepath.Join(target, config.FileName))
		if path == "" {
			return "", usageError{withHint(fmt.Errorf("the folder %s has no %s", target, config.FileName), "name the template itself")}
		}
		return path, nil
	}
	return firstFile(config.FileName, filepath.Join(filepath.Dir(target), config.FileName)), nil
}

func firstFile(paths ...string) string {
	for _, path := range paths {
		if info, err := os.Stat(path); err == nil && info.Mode().IsRegular() {
			return path
		}
	}
	return ""
}

// chooseJobs finds the templates: the one that was named, those of ostro.hcl,
// or the only *.nomad file of the working folder.
func (p *project) chooseJobs() error {
	target := p.target
	if info, err := os.Stat(target); target != "" && err == nil && !info.IsDir() {
		p.jobs = []config.Job{p.jobOf(target)}
		return nil
	}
	if len(p.config.Jobs) > 0 {
		p.jobs = p.config.Jobs
		return nil
	}
	var found []string
	for _, pattern := range []string{"*.nomad", "*.nomad.hcl"} {
		matches, err := filepath.Glob(pattern)
		if err != nil {
			return fmt.Errorf("look for templates: %w", err)
		}
		found = append(found, matches...)
	}
	if len(found) != 1 {
		return nil
	}
	p.jobs = []config.Job{p.jobOf(found[0])}
	return nil
}

// jobOf is the configured job of a template, or a plain one.
func (p *project) jobOf(template string) config.Job {
	path, err := filepath.Abs(template)
	for _, job := range p.config.Jobs {
		if other, otherErr := filepath.Abs(job.Template); err == nil && otherErr == nil && path == other {
			return job
		}
	}
	return config.Job{
		Template: template, Variables: p.config.Variables, VariableFiles: p.config.VariableFiles,
	}
}

// needJobs is for commands that make no sense without a template.
func (p *project) needJobs() error {
	if len(p.jobs) > 0 {
		return nil
	}
	return usageError{withHint(errors.New("there is no TEMPLATE"),
		"name one; it may be left out where the working folder has exactly one *.nomad file, or an %s", config.FileName)}
}

func (p *project) standalone() bool {
	if p.c.Bool("standalone") {
		return true
	}
	return p.config.Standalone && !p.c.IsSet("address") && !p.c.IsSet("ssh")
}

func (p *project) secretNames() []string {
	return append(p.c.StringSlice("secret"), p.config.Secrets...)
}
