package jobspec

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
	"unicode"

	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/hashicorp/nomad/api"
)

func (l *linter) lintJob() {
	if l.job.Update != nil {
		l.lintUpdate(jobPath().to("update"), l.job.Update)
	}
}

func (l *linter) lintGroup(g *api.TaskGroup) {
	at := groupPath(g)
	if g.Update != nil {
		u := *g.Update
		if l.job.Update != nil {
			u = inherited(u, *l.job.Update)
		}
		l.lintUpdate(at.to("update"), &u)
	}
	l.lintStaticPorts(at, g)
	l.lintDisconnect(at, g)
	for i, n := range g.Networks {
		if n.MBits != nil {
			l.warn(at.nth("network", i).to("mbits"), "mbits is deprecated and has no effect", "Remove it.")
		}
	}
}

// lintDisconnect names the attributes that Nomad 1.10 and later read and ignore.
func (l *linter) lintDisconnect(at path, g *api.TaskGroup) {
	const summary = " is deprecated and has no effect since Nomad 1.10"
	//lint:ignore SA1019 that it is deprecated is what the warning says
	if g.MaxClientDisconnect != nil {
		l.warn(at.to("max_client_disconnect"), "max_client_disconnect"+summary, "Write disconnect { lost_after = ... }.")
	}
	//lint:ignore SA1019 that it is deprecated is what the warning says
	if g.StopAfterClientDisconnect != nil {
		l.warn(at.to("stop_after_client_disconnect"), "stop_after_client_disconnect"+summary, "Write disconnect { stop_on_client_after = ... }.")
	}
	//lint:ignore SA1019 that it is deprecated is what the warning says
	if g.PreventRescheduleOnLost != nil {
		l.warn(at.to("prevent_reschedule_on_lost"), "prevent_reschedule_on_lost"+summary, "Write disconnect { replace = false }.")
	}
}

// inherited is the update block of a group with what it takes from the job's.
func inherited(group, job api.UpdateStrategy) api.UpdateStrategy {
	merged := job.Copy()
	merged.Merge(&group)
	return *merged
}

// lintUpdate looks at how the values of an update block fit together. Nomad: the
// defaults are min_healthy_time 10s, healthy_deadline 5m, progress_deadline 10m.
func (l *linter) lintUpdate(at path, u *api.UpdateStrategy) {
	minimum := orDefault(u.MinHealthyTime, 10*time.Second)
	healthy := orDefault(u.HealthyDeadline, 5*time.Minute)
	progress := orDefault(u.ProgressDeadline, 10*time.Minute)
	if minimum >= healthy {
		l.warn(l.firstOf(at, "min_healthy_time", "healthy_deadline"),
			fmt.Sprintf("min_healthy_time (%s) is not below healthy_deadline (%s)", minimum, healthy),
			"No allocation can become healthy in time. Raise healthy_deadline.")
	}
	if progress != 0 && healthy >= progress {
		l.warn(l.firstOf(at, "healthy_deadline", "progress_deadline"),
			fmt.Sprintf("healthy_deadline (%s) is not below progress_deadline (%s)", healthy, progress),
			"Nomad refuses this. Raise progress_deadline above it.")
	}
	if deref(u.Canary) > 0 && !deref(u.AutoPromote) {
		l.warn(at.to("canary"), "a canary without auto_promote waits for somebody",
			"In a pipeline set auto_promote = true, or deploy with -promote=healthy.")
	}
	if !deref(u.AutoRevert) {
		return
	}
	switch kind := deref(l.job.Type); {
	case kind == "batch" || kind == "sysbatch":
		l.warn(at.to("auto_revert"), fmt.Sprintf("auto_revert has no effect: a %s job has no deployments", kind), "There is never a stable version to go back to. Remove it.")
	case u.MaxParallel != nil && *u.MaxParallel == 0:
		l.warn(at.to("auto_revert"), "auto_revert has no effect: with max_parallel = 0 there are no deployments", "There is never a stable version to go back to. Set max_parallel to 1 or more.")
	}
}

// firstOf is the path to the first attribute of a block that the text has.
func (l *linter) firstOf(at path, names ...string) path {
	for _, name := range names {
		if l.has(at.to(name)) {
			return at.to(name)
		}
	}
	return at
}

