package httpapi

import (
	"regexp"
	"strings"

	"github.com/hashicorp/nomad/api"
)

// The forms of names. (Nomad.)
const (
	identityForm = "^[a-zA-Z0-9-_]{1,128}$"
	secretForm   = "^[a-zA-Z0-9_]{1,128}$"
	actionForm   = `^[^\x00\s]{1,128}$`
)

// hasForm tells whether a name has one of these forms.
func hasForm(form, name string) bool { return regexp.MustCompile(form).MatchString(name) }

func validateIdentities(p *problems, task *api.Task) {
	if task.Identity != nil {
		p.within(validateIdentity(task.Identity), "Identity %q is invalid", task.Identity.Name)
	}
	for _, identity := range task.Identities {
		p.refuse(identity.Name == defaultIdentity, "Duplicate default identities found")
		p.within(validateIdentity(identity), "Identity %q is invalid", identity.Name)
	}
}

// defaultIdentity is the name of the identity that every task has. (Nomad.)
const defaultIdentity = "default"

func validateIdentity(id *api.WorkloadIdentity) error {
	p := &problems{}
	p.refuse(!hasForm(identityForm, id.Name), "invalid name %q. Must match regex %s", id.Name, identityForm)
	for i, audience := range id.Audience {
		p.refuse(audience == "", "an empty string is an invalid audience (%d)", i+1)
	}
	switch id.ChangeMode {
	case "", "noop", "restart":
		p.refuse(id.ChangeSignal != "", "can only use change_signal=%q with change_mode=%q", strings.ToUpper(id.ChangeSignal), "signal")
	case "signal":
		p.refuse(id.ChangeSignal == "", "change_signal must be specified when using change_mode=%q", "signal")
	default:
		p.refuse(true, "invalid change_mode: %s", id.ChangeMode)
	}
	p.refuse(id.TTL > 0 && id.Name == defaultIdentity, "ttl for default identity not yet supported")
	p.refuse(id.TTL < 0, "ttl must be >= 0")
	p.refuse(id.Filepath != "" && !id.File, "file parameter must be true in order to specify filepath")
	return p.err()
}

// identityWarnings is what an identity may be but hardly should.
func identityWarnings(id *api.WorkloadIdentity) []string {
	w := &problems{}
	w.refuse(len(id.Audience) == 0, "identities without an audience are insecure")
	w.refuse(len(id.Audience) > 1, "while multiple audiences is allowed, it is more secure to use 1 audience per identity")
	w.refuse(id.Name != defaultIdentity && id.TTL == 0, "identities without an expiration are insecure")
	w.refuse(id.Env && id.ChangeMode != "restart",
		"using env=%t without change_mode=%q may result in task not getting updated identity", id.Env, "restart")
	return w.texts()
}

func validateSecrets(p *problems, task *api.Task) {
	seen := map[string]bool{}
	for _, s := range task.Secrets {
		p.refuse(seen[s.Name], "Duplicate secret %q found", s.Name)
		seen[s.Name] = true
		p.refuse(s.Provider == "vault" && task.Vault == nil, "Secret %q has provider \"vault\" but no vault block", s.Name)
		p.within(validateSecret(s), "Secret %q is invalid", s.Name)
	}
}

func validateSecret(s *api.Secret) error {
	p := &problems{}
	p.refuse(s.Name == "", "secret name cannot be empty")
	p.refuse(!hasForm(secretForm, s.Name), "secret name must match regex %s", secretForm)
	p.refuse(s.Provider == "", "secret provider cannot be empty")
	p.refuse(s.Path == "", "secret path cannot be empty")
	own := s.Provider == "nomad" || s.Provider == "vault"
	p.refuse(own && len(s.Env) > 0, "%s provider cannot use the env block", s.Provider)
	p.refuse(!own && len(s.Config) > 0, "custom plugin provider %s cannot use the config block", s.Provider)
	return p.err()
}

func validateActions(p *problems, task *api.Task) {
	times := map[string]int{}
	for _, action := range task.Actions {
		q := &problems{}
		q.refuse(action.Command == "", "command cannot be empty")
		q.refuse(!hasForm(actionForm, action.Name), "invalid name '%s'", action.Name)
		p.within(q.err(), "Action %s validation failed", action.Name)
		times[action.Name]++
		p.refuse(times[action.Name] == 2, "Action %s defined multiple times", action.Name)
	}
}

func validateVault(v *api.Vault) error {
	if v == nil {
		return nil
	}
	p := &problems{}
	switch *v.ChangeMode {
	case "signal":
		p.refuse(v.ChangeSignal == nil || *v.ChangeSignal == "", "Signal must be specified when using change mode %q", "signal")
	case "noop", "restart":
	default:
		p.refuse(true, "Unknown change mode %q", *v.ChangeMode)
	}
	return p.err()
}
