package runner

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/hashicorp/nomad/api"
)

func TestConfigTemplates(t *testing.T) {
	env := taskEnv{
		env: map[string]string{"A": "a", "d.k": "dk", "NOMAD_JOB_NAME": "web"},
		node: &api.Node{
			Name:       "n1",
			Attributes: map[string]string{"driver.docker": "1", "driver.docker.version": "20", "kernel.name": "linux"},
			Meta:       map[string]string{"rack": "r1"},
		},
	}
	for text, want := range map[string]string{
		"plain $A 100% %d":                        "plain $A 100% %d",
		"$${nope} %%{A}":                          "${nope} %{A}",
		`${A} ${ A } ${env["A"]}`:                 "a a a",
		`${d.k} ${env["d.k"]}`:                    "dk dk",
		"${meta.rack} ${node.meta.rack}":          "r1 r1",
		"${attr.driver.docker.version}":           "20",
		"${node.unique.name}/${attr.kernel.name}": "n1/linux",
		"${upper(A)} ${strlen(NOMAD_JOB_NAME)}":   "A 3",
		`${A == "a" ? "yes" : "no"}`:              "yes",
		`%{ if A == "a" }yes%{ endif }`:           "yes",
		"${strlen(A)}":                            "1",
	} {
		config := map[string]any{"args": []any{text}, "labels": []map[string]any{{text: []string{text}}}, "n": 1}
		got, err := env.driverConfig(config)
		values := map[string]any{"args": []any{want}, "labels": []any{map[string]any{want: []any{want}}}, "n": 1}
		if diff := cmp.Diff(values, got); err != nil || diff != "" {
			t.Errorf("%s: %v %s", text, err, diff)
		}
	}
	for text, want := range map[string]string{
		"${nope}":              `Unknown variable: There is no variable named "nope".`,
		"${attr.nope}":         `Unsupported attribute: This object does not have an attribute named "nope".`,
		`${env["NOPE"]}`:       "Invalid index: The given key does not identify an element in this collection value.",
		"${A:-x}":              "Extra characters after interpolation expression",
		"%{A}":                 "Invalid template control keyword",
		"${attr.driver}":       "is no text",
		`${jsondecode("[1]")}`: "is no text",
	} {
		if got, err := env.driverConfig(map[string]any{"args": []any{text}}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, %v; want %q", text, got, err, want)
		}
	}
}
