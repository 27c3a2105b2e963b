package orchestrator

import (
	"context"
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

// findConsul looks once whether there is a Consul.
func (o *Orchestrator) findConsul(ctx context.Context, node *api.Node) {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	client := consul.New(o.conf.Consul, o.conf.ConsulToken)
	version, err := client.Version(ctx)
	if err != nil {
		node.Attributes["consul.version"] = consulStandIn
		return
	}
	o.consul = client
	node.Attributes["consul.version"] = version
	o.conf.Log.Info("services are registered in Consul", "address", client.Address(), "version", version)
}
