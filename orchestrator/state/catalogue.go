package state

import (
	"maps"

	"github.com/hashicorp/go-memdb"
	"github.com/hashicorp/nomad/api"
)

// The tables of what jobs share, and of what rules the whole agent.
const (
	tableServices   = "service_registrations"
	tableVariables  = "variables"
	tableLocks      = "variable_locks"
	tableNamespaces = "namespaces"
	tablePools      = "node_pools"
	tableTokens     = "acl_token"
	tablePolicies   = "acl_policy"
	tableKeys       = "root_keys"
	tableScheduler  = "scheduler_config"
	tableNodeMeta   = "node_meta"
)

const (
	byAlloc  = "alloc"
	bySecret = "secret"
)

// catalogueTables names the indexes of these tables.
func catalogueTables() map[string]map[string]*memdb.IndexSchema {
	return map[string]map[string]*memdb.IndexSchema{
		tableServices: indexes(func(row any) []string {
			reg := row.(*api.ServiceRegistration)
			return []string{reg.Namespace, reg.ServiceName, reg.ID}
		},
			secondary(byJob, func(row any) []string {
				reg := row.(*api.ServiceRegistration)
				return []string{reg.Namespace, reg.JobID}
			}),
			secondary(byAlloc, func(row any) []string { return []string{row.(*api.ServiceRegistration).AllocID} })),
		tableVariables: indexes(func(row any) []string {
			variable := row.(*api.Variable)
			return []string{variable.Namespace, variable.Path}
		}),
		tableLocks: indexes(func(row any) []string {
			lock := row.(*Lock)
			return []string{lock.Namespace, lock.Path}
		}),
		tableNamespaces: indexes(func(row any) []string { return []string{row.(*api.Namespace).Name} }),
		tablePools:      indexes(func(row any) []string { return []string{row.(*poolRow).Name} }),
		tableTokens: indexes(func(row any) []string { return []string{row.(*api.ACLToken).AccessorID} },
			secondary(bySecret, func(row any) []string { return []string{secretDigest(row.(*api.ACLToken).SecretID)} })),
		tablePolicies:  indexes(func(row any) []string { return []string{row.(*api.ACLPolicy).Name} }),
		tableKeys:      indexes(func(row any) []string { return []string{row.(*SigningKey).ID} }),
		tableNodeMeta:  indexes(func(row any) []string { return []string{row.(*NodeMeta).NodeID} }),
		tableScheduler: indexes(func(any) []string { return []string{"config"} }),
	}
}

// withCatalogue adds the tables to those that there are.
func withCatalogue(tables map[string]map[string]*memdb.IndexSchema) map[string]map[string]*memdb.IndexSchema {
	maps.Copy(tables, catalogueTables())
	return tables
}

// catalogueOrder says how rows of these tables are read from disk.
func catalogueOrder() []diskTable {
	return []diskTable{
		{tableServices, plain[api.ServiceRegistration]}, {tableVariables, plain[api.Variable]}, {tableLocks, plain[Lock]},
		{tableNamespaces, plain[api.Namespace]}, {tablePools, plain[poolRow]},
		{tableTokens, plain[api.ACLToken]}, {tablePolicies, plain[api.ACLPolicy]}, {tableKeys, plain[SigningKey]},
		{tableScheduler, plain[api.SchedulerConfiguration]}, {tableNodeMeta, plain[NodeMeta]},
	}
}
