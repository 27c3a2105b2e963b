package main

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"reflect"
	"slices"
	"strings"

	"github.com/urfave/cli/v2"

	"ostro/redact"
	"ostro/render"
)

func configCommand(t *terminal) *cli.Command {
	return &cli.Command{
		Name: "config", Usage: "print the merged configuration with the source of each value", ArgsUsage: "[TEMPLATE]",
		Flags: join(templateFlags(), configFlags(), clientFlags(), artifactFlags(), logFlags(), watchFlags(), []cli.Flag{
			&cli.BoolFlag{Name: "json", Usage: "print it as JSON"},
		}),
		Action: func(c *cli.Context) error {
			target, err := oneArg(c, "TEMPLATE")
			if err != nil {
				return err
			}
			p, err := openProject(c.Context, t, c, target)
			if err != nil {
				return err
			}
			defer p.close()
			values, err := p.effective(c.Context)
			if err != nil {
				return err
			}
			if c.Bool("json") {
				return t.json(values)
			}
			t.showConfig(values)
			return nil
		},
	}
}

// effectiveValue is a value that holds, and who said so.
type effectiveValue struct {
	Name   string `json:"name"`
	Value  any    `json:"value"`
	Source string `json:"source"`
}

// A setting can be given by a flag, by the environment, or in ostro.hcl. Of those
// that are Nomad's the environment wins over the file.
type setting struct{ name, flag, env, otherwise string }

func settings() []setting {
	return []setting{
		{"address", "address", "NOMAD_ADDR", "http://127.0.0.1:4646"}, {"namespace", "namespace", "NOMAD_NAMESPACE", "default"},
		{"region", "region", "NOMAD_REGION", ""}, {"token", "token", "NOMAD_TOKEN", ""},
		{"ca_cert", "ca-cert", "NOMAD_CACERT", ""}, {"ca_path", "ca-path", "NOMAD_CAPATH", ""},
		{"client_cert", "client-cert", "NOMAD_CLIENT_CERT", ""}, {"client_key", "client-key", "NOMAD_CLIENT_KEY", ""},
		{"tls_server_name", "tls-server-name", "NOMAD_TLS_SERVER_NAME", ""}, {"tls_skip_verify", "tls-skip-verify", "NOMAD_SKIP_VERIFY", ""},
		{"standalone", "standalone", "", ""}, {"ssh.host", "ssh", "", ""}, {"ssh.remote", "ssh-remote", "", ""},
		{"ssh.identity_files", "ssh-key", "", ""}, {"ssh.host_key", "ssh-host-key", "", ""},
		{"bucket", "bucket", "", ""}, {"bucket_region", "bucket-region", "AWS_REGION", ""}, {"endpoint", "endpoint", "AWS_ENDPOINT_URL_S3", ""},
		{"promote", "promote", "", "wait"}, {"promote_check", "promote-check", "", ""}, {"revert_on_failure", "revert-on-failure", "", ""},
		{"timeout", "timeout", "", "1h0m0s"}, {"wait_for_capacity", "wait-for-capacity", "", "0s"}, {"on_interrupt", "on-interrupt", "", "detach"},
		{"parallel", "parallel", "", "1"}, {"commit_meta", "commit-meta", "", "git_sha"},
	}
}

