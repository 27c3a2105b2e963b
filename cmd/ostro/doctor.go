package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/nomad/api"
	"github.com/urfave/cli/v2"

	"ostro/artifact"
	"ostro/tunnel"
)

func doctorCommand(t *terminal) *cli.Command {
	return &cli.Command{
		Name: "doctor", Usage: "look for what stands in the way of a deploy", ArgsUsage: "[TEMPLATE]",
		Description: "It changes nothing: an upload that it begins, to see whether it may, it takes back. Each line says ok, or what to do.",
		Flags:       join(templateFlags(), configFlags(), clientFlags(), artifactFlags(), logFlags()),
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
			d := &doctor{project: p}
			d.examine(c.Context)
			if d.failed > 0 {
				return told{fmt.Errorf("%d checks failed", d.failed)}
			}
			return nil
		},
	}
}

// doctor looks at one thing after the other.
type doctor struct {
	*project
	failed int
	// clock is what the last reply said, and when it came.
	clock, seen time.Time
}

// checkTime is how long one look may take.
const checkTime = 20 * time.Second

// errSkip is the error of a check that has nothing to look at.
type errSkip struct{ error }

// check prints one line.
func (d *doctor) check(ctx context.Context, subject string, look func(context.Context) (string, error)) bool {
	ctx, cancel := context.WithTimeout(ctx, checkTime)
	defer cancel()
	detail, err := look(ctx)
	if skipped, ok := errors.AsType[errSkip](err); ok {
		d.t.result("skip  %s: %s", subject, printable(skipped.Error()))
		return true
	}
	if err == nil {
		d.t.result("ok    %s: %s", subject, printable(detail))
		return true
	}
	d.failed++
	d.t.result("fail  %s: %s", subject, printable(oneLine(err)))
	if hint := hintOf(err); hint != "" {
		d.t.result("      %s", printable(hint))
	}
	return false
}

// oneLine is an error without what diagnostics say of the source.
func oneLine(err error) string {
	if diags, ok := errors.AsType[hcl.Diagnostics](err); ok && len(diags) > 0 {
		text := diags[0].Summary
		if diags[0].Subject != nil {
			text = position(diags[0].Subject) + text
		}
		if len(diags) > 1 {
			text += fmt.Sprintf(" (and %d more)", len(diags)-1)
		}
		return text
	}
	return err.Error()
}

// hintOf is the next step that an error carries, or "".
func hintOf(err error) string {
	if refused, ok := errors.AsType[*tunnel.Error](err); ok && refused.Hint != "" {
		return refused.Hint
	}
	if hinted, ok := errors.AsType[hintError](err); ok {
		return hinted.hint
	}
	if diags, ok := errors.AsType[hcl.Diagnostics](err); ok && len(diags) > 0 {
		return diags[0].Detail
	}
	return ""
}

func (d *doctor) examine(ctx context.Context) {
	d.check(ctx, "configuration", d.configuration)
	d.check(ctx, "variables", d.templates)
	d.check(ctx, "DNS", d.dns)
	d.replied = func(h http.Header) {
		if at, err := http.ParseTime(h.Get("Date")); err == nil {
			d.clock, d.seen = at, time.Now()
		}
	}
	var to *target
	if host := d.sshHost(); host != "" {
		if !d.check(ctx, "SSH and host key", func(context.Context) (_ string, err error) {
			to, err = d.connect(ctx)
			return "connected to " + host, err
		}) {
			return
		}
	} else if !d.check(ctx, "connection", func(context.Context) (_ string, err error) {
		if to, err = d.connect(ctx); err != nil {
			return "", err
		}
		return to.address, nil
	}) {
		return
	}
	defer to.close()
	if d.check(ctx, "Nomad", func(ctx context.Context) (string, error) { return nomadVersion(ctx, to.client) }) {
		d.check(ctx, "token", func(ctx context.Context) (string, error) { return d.token(ctx, to.client) })
		d.check(ctx, "clock", d.skew)
	}
	d.check(ctx, "bucket", func(ctx context.Context) (string, error) { return d.reachBucket(ctx, to) })
}

func (d *doctor) configuration(context.Context) (string, error) {
	if d.file == nil {
		return "", errSkip{errors.New("there is no ostro.hcl: flags and the environment say everything")}
	}
	text := d.file.Path
	if d.config.Environment != nil {
		text += fmt.Sprintf(", environment %q", d.config.Environment.Name)
	}
	return text, nil
}

// templates renders and parses every template with the variables that it would
// get.
func (d *doctor) templates(ctx context.Context) (string, error) {
	if len(d.jobs) == 0 {
		return "", errSkip{errors.New("there is no template here")}
	}
	var names []string
	for _, job := range d.jobs {
		r, err := d.parse(ctx, job)
		if err != nil {
			return "", err
		}
		names = append(names, fmt.Sprintf("%s makes job %q", job.Template, *r.job().ID))
	}
	return strings.Join(names, ", "), nil
}

// sshHost is the server that leads to Nomad, or "".
func (d *doctor) sshHost() string {
	if host := d.c.String("ssh"); host != "" || d.c.IsSet("address") || d.standalone() {
		return host
	}
	return d.config.SSH.Host
}