func (l *linter) lintStaticPorts(at path, g *api.TaskGroup) {
	count := orDefault(g.Count, 1)
	if count < 2 || distinctHosts(l.job.Constraints) || distinctHosts(g.Constraints) {
		return
	}
	for i, n := range g.Networks {
		for _, port := range n.ReservedPorts {
			l.warn(at.nth("network", i).labelled("port", port.Label).to("static"),
				fmt.Sprintf("port %q is static, and count is %d: one node can run only one of them", port.Label, count),
				"Leave static out, or add a constraint with distinct_hosts = true.")
		}
	}
}

func distinctHosts(list []*api.Constraint) bool {
	return slices.ContainsFunc(list, func(c *api.Constraint) bool {
		return c.Operand == api.ConstraintDistinctHosts && c.RTarget != "false"
	})
}

// bareWord is the word that stood in the text without quotes, if value came from one.
func bareWord(value string) (string, bool) {
	word, ok := strings.CutPrefix(value, "${")
	word, closed := strings.CutSuffix(word, "}")
	return word, ok && closed && hclsyntax.ValidIdentifier(word)
}

func (l *linter) lintTask(at path, t *api.Task) {
	if word, ok := bareWord(t.Driver); ok {
		l.warn(at.to("driver"), fmt.Sprintf("the driver is %q, which no client has", t.Driver),
			fmt.Sprintf("A word without quotes is interpolated when the task starts. Write driver = %q.", word))
	}
	for i, a := range t.Artifacts {
		l.lintArtifact(at.nth("artifact", i), a)
	}
	l.lintImage(at, t)
	if r := t.Resources; r != nil {
		if len(r.Networks) > 0 {
			l.warn(at.to("resources", "network"), "a network in resources is deprecated", "Move it to the group.")
		}
		if r.IOPS != nil {
			l.warn(at.to("resources", "iops"), "iops is deprecated and has no effect", "Remove it.")
		}
	}
	if t.Vault != nil && len(t.Vault.Policies) > 0 {
		l.warn(at.to("vault", "policies"), "policies of vault is deprecated", "Give the task a role for its workload identity instead.")
	}
	for i, tmpl := range t.Templates {
		if tmpl.VaultGrace != nil {
			l.warn(at.nth("template", i).to("vault_grace"), "vault_grace is deprecated and has no effect", "Remove it.")
		}
	}
	if t.LogConfig != nil && t.LogConfig.Enabled != nil {
		l.warn(at.to("logs", "enabled"), "enabled of logs is deprecated", "Write disabled, with the opposite value.")
	}
}

func (l *linter) lintArtifact(at path, a *api.TaskArtifact) {
	source := deref(a.GetterSource)
	var secret string
	for _, name := range slices.Sorted(maps.Keys(a.GetterOptions)) {
		if strings.HasPrefix(name, "aws_") {
			secret = name
			break
		}
	}
	if strings.HasPrefix(source, "https://") && strings.Contains(source, "amazonaws.com") && secret != "" {
		l.warn(at.to("source"), fmt.Sprintf("%s travels in the query string of an https address", secret),
			"Write source = \"s3::"+source+"\", so that the request is signed instead.")
	}
	if hasLatest(source) {
		l.warn(at.to("source"), "the artifact is called latest", "Two deploys of one version may run different code. Put the commit in the name.")
	}
}

// hasLatest reports whether latest stands in an address as a word of its own.
func hasLatest(source string) bool {
	words := strings.FieldsFunc(source, func(r rune) bool { return !unicode.IsLetter(r) })
	return slices.Contains(words, "latest")
}

// lintImage warns about a container image that may change between two starts.
func (l *linter) lintImage(at path, t *api.Task) {
	image, ok := t.Config["image"].(string)
	if !ok || t.Driver != "docker" && t.Driver != "podman" {
		return
	}
	const hint = "Two starts of one version may run different code. Name a version or a digest."
	name := image[strings.LastIndexByte(image, '/')+1:]
	switch {
	case strings.Contains(image, "${") || strings.Contains(image, "@"):
	case strings.HasSuffix(name, ":latest"):
		l.warn(at.to("config", "image"), fmt.Sprintf("the image %q is latest", image), hint)
	case !strings.Contains(name, ":"):
		l.warn(at.to("config", "image"), fmt.Sprintf("the image %q has no tag, so it is latest", image), hint)
	}
}