// effective lists what holds: settings, then variables, then jobs and artifacts.
func (p *project) effective(ctx context.Context) ([]effectiveValue, error) {
	p.t.mask(p.clientConfig().SecretID)
	var values []effectiveValue
	listed := map[string]bool{}
	for _, s := range settings() {
		listed[s.name] = true
		if v, ok := p.effectiveSetting(s); ok {
			values = append(values, v)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(p.config.Sources)) {
		if value, ok := p.config.Value(name); ok && !listed[name] && !strings.HasPrefix(name, "variables") && isScalar(value) {
			values = append(values, effectiveValue{name, plainValue(value), p.fileSource(name)})
		}
	}
	variables, err := p.effectiveVariables(ctx)
	if err != nil {
		return nil, err
	}
	values = append(values, variables...)
	for _, job := range p.jobs {
		source := "the command line"
		switch {
		case job.Range.Filename != "":
			source = fmt.Sprintf("%s:%d", job.Range.Filename, job.Range.Start.Line)
		case p.target == "":
			source = "the working folder"
		}
		values = append(values, effectiveValue{"job." + orDefault(job.Name, "-"), job.Template, source})
	}
	return values, nil
}

func (p *project) effectiveSetting(s setting) (effectiveValue, bool) {
	inFile, fileOK := p.config.Value(s.name)
	_, fileSet := p.config.Sources[s.name]
	fromEnv := os.Getenv(s.env)
	envWins := strings.HasPrefix(s.env, "NOMAD_")
	switch {
	case s.flag != "" && p.c.IsSet(s.flag):
		return effectiveValue{s.name, plainValue(flagValue(p.c, s.flag)), "-" + s.flag}, true
	case s.env != "" && fromEnv != "" && (envWins || !fileSet):
		return effectiveValue{s.name, fromEnv, s.env}, true
	case fileOK && fileSet:
		return effectiveValue{s.name, plainValue(inFile), p.fileSource(s.name)}, true
	case s.otherwise != "" && !(s.name == "address" && (p.standalone() || p.config.SSH.Host != "" || p.c.IsSet("ssh"))):
		return effectiveValue{s.name, s.otherwise, "default"}, true
	}
	return effectiveValue{}, false
}

func flagValue(c *cli.Context, name string) any {
	if list, ok := c.Value(name).(cli.StringSlice); ok {
		return list.Value()
	}
	return c.Value(name)
}

// fileSource is where ostro.hcl says it.
func (p *project) fileSource(name string) string {
	at := p.config.Sources[name]
	return fmt.Sprintf("%s:%d", at.Filename, at.Start.Line)
}

// effectiveVariables are the variables that every template gets, lowest source
// first, so that the last one that names a variable is its source.
func (p *project) effectiveVariables(ctx context.Context) ([]effectiveValue, error) {
	vars, sources := render.Variables{}, map[string]string{}
	take := func(more render.Variables, source func(name string) string) {
		vars.Merge(more)
		for name := range more {
			sources[name] = source(name)
		}
	}
	said := func(source string) func(string) string { return func(string) string { return source } }
	if bucket := p.bucket(); bucket != "" {
		take(render.Variables{"s3_binary_path": bucket}, said("the bucket"))
	}
	take(render.Variables(p.config.Variables), p.variableSource)
	files := slices.Concat(p.config.VariableFiles, p.c.StringSlice("var-file"))
	if !p.c.IsSet("var-file") {
		files = slices.Concat(render.DefaultVariableFiles(""), files)
	}
	for _, file := range files {
		loaded, err := p.loadVariables(ctx, []string{file})
		if err != nil {
			return nil, usageError{err}
		}
		take(loaded, said(file))
	}
	for _, pair := range os.Environ() {
		if name, value, ok := strings.Cut(pair, "="); ok && strings.HasPrefix(name, nomadVariable) {
			take(render.Variables{strings.TrimPrefix(name, nomadVariable): value}, said(name))
		}
	}
	flags, err := p.flagVariables()
	if err != nil {
		return nil, usageError{err}
	}
	take(flags, said("-var"))
	if p.commit.Tag != "" {
		take(render.Variables{"BB_COMMIT": p.commit.Tag}, said("the commit: "+p.commit.Source))
	}
	p.t.mask(redact.Secrets(vars, p.secretNames())...)
	var values []effectiveValue
	for _, name := range slices.Sorted(maps.Keys(vars)) {
		values = append(values, effectiveValue{"variables." + name, vars[name], sources[name]})
	}
	return values, nil
}

func (p *project) variableSource(name string) string {
	for source := range p.config.Sources {
		if full := "variables." + name; source == full || strings.HasPrefix(source, full+".") {
			return p.fileSource(source)
		}
	}
	return p.file.Path
}

// isScalar reports whether a setting is a value of its own, and no block.
func isScalar(value any) bool {
	kind := reflect.ValueOf(value).Kind()
	return kind != reflect.Map && kind != reflect.Struct
}

// plainValue is a value as people write it.
func plainValue(value any) any {
	if s, ok := value.(fmt.Stringer); ok {
		return s.String()
	}
	return value
}

func (t *terminal) showConfig(values []effectiveValue) {
	rows := [][]string{{"NAME", "VALUE", "SOURCE"}}
	for _, v := range values {
		text, ok := v.Value.(string)
		if !ok {
			encoded, err := json.Marshal(v.Value)
			if err != nil {
				encoded = []byte(fmt.Sprint(v.Value))
			}
			text = string(encoded)
		}
		rows = append(rows, []string{v.Name, orDefault(text, `""`), v.Source})
	}
	t.table(rows...)
}
