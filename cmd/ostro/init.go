package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/urfave/cli/v2"
)

func initCommand(t *terminal) *cli.Command {
	return &cli.Command{
		Name: "init", Usage: "write a job template, an ostro.hcl and a pipeline to start from", ArgsUsage: "[FOLDER]",
		Description: "On a terminal it asks for what no flag says. A file that is there already is left alone, unless -force is given.",
		Flags: join([]cli.Flag{
			&cli.StringFlag{Name: "job", Usage: "the `NAME` of the job (default: the folder's)"},
			&cli.StringFlag{Name: "build", Usage: "the shell `COMMAND` that builds the artifact; ${build_dir} is a folder for what it makes"},
			&cli.StringSliceFlag{Name: "file", Usage: "a `FILE`, folder or pattern to zip; may be repeated"},
			&cli.StringFlag{Name: "command", Usage: "the shell `COMMAND` that starts the program, in the artifact's folder"},
			&cli.StringFlag{Name: "driver", Value: "raw_exec", Usage: "the task `DRIVER`: raw_exec or exec"},
			&cli.StringFlag{Name: "port", Usage: "the TCP `PORT` that it listens on, or auto: then it finds one in $PORT"},
			&cli.StringFlag{Name: "health", Usage: "the `PATH` of an HTTP health check on that port"},
			&cli.StringFlag{Name: "bucket", Usage: "the S3 `BUCKET` of the artifacts (default: the environment variable S3_BUCKET)"},
			&cli.StringFlag{Name: "staging", Usage: "how to reach Nomad in staging: `USER@HOST` for SSH, a URL, or standalone for the built-in orchestrator (default: SSH to $STAGING_SSH)"},
			&cli.StringFlag{Name: "production", Usage: "how to reach Nomad in production: `USER@HOST` for SSH, a URL, or standalone for the built-in orchestrator (default: SSH to $PRODUCTION_SSH)"},
			&cli.StringFlag{Name: "ci", Value: "bitbucket", Usage: "the pipeline to write, for `SYSTEM`: bitbucket, github, gitlab or none"},
			&cli.StringFlag{Name: "from", Usage: "take over `JOB`, which runs: its template makes the same job"},
			&cli.BoolFlag{Name: "force", Usage: "replace files that are there already"},
		}, clientFlags(), logFlags()),
		Action: func(c *cli.Context) error {
			folder, err := oneArg(c, "FOLDER")
			if err != nil {
				return err
			}
			if err := t.configure(c.String("log-level"), c.String("log-format")); err != nil {
				return err
			}
			in := &initialization{t: t, c: c, dir: cmp.Or(folder, ".")}
			return in.run(c.Context)
		},
	}
}

// initialization is one run of `ostro init`.
type initialization struct {
	t   *terminal
	c   *cli.Context
	dir string
	// next is the command that shows what was taken over.
	next string
	starter
}

func (in *initialization) run(ctx context.Context) error {
	if err := in.gather(ctx); err != nil {
		return err
	}
	var files []startFile
	var err error
	if from := in.c.String("from"); from != "" {
		files, err = in.takeOver(ctx, from)
	} else {
		files, err = in.files()
	}
	if err != nil {
		return err
	}
	if err := in.write(files); err != nil {
		return err
	}
	in.t.info("next: %s", in.nextStep())
	return nil
}

func (in *initialization) nextStep() string {
	if in.next != "" {
		return in.next + in.dir
	}
	if strings.HasPrefix(in.Staging, "standalone") {
		return "commit it, then: " + commandLine([]string{"ostro", "deploy", "-env", "staging", in.dir})
	}
	return "commit it, then: " + commandLine([]string{"ostro", "deploy", "-standalone", in.dir})
}

// gather finds out what to write: what the flags say, what somebody answers, and
// what the folder shows.
func (in *initialization) gather(ctx context.Context) error {
	c := in.c
	abs, err := filepath.Abs(in.dir)
	if err != nil {
		return fmt.Errorf("find the folder: %w", err)
	}
	_, noGo := os.Stat(filepath.Join(in.dir, "go.mod"))
	in.Go = noGo == nil && !c.IsSet("build")
	ask := in.t.asker(ctx, c)
	if from := c.String("from"); from != "" {
		in.Job = from
	} else {
		in.Job = ask("job", "name of the job", cmp.Or(strings.Trim(notInName.ReplaceAllString(filepath.Base(abs), "-"), "-"), "app"))
		in.askProgram(ask)
	}
	in.Bucket = `env("S3_BUCKET")`
	if bucket := c.String("bucket"); bucket != "" {
		in.Bucket = hclQuote(bucket)
	}
	in.Staging = in.reach("staging", ask("staging", "Nomad in staging: USER@HOST for SSH, a URL, or standalone; empty for the variable STAGING_SSH", ""))
	in.Production = in.reach("production", ask("production", "Nomad in production: likewise", ""))
	in.CI = ask("ci", "pipeline: bitbucket, github, gitlab or none", "bitbucket")
	in.Driver, in.Template = c.String("driver"), notInName.ReplaceAllString(in.Job, "-")+".nomad"
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return in.check()
}

