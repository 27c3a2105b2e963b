package main

import (
	"strings"

	"github.com/urfave/cli/v2"
)

// examples are command lines for `ostro help COMMAND`, each with what it does.
func examples() map[string]string {
	return map[string]string{
		"deploy": `ostro deploy -var BB_COMMIT=1a2b3c4 run_app.nomad
ostro deploy -standalone examples/http-echo          with the orchestrator that is built in
ostro deploy -env production                         what ostro.hcl says of production
ostro deploy -ssh deploy@bastion -promote healthy    through SSH; canaries are promoted once healthy`,
		"plan": `ostro plan -env staging
ostro plan -detailed-exitcode run_app.nomad          2 where something would change
ostro plan -simulate run_app.nomad                   what would start and stop when`,
		"render":   `ostro render -var-file staging.yaml -out job.nomad run_app.nomad`,
		"validate": `ostro validate -env staging`,
		"watch":    `ostro watch -env staging web`,
		"promote":  `ostro promote -env staging web`,
		"fail":     `ostro fail -env staging web`,
		"rollback": `ostro rollback web                                   to the last stable version
ostro rollback -to 1a2b3c4 web                       to a commit, a version or a tag`,
		"history":   `ostro history -env production web`,
		"scale-in":  `ostro scale-in -count 2 -task-group cache web`,
		"scale-out": `ostro scale-out -percent 50 web`,
		"dispatch": `ostro dispatch -meta customer=7 import data.csv
echo data | ostro dispatch import -                  the payload comes from stdin`,
		"status": `ostro status
ostro status -env staging web`,
		"logs": `ostro logs -f web
ostro logs -alloc 1a2b3c4d web`,
		"stop": `ostro stop -purge web`,
		"artifact": `ostro artifact push -env staging
ostro artifact ls -bucket my-bucket`,
		"tunnel": `ostro tunnel -ssh deploy@bastion -local 127.0.0.1:4646
ostro tunnel -ssh deploy@bastion -- nomad job status`,
		"agent": `ostro agent -dev
ostro agent stop`,
		"fmt":    `ostro fmt run_app.nomad`,
		"config": `ostro config -env staging`,
		"init": `ostro init                                           asks, on a terminal
ostro init -job web -command ./server -ci github
ostro init -from web                                 takes over a job that runs`,
		"doctor": `ostro doctor -env staging`,
		"completion": `source <(ostro completion bash)
ostro completion fish > ~/.config/fish/completions/ostro.fish`,
		"version": `ostro version`,
	}
}

// addExamples puts the examples below what a command's help says.
func addExamples(command *cli.Command) {
	lines := examples()[command.Name]
	if lines == "" {
		return
	}
	text := "Examples:\n   " + strings.ReplaceAll(lines, "\n", "\n   ")
	if command.Description != "" {
		text = command.Description + "\n\n" + text
	}
	command.Description = text
}
