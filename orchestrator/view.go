package orchestrator

import (
	"github.com/hashicorp/go-memdb"
	"github.com/hashicorp/nomad/api"

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
