package state

import (
	"encoding/json"
	"maps"

	"github.com/hashicorp/go-memdb"
	"github.com/hashicorp/nomad/api"
)

// The tables of what jobs share: who offers which service, and what is kept for
// them under a path.
const (
	tableServices  = "service_registrations"
	tableVariables = "variables"
	tableLocks     = "variable_locks"
)

const byAlloc = "alloc"

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
	}
}

// withCatalogue adds the tables to those that there are.
func withCatalogue(tables map[string]map[string]*memdb.IndexSchema) map[string]map[string]*memdb.IndexSchema {
	maps.Copy(tables, catalogueTables())
	return tables
}

// catalogueOrder says how rows of these tables are read from disk.
func (d *disk) catalogueOrder() []diskTable {
	return []diskTable{
		{tableServices, plain[api.ServiceRegistration]}, {tableLocks, plain[Lock]},
		{tableVariables, func(_ *memdb.Txn, value []byte) (any, error) {
			row := &variableRow{}
			if err := json.Unmarshal(value, row); err != nil {
				return nil, err
			}
			return d.openVariable(row)
		}},
	}
}
