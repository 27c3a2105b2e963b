package orchestrator

import (
	"context"
	"errors"
	"time"

	"github.com/hashicorp/go-memdb"
	"github.com/hashicorp/nomad/api"

	"ostro/orchestrator/consul"
	"ostro/orchestrator/runner"
	"ostro/orchestrator/template"
)

// view is the state as templates see it.
func (o *Orchestrator) view() runner.View {
	snapshot, watch := o.store.Snapshot(), memdb.NewWatchSet()
	return runner.View{
		Nomad: template.Nomad{
			Variable:  func(namespace, path string) *api.Variable { return snapshot.Variable(watch, namespace, path) },
			Variables: func(namespace, prefix string) []*api.Variable { return snapshot.Variables(watch, namespace, prefix) },
			Services: func(namespace, name string) []*api.ServiceRegistration {
				return snapshot.Services(watch, namespace, name)
			},
		},
		Changed: watch.WatchCtx,
	}
}

// consulStandIn is the version of Consul that the own catalogue stands in for:
// jobs with services constrain on one. (Nomad: >= 1.8.0.)
const consulStandIn = "1.8.0"

// consulLook is how often a Consul that was not there is looked for: it may be a
// job of this very agent.
const consulLook = 2 * time.Second

// awaitConsul looks for a Consul until there is one, and then has the services
// registered there.
func (o *Orchestrator) awaitConsul(ctx context.Context) {
	if o.consul != nil {
		return
	}
	told := ""
	for o.consul == nil {
		// Nobody need have a Consul, unless it is configured, or answers and refuses.
		if err := o.consulError; (o.conf.Consul != "" || errors.Is(err, consul.ErrRefused)) && err.Error() != told {
			told = err.Error()
			o.conf.Log.Warn("services are not registered in Consul, and live in the own catalogue until they can be", "error", err)
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(consulLook):
		}
		o.findConsul(ctx, &api.Node{Attributes: map[string]string{}})
	}
	for _, r := range o.runners {
		r.UseConsul(o.consul)
	}
}

// findConsul looks once whether there is a Consul.
func (o *Orchestrator) findConsul(ctx context.Context, node *api.Node) {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	client := consul.New(consul.Config{Address: o.conf.Consul, Token: o.conf.ConsulToken, TLS: o.conf.ConsulTLS})
	version, err := client.Version(ctx)
	if err != nil {
		node.Attributes["consul.version"], o.consulError = consulStandIn, err
		return
	}
	o.consul = client
	node.Attributes["consul.version"] = version
	o.conf.Log.Info("services are registered in Consul", "address", client.Address(), "version", version)
}