func (in *initialization) askProgram(ask func(flag, question, otherwise string) string) {
	build, files := "", "start.sh"
	if in.Go {
		build = "go build -trimpath -o ${build_dir}/" + in.Job + " ."
	}
	if build = ask("build", "command that builds it, empty for none", build); build != "" {
		files = "${build_dir}/" + in.Job
		in.Build = hclQuote(build)
	}
	in.Files = in.c.StringSlice("file")
	if len(in.Files) == 0 {
		in.Files = strings.Fields(ask("file", "files to deploy", files))
	}
	in.Start = slices.Equal(in.Files, []string{"start.sh"})
	command := ask("command", "command that starts it, in the folder of these files", "./"+filepath.Base(in.Files[0]))
	if program, ok := strings.CutPrefix(command, "./"); ok && !regexp.MustCompile(`[^\w./-]`).MatchString(program) {
		in.Program = program
	} else {
		in.Shell = "cd local/app && exec " + command
	}
	if in.Port = ask("port", "TCP port that it listens on; auto for one in $PORT, empty for none", ""); in.Port != "" {
		in.FixedPort = in.Port != "auto"
		in.Health = ask("health", "path of an HTTP health check, empty for none", "")
	}
}

// notInName is what the name of a job or a file had better not hold.
var notInName = regexp.MustCompile(`[^A-Za-z0-9_-]+`)

func (in *initialization) check() error {
	_, err := strconv.ParseUint(in.Port, 10, 16)
	switch {
	case in.c.String("from") == "" && (in.Job == "" || notInName.MatchString(in.Job)):
		return usageError{fmt.Errorf("-job %q: letters, digits, - and _ make a name", in.Job)}
	case in.Driver != "raw_exec" && in.Driver != "exec":
		return usageError{fmt.Errorf("-driver %q is not one of raw_exec, exec", in.Driver)}
	case in.FixedPort && err != nil:
		return usageError{fmt.Errorf("-port %q is no port, and not auto", in.Port)}
	case in.Health != "" && !strings.HasPrefix(in.Health, "/"):
		return usageError{fmt.Errorf("-health %q is no path: it begins with /", in.Health)}
	case in.c.IsSet("health") && in.Port == "":
		return usageError{errors.New("-health needs a -port")}
	case pipelineFile(in.CI) == "" && in.CI != "none":
		return usageError{fmt.Errorf("-ci %q is not one of bitbucket, github, gitlab, none", in.CI)}
	}
	return nil
}

// reach are the lines of ostro.hcl that say how to get to an environment's Nomad,
// and where its artifacts are. In the built-in orchestrator an environment is a
// namespace, and the store has a bucket of its own.
func (in *initialization) reach(environment, given string) string {
	if given == "standalone" {
		return "standalone = true\nnamespace = " + hclQuote(environment)
	}
	line := "ssh = " + hclQuote(given)
	switch {
	case given == "":
		line = fmt.Sprintf("ssh = env(%q)", strings.ToUpper(environment)+"_SSH")
	case strings.Contains(given, "://"):
		line = "address = " + hclQuote(given)
	}
	if len(in.Files) > 0 {
		line += "\nbucket = " + in.Bucket
	}
	return line
}

// write writes all the files, or none where one is there already.
func (in *initialization) write(files []startFile) error {
	if !in.c.Bool("force") {
		var there []string
		for _, f := range files {
			if _, err := os.Lstat(filepath.Join(in.dir, f.path)); err == nil {
				there = append(there, filepath.Join(in.dir, f.path))
			}
		}
		if len(there) > 0 {
			return usageError{withHint(fmt.Errorf("%s: there already, nothing is written", strings.Join(there, ", ")), "-force replaces what is there")}
		}
	}
	for _, f := range files {
		path := filepath.Join(in.dir, f.path)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			return fmt.Errorf("make the folder: %w", err)
		}
		if err := os.WriteFile(path, f.text, f.mode); err != nil {
			return fmt.Errorf("write the file: %w", err)
		}
		in.t.info("wrote %s", path)
	}
	return nil
}
