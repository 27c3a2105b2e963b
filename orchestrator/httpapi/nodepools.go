package httpapi

import (
	"net/http"
	"regexp"
	"slices"
	"sync"
	"time"

	"github.com/hashicorp/go-memdb"
	"github.com/hashicorp/nomad/api"

	"ostro/orchestrator/state"
)

var validPool = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile("^[a-zA-Z0-9-_]{1,128}$") })

// poolIdentityTTL is how long the identity of a node lasts where its pool does
// not say. (Nomad.)
const poolIdentityTTL = 24 * time.Hour

// poolReply is a node pool as it is answered: its time is a number. (Nomad.)
type poolReply struct {
	Name                     string
	Description              string
	Meta                     map[string]string
	NodeIdentityTTL          time.Duration
	SchedulerConfiguration   *api.NodePoolSchedulerConfiguration
	Hash                     []byte
	CreateIndex, ModifyIndex uint64
}

func poolAnswer(pool *api.NodePool) *poolReply {
	reply := &poolReply{
		Name: pool.Name, Description: pool.Description, Meta: pool.Meta, NodeIdentityTTL: pool.NodeIdentityTTL,
		SchedulerConfiguration: pool.SchedulerConfiguration, CreateIndex: pool.CreateIndex, ModifyIndex: pool.ModifyIndex,
	}
	if reply.NodeIdentityTTL == 0 {
		reply.NodeIdentityTTL = poolIdentityTTL
	}
	if !builtinPool(pool.Name) {
		reply.Hash = contentHash(pool.Meta, pool.Name, pool.Description, reply.NodeIdentityTTL.String())
	}
	return reply
}

func (s *server) listNodePools(r *request) (any, error) {
	pools, index := wait(s, r, func(snap *state.Snapshot, watch memdb.WatchSet) ([]*api.NodePool, uint64) {
		return snap.NodePools(watch, r.prefix), snap.TableIndex("node_pools")
	})
	list := make([]*poolReply, len(pools))
	for i, pool := range pools {
		list[i] = poolAnswer(pool)
	}
	list, next, err := page(r, list, func(pool *poolReply) key { return nameKey(pool.Name) })
	return answer{value: list, index: index, next: next}, err
}

func (s *server) readNodePool(r *request) (any, error) {
	pool, index, err := one(s, r, "node_pools", "node pool not found",
		func(snap *state.Snapshot, watch memdb.WatchSet) (*api.NodePool, uint64) {
			pool := snap.NodePool(watch, r.id())
			if pool == nil {
				return nil, 0
			}
			return pool, pool.ModifyIndex
		})
	if err != nil {
		return nil, err
	}
	return answer{value: poolAnswer(pool), index: index}, nil
}

func builtinPool(name string) bool { return name == api.NodePoolAll || name == api.NodePoolDefault }

// writeNodePool makes or changes a node pool. (Nomad: the texts.)
func (s *server) writeNodePool(r *request) (any, error) {
	pool := &api.NodePool{}
	if err := decode(r, pool); err != nil {
		return nil, err
	}
	if r.id() != "" && r.id() != pool.Name {
		return nil, badRequest("Node pool name does not match request path")
	}
	if pool.SchedulerConfiguration != nil {
		return nil, textError(`Feature "Node Pools Governance" is unlicensed`) // (Nomad.)
	}
	p := problems{}
	p.refuse(!validPool().MatchString(pool.Name), "invalid name %q, must match regex %s", pool.Name, validPool())
	p.refuse(len(pool.Description) > maxDescription, "description longer than %d", maxDescription)
	if err := p.err(); err != nil {
		return nil, badRequest("invalid node pool %q: %v", pool.Name, err)
	}
	if builtinPool(pool.Name) {
		return nil, badRequest("modifying node pool %q is not allowed", pool.Name)
	}
	index, err := s.Store.Update(func(tx *state.Txn) error {
		tx.PutNodePool(pool)
		return nil
	})
	return noContent(http.StatusOK, index), err
}

// deleteNodePool refuses as long as a node or a job is in the pool. (Nomad: the
// texts.)
func (s *server) deleteNodePool(r *request) (any, error) {
	name := r.id()
	if name == "" {
		return nil, badRequest("node pool name is empty")
	}
	index, err := s.Store.Update(func(tx *state.Txn) error {
		p := problems{}
		live := func(job *api.Job) bool { return *job.Status != state.JobDead }
		p.refuse(slices.ContainsFunc(poolJobs(&tx.Snapshot, nil, name), live), "node pool %q has non-terminal jobs in regions: [%s]", name, s.Region)
		p.refuse(name != api.NodePoolAll && len(poolNodes(&tx.Snapshot, nil, name)) > 0, "node pool %q has nodes in regions: [%s]", name, s.Region)
		if err := p.err(); err != nil {
			return err
		}
		if builtinPool(name) {
			return fail(http.StatusInternalServerError, "deleting node pool %q is not allowed", name)
		}
		if tx.NodePool(nil, name) == nil {
			return fail(http.StatusInternalServerError, "node pool %s not found", name)
		}
		tx.DeleteNodePool(name)
		return nil
	})
	return noContent(http.StatusOK, index), err
}

func poolJobs(snap *state.Snapshot, watch memdb.WatchSet, pool string) []*api.Job {
	return slices.DeleteFunc(snap.Jobs(watch, api.AllNamespacesNamespace, ""), func(job *api.Job) bool { return *job.NodePool != pool })
}

// poolNodes are the nodes of a pool; the pool "all" has every node.
func poolNodes(snap *state.Snapshot, watch memdb.WatchSet, pool string) []*api.Node {
	return slices.DeleteFunc(snap.Nodes(watch), func(n *api.Node) bool { return pool != api.NodePoolAll && n.NodePool != pool })
}

func (s *server) nodePoolJobs(r *request) (any, error) {
	return s.jobList(r, func(snap *state.Snapshot, watch memdb.WatchSet) []*api.Job {
		return slices.DeleteFunc(poolJobs(snap, watch, r.id()), func(job *api.Job) bool { return !r.in(*job.Namespace) })
	})
}

func (s *server) nodePoolNodes(r *request) (any, error) {
	return s.nodeList(r, func(snap *state.Snapshot, watch memdb.WatchSet) []*api.Node { return poolNodes(snap, watch, r.id()) })
}
