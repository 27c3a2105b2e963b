package runner

import (
	"cmp"
	"maps"
	"slices"
	"strings"

	"ostro/orchestrator/consul"
	"ostro/orchestrator/template"
)

// templateConsul is Consul as templates see it; nil when there is none.
func (r *Runner) templateConsul() *template.Consul {
	c := r.consul.Load()
	if c == nil {
		return nil
	}
	ctx, client := r.ctx, c.client
	return &template.Consul{
		Key: func(path string) (string, bool, error) { return client.Get(ctx, path) },
		Keys: func(prefix string) ([]*template.KeyPair, error) {
			pairs, err := client.List(ctx, prefix)
			var all []*template.KeyPair
			for _, p := range pairs {
				key := strings.TrimPrefix(strings.TrimPrefix(p.Key, prefix), "/")
				all = append(all, &template.KeyPair{Path: p.Key, Key: key, Value: string(p.Value)})
			}
			return all, err
		},
		Service: func(name, tag string) ([]*template.ConsulService, error) {
			instances, err := client.Healthy(ctx, name, tag)
			var all []*template.ConsulService
			for _, i := range instances {
				all = append(all, &template.ConsulService{
					Node: i.Node.Node, NodeID: i.Node.ID, NodeAddress: i.Node.Address, NodeDatacenter: i.Node.Datacenter,
					ID: i.Service.ID, Name: i.Service.Service, Address: cmp.Or(i.Service.Address, i.Node.Address),
					Tags: i.Service.Tags, ServiceMeta: i.Service.Meta, Port: i.Service.Port, Status: consul.Passing,
				})
			}
			slices.SortFunc(all, func(a, b *template.ConsulService) int { return cmp.Compare(a.ID, b.ID) })
			return all, err
		},
		Services: func() ([]*template.ServiceName, error) {
			catalogue, err := client.Catalogue(ctx)
			var all []*template.ServiceName
			for _, name := range slices.Sorted(maps.Keys(catalogue)) {
				all = append(all, &template.ServiceName{Name: name, Tags: catalogue[name]})
			}
			return all, err
		},
	}
}
