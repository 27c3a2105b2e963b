package httpapi

import (
	"context"
	"math/rand/v2"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/hashicorp/go-memdb"
	"github.com/hashicorp/nomad/api"

	"ostro/orchestrator/state"
)

// The time that a blocking query waits, by default and at most. (Nomad.)
const maxWait = 5 * time.Minute

// request is an http.Request with the parameters that every path knows.
type request struct {
	*http.Request
	query     url.Values
	namespace string
	prefix    string
	filter    string
	// index is what the answer must be newer than; 0 does not wait.
	index     uint64
	wait      time.Duration
	perPage   int
	nextToken string
	reverse   bool
}

// parse reads the parameters. (Nomad: the texts.)
func (s *server) parse(r *http.Request) (*request, error) {
	q := r.URL.Query()
	req := &request{
		Request: r, query: q, namespace: q.Get("namespace"), prefix: q.Get("prefix"), filter: q.Get("filter"),
		nextToken: q.Get("next_token"), reverse: q.Get("reverse") == "true", wait: maxWait,
	}
	if req.namespace == "" {
		req.namespace = api.DefaultNamespace
	}
	if !s.isOurRegion(q.Get("region")) {
		return nil, fail(http.StatusInternalServerError, "No path to region")
	}
	if stale := q.Get("stale"); stale != "" {
		if _, err := strconv.ParseBool(stale); err != nil {
			return nil, badRequest("Expect `true` or `false` for `stale` query string parameter")
		}
	}
	var err error
	if wait := q.Get("wait"); wait != "" {
		if req.wait, err = time.ParseDuration(wait); err != nil {
			return nil, badRequest("Invalid wait time")
		}
		req.wait = min(max(req.wait, 0), maxWait)
	}
	if index := q.Get("index"); index != "" {
		if req.index, err = strconv.ParseUint(index, 10, 64); err != nil {
			return nil, indexError(r.URL.Path, index)
		}
	}
	if n := q.Get("per_page"); n != "" {
		perPage, err := strconv.ParseInt(n, 10, 32)
		if err != nil {
			return nil, badRequest("Expect a number for `per_page` query string parameter")
		}
		req.perPage = int(perPage)
	}
	return req, nil
}

// indexError refuses what is no index. (Nomad: the texts.)
func indexError(path, text string) error {
	if _, err := strconv.Atoi(text); err != nil && path == "/v1/event/stream" {
		return badRequest("Unable to parse index: %v", err)
	}
	return badRequest("Invalid index")
}

// flag reads a boolean parameter; absent is false.
func (r *request) flag(name string) (bool, error) {
	text := r.query.Get(name)
	if text == "" {
		return false, nil
	}
	value, err := strconv.ParseBool(text)
	if err != nil {
		return false, textErrorf("Failed to parse value of %q (%v) as a bool: %v", name, text, err)
	}
	return value, nil
}

// allNamespaces tells whether the request is about every namespace.
func (r *request) allNamespaces() bool { return r.namespace == api.AllNamespacesNamespace }

// in tells whether a namespace is one that the request is about.
func (r *request) in(namespace string) bool { return r.allNamespaces() || r.namespace == namespace }

// wait reads; when the request asks for news, it waits until there are some,
// its time is up or the client has gone. (Nomad: with a jitter of a sixteenth.)
func wait[T any](s *server, r *request, read func(*state.Snapshot, memdb.WatchSet) (T, uint64)) (T, uint64) {
	ctx := r.Context()
	if r.index > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, r.wait+rand.N(r.wait/16+1))
		defer cancel()
	}
	return state.Wait(ctx, s.Store, r.index, read)
}

// one reads a single object with its own index; when there is none, it is
// missing as of the index of the table.
func one[T any](s *server, r *request, table, text string, read func(*state.Snapshot, memdb.WatchSet) (*T, uint64)) (*T, uint64, error) {
	object, index := wait(s, r, func(snap *state.Snapshot, watch memdb.WatchSet) (*T, uint64) {
		object, index := read(snap, watch)
		if object == nil {
			index = snap.TableIndex(table)
		}
		return object, index
	})
	if object == nil {
		return nil, 0, missing(text, index)
	}
	return object, index, nil
}