func (d *doctor) dns(ctx context.Context) (string, error) {
	ssh := d.sshHost()
	host := hostOf(d.clientConfig().Address)
	if ssh != "" {
		_, name, found := strings.Cut(ssh, "@")
		if !found {
			name = ssh
		}
		host = hostOf("ssh://" + name)
	}
	switch {
	case d.standalone():
		return "", errSkip{errors.New("the orchestrator is built in")}
	case ssh == "" && strings.HasPrefix(d.clientConfig().Address, "unix:"):
		return "", errSkip{errors.New("the address is a socket of this machine")}
	case net.ParseIP(host) != nil:
		return host + " is an address", nil
	}
	addresses, err := net.DefaultResolver.LookupHost(ctx, host)
	switch {
	case err == nil:
		return fmt.Sprintf("%s is %s", host, strings.Join(addresses, ", ")), nil
	case ssh != "":
		return "", errSkip{fmt.Errorf("%s has no address: it may be a name of ~/.ssh/config", host)}
	}
	return "", withHint(fmt.Errorf("%s has no address: %w", host, err), "check -address and NOMAD_ADDR; a name that only a VPN knows needs the VPN")
}

func hostOf(address string) string {
	u, err := url.Parse(address)
	if err != nil {
		return address
	}
	return u.Hostname()
}

// nomadVersion asks for the leader, and for the version where that is allowed.
func nomadVersion(ctx context.Context, client *api.Client) (string, error) {
	query := (&api.QueryOptions{}).WithContext(ctx)
	var leader string
	if _, err := client.Raw().Query("/v1/status/leader", &leader, query); err != nil {
		if isStatus(err, http.StatusUnauthorized, http.StatusForbidden) {
			return "", withHint(err, "name a token that it knows with -token or NOMAD_TOKEN")
		}
		return "", withHint(err, "check -address, -ssh and -ssh-remote: is Nomad running there, and does a firewall let you through?")
	}
	if leader == "" {
		return "", withHint(errors.New("the servers have no leader"), "nomad server members, on a server, says who is missing")
	}
	var self api.AgentSelf
	if _, err := client.Raw().Query("/v1/agent/self", &self, query); err != nil || self.Member.Tags["build"] == "" {
		return "its leader is " + leader + "; the token may not read the version", nil
	}
	return "version " + self.Member.Tags["build"] + ", its leader is " + leader, nil
}

// token tells whose token it is, and whether it may see jobs.
func (d *doctor) token(ctx context.Context, client *api.Client) (string, error) {
	conf := d.clientConfig()
	query := (&api.QueryOptions{}).WithContext(ctx)
	whose := "none is set, and none is needed"
	if conf.SecretID != "" {
		token, _, err := client.ACLTokens().Self(query)
		switch {
		case err == nil:
			whose = fmt.Sprintf("%q, of type %s", token.Name, token.Type)
			if token.ExpirationTime != nil {
				whose += ", until " + token.ExpirationTime.Format(time.RFC3339)
			}
		case strings.Contains(err.Error(), "ACL support disabled") || isStatus(err, http.StatusNotImplemented, http.StatusNotFound):
			whose = "one is set, and this Nomad asks for none"
		default:
			return "", withHint(fmt.Errorf("the token is not taken: %w", err), "check -token and NOMAD_TOKEN: it may have expired")
		}
	}
	if _, _, err := client.Jobs().List(query); err != nil {
		if conf.SecretID == "" {
			return "", withHint(fmt.Errorf("none is set, and the jobs cannot be listed without: %w", err), "name one with -token or NOMAD_TOKEN")
		}
		return "", withHint(fmt.Errorf("the jobs of namespace %q cannot be listed: %w", orDefault(conf.Namespace, api.DefaultNamespace), err),
			"the token needs the policy write, or submit-job and read-job, for that namespace")
	}
	return whose, nil
}

func isStatus(err error, codes ...int) bool {
	reply, ok := errors.AsType[api.UnexpectedResponseError](err)
	for _, code := range codes {
		if ok && reply.StatusCode() == code {
			return true
		}
	}
	return false
}

// maxSkew is by how much the clocks may differ: uploads are signed with the time,
// and tokens end by it.
const maxSkew = 30 * time.Second

func (d *doctor) skew(context.Context) (string, error) {
	if d.clock.IsZero() {
		return "", errSkip{errors.New("the server did not tell its time")}
	}
	skew := d.seen.Sub(d.clock).Round(time.Second)
	if skew.Abs() > maxSkew {
		return "", withHint(fmt.Errorf("this machine's clock is %s off the server's", skew), "set the clocks by NTP, on both sides")
	}
	return "no more than a few seconds off the server's", nil
}

func (d *doctor) reachBucket(ctx context.Context, to *target) (string, error) {
	if d.bucket() == "" {
		return "", errSkip{errors.New("none is named")}
	}
	bucket, err := d.openBucket(ctx, to.agent)
	if err != nil {
		return "", err
	}
	for _, err := range bucket.List(ctx, "") {
		if err != nil {
			return "", withHint(err, "the keys need s3:ListBucket, s3:GetObject and s3:PutObject for %s", d.bucket())
		}
		break
	}
	if len(d.artifacts) == 0 {
		return d.bucket() + " can be listed", nil
	}
	a := d.artifacts[0]
	key, err := artifact.Key(a.key, a.name, "doctor")
	if err == nil {
		err = bucket.CheckUpload(ctx, key)
	}
	return d.bucket() + " can be listed and written to", err
}
