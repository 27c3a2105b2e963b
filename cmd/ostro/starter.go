package main

import (
	"bytes"
	"embed"
	"fmt"
	"io/fs"
	"regexp"
	"text/template"

	"ostro/jobspec"
)

// starterTexts are the files that `ostro init` writes, with <% %> around what it
// fills in.
//
//go:embed starter
var starterTexts embed.FS

// pipelineFile is where a CI system looks for its pipeline, "" for an unknown one.
func pipelineFile(system string) string {
	switch system {
	case "bitbucket":
		return "bitbucket-pipelines.yml"
	case "github":
		return ".github/workflows/deploy.yml"
	case "gitlab":
		return ".gitlab-ci.yml"
	}
	return ""
}

// starter is what the files to start from are made of.
type starter struct {
	Job, Template, Driver string
	// Program is a file of the artifact; Shell is a command line in its place.
	Program, Shell string
	// Port is "" for none. Health is the path of an HTTP check, "" for one of TCP.
	Port, Health string
	FixedPort    bool
	// Build is an expression of ostro.hcl, "" for none. Go says that the go command builds.
	Build string
	Go    bool
	Files []string
	// Start has start.sh written, too.
	Start bool
	// Bucket is an expression, Staging and Production are what stands in these
	// environments in ostro.hcl.
	Bucket, Staging, Production string
	CI                          string
}

// pipeline is what a pipeline is made of.
type pipeline struct {
	starter
	Image, Get string
	Fetch      bool // Get fetches a release of ostro
	Test       []string
	// Target is the TEMPLATE of the commands and Config how those without one find
	// the configuration, each with a blank before it.
	Target, Config string
	Environments   []string
}

// fetchOstro gets a release, and checks that it is the one that was meant.
const fetchOstro = `mkdir -p dist && curl -fsSL "$OSTRO_URL" -o dist/ostro && echo "$OSTRO_SHA256  dist/ostro" | sha256sum -c && chmod +x dist/ostro`

func (s starter) pipeline() pipeline {
	p := pipeline{starter: s, Image: "atlassian/default-image:4", Get: fetchOstro, Fetch: true, Environments: []string{"staging", "production"}}
	if s.CI == "gitlab" {
		p.Image = "buildpack-deps:stable-curl"
	}
	if s.Go {
		p.Image, p.Test = "golang:1.26", []string{"go vet ./...", "go test ./..."}
	}
	return p
}

// startFile is one file to write.
type startFile struct {
	path string
	text []byte
	mode fs.FileMode
}

// files are all that a new project needs.
func (s starter) files() ([]startFile, error) {
	job, err := fillIn("job.nomad", s)
	if err != nil {
		return nil, err
	}
	files := []startFile{{s.Template, jobspec.Format(job), 0o644}}
	rest, err := s.configuration()
	if err != nil {
		return nil, err
	}
	files = append(files, rest...)
	if s.Start {
		text, err := fillIn("start.sh", s)
		if err != nil {
			return nil, err
		}
		files = append(files, startFile{"start.sh", text, 0o755})
	}
	return files, nil
}

// configuration is ostro.hcl and the pipeline.
func (s starter) configuration() ([]startFile, error) {
	text, err := fillIn("ostro.hcl", s)
	if err != nil {
		return nil, err
	}
	files := []startFile{{"ostro.hcl", jobspec.Format(text), 0o644}}
	if s.CI == "none" {
		return files, nil
	}
	if text, err = fillIn(s.CI+".yml", s.pipeline()); err != nil {
		return nil, err
	}
	return append(files, startFile{pipelineFile(s.CI), text, 0o644}), nil
}

func fillIn(name string, data any) ([]byte, error) {
	parsed, err := template.New(name).Delims("<%", "%>").Option("missingkey=error").
		Funcs(template.FuncMap{"quote": hclQuote}).ParseFS(starterTexts, "starter/"+name)
	var text bytes.Buffer
	if err == nil {
		err = parsed.Execute(&text, data)
	}
	if err != nil {
		return nil, fmt.Errorf("fill in %s: %w", name, err)
	}
	return text.Bytes(), nil
}

// keptReference is what ostro.hcl fills into a command of an artifact.
var keptReference = regexp.MustCompile(`\$\$\{(build_dir|commit)\}`)

// hclQuote is a text as a string of ostro.hcl, in which ${build_dir} and ${commit} hold.
func hclQuote(text string) string {
	return keptReference.ReplaceAllString(jobspec.Quote(text), "$${$1}")
}
