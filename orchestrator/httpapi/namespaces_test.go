package httpapi

import (
	"strings"
	"testing"

	"github.com/hashicorp/nomad/api"
	"github.com/hashicorp/nomad/api/contexts"

	"ostro/orchestrator/state"
)

func TestNamespaces(t *testing.T) {
	client, c := newAgent(t)
	namespaces := client.Namespaces()
	if _, err := namespaces.Register(&api.Namespace{Name: "team", Description: "ours", Meta: map[string]string{"a": "b"}}, nil); err != nil {
		t.Fatal(err)
	}
	got, _, err := namespaces.Info("team", nil)
	if err != nil || got.Description != "ours" || got.Meta["a"] != "b" || got.CreateIndex < 2 {
		t.Errorf("the namespace is %+v, %v", got, err)
	}
	for name, want := range map[string]string{"default": "C7UbjDwBK0dK8wQq7Izg7SJIzaV+lIo2X7wRtzY3pSw=", "team": "IetIob+LzXY5FGo67vcW6KoVKrx82kMzrJnEsPbTY+c="} { // the first was read from Nomad
		var hashed struct{ Hash string }
		if _, err := client.Raw().Query("/v1/namespace/"+name, &hashed, nil); err != nil || hashed.Hash != want {
			t.Errorf("the hash of %s is %s, %v, not %s", name, hashed.Hash, err, want)
		}
	}
	list, _, err := namespaces.List(nil)
	if err != nil || len(list) != 2 || list[0].Name != "team" || list[1].Name != "default" {
		t.Errorf("listed %v, %v", list, err)
	}
	_, err = namespaces.Register(&api.Namespace{Name: "bad name"}, nil)
	refused(t, err, 500, "Invalid namespace \"bad name\": 1 error occurred:\n\t* invalid name \"bad name\". Must match regex ^[a-zA-Z0-9-]{1,128}$")
	_, err = namespaces.Delete("nope", nil)
	refused(t, err, 500, "namespace not found")
	_, err = namespaces.Delete("default", nil)
	refused(t, err, 500, "can not delete default namespace")

	// Variables and jobs hold a namespace.
	team := &api.WriteOptions{Namespace: "team"}
	if _, _, err := client.Variables().Create(testVariable("a", "b"), team); err != nil {
		t.Fatal(err)
	}
	job := testJob("web")
	job.Namespace = new("team")
	register(t, client, job)
	_, err = namespaces.Delete("team", nil)
	refused(t, err, 500, "2 errors occurred:\n\t* namespace \"team\" has non-terminal jobs in regions: [global]\n\t* namespace \"team\" has variables associated with it in regions: [global]")
	if _, err := client.Variables().Delete("a", team); err != nil {
		t.Fatal(err)
	}
	update(t, c, func(tx *state.Txn) { tx.StopJob("team", "web", true, 0) })
	if _, err := namespaces.Delete("team", nil); err != nil {
		t.Errorf("the empty namespace: %v", err)
	}
}

func TestNodePools(t *testing.T) {
	client, c := newAgent(t)
	pools := client.NodePools()
	if _, err := pools.Register(&api.NodePool{Name: "gpu", Description: "cards"}, nil); err != nil {
		t.Fatal(err)
	}
	got, _, err := pools.Info("gpu", nil)
	if err != nil || got.Description != "cards" || got.NodeIdentityTTL != poolIdentityTTL {
		t.Errorf("the pool is %+v, %v", got, err)
	}
	list, meta, err := pools.List(&api.QueryOptions{PerPage: 2})
	if err != nil || len(list) != 2 || list[0].Name != "all" || meta.NextToken != "gpu" {
		t.Errorf("listed %v, then %q, %v", list, meta.NextToken, err)
	}
	for name, want := range map[string]string{
		"bad name": "invalid node pool \"bad name\": 1 error occurred:\n\t* invalid name \"bad name\", must match regex ^[a-zA-Z0-9-_]{1,128}$",
		"default":  `modifying node pool "default" is not allowed`,
	} {
		_, err := pools.Register(&api.NodePool{Name: name}, nil)
		refused(t, err, 400, want)
	}
	_, _, err = pools.Info("nope", nil)
	refused(t, err, 404, "node pool not found")
	_, err = pools.Delete("nope", nil)
	refused(t, err, 500, "node pool nope not found")
	_, err = pools.Delete("all", nil)
	refused(t, err, 500, `deleting node pool "all" is not allowed`)

	job := testJob("web")
	job.NodePool = new("gpu")
	register(t, client, job)
	update(t, c, func(tx *state.Txn) {
		tx.PutNode(&api.Node{ID: "n", Name: "one", NodePool: "gpu"})
		tx.PutNode(&api.Node{ID: "m", Name: "two", NodePool: "new"})
	})
	_, err = pools.Delete("gpu", nil)
	refused(t, err, 500, "2 errors occurred:\n\t* node pool \"gpu\" has non-terminal jobs in regions: [global]\n\t* node pool \"gpu\" has nodes in regions: [global]")
	jobs, _, err := pools.ListJobs("gpu", nil)
	if err != nil || len(jobs) != 1 || jobs[0].ID != "web" {
		t.Errorf("the jobs of the pool are %v, %v", jobs, err)
	}
	nodes, _, err := pools.ListNodes("all", nil)
	if err != nil || len(nodes) != 2 {
		t.Errorf("all nodes are %v, %v", nodes, err)
	}
	if made, _, err := pools.Info("new", nil); err != nil || made.Name != "new" {
		t.Errorf("the pool that a node made is %v, %v", made, err)
	}
}

func TestFuzzySearch(t *testing.T) {
	client, c := newAgent(t)
	job := testJob("webserver")
	job.TaskGroups[0].Services = []*api.Service{{Name: "the-web", Provider: "nomad"}}
	register(t, client, job)
	update(t, c, func(tx *state.Txn) { tx.PutNode(&api.Node{ID: "n", Name: "spiderweb"}) })
	if _, _, err := client.Variables().Create(testVariable("app/web", "b"), nil); err != nil {
		t.Fatal(err)
	}
	reply, _, err := client.Search().FuzzySearch("WEB", contexts.All, nil)
	if err != nil {
		t.Fatal(err)
	}
	for kind, want := range map[contexts.Context]api.FuzzyMatch{
		contexts.Jobs:      {ID: "webserver", Scope: []string{"default", "webserver"}},
		contexts.Services:  {ID: "the-web", Scope: []string{"default", "webserver", "g"}},
		contexts.Nodes:     {ID: "spiderweb", Scope: []string{"n"}},
		contexts.Variables: {ID: "app/web", Scope: []string{"default", "app/web"}},
	} {
		got := reply.Matches[kind]
		if len(got) != 1 || got[0].ID != want.ID || join(got[0].Scope) != join(want.Scope) {
			t.Errorf("%s: got %v, want %v", kind, got, want)
		}
	}
	if found, _, err := client.Search().FuzzySearch("true", contexts.Jobs, nil); err != nil || len(found.Matches[contexts.Commands]) != 1 {
		t.Errorf("the command is %v, %v", found, err)
	}
	_, _, err = client.Search().FuzzySearch("w", contexts.All, nil)
	refused(t, err, 500, "fuzzy search query must be at least 2 characters, got 1")
}

func TestPrefixSearchFindsWhatIsShared(t *testing.T) {
	client, _ := newAgent(t)
	if _, _, err := client.Variables().Create(testVariable("app/web", "b"), nil); err != nil {
		t.Fatal(err)
	}
	for prefix, kind := range map[string]contexts.Context{"app": contexts.Variables, "al": contexts.NodePools, "def": contexts.Namespaces} {
		reply, _, err := client.Search().PrefixSearch(prefix, contexts.All, nil)
		if err != nil || len(reply.Matches[kind]) != 1 {
			t.Errorf("%s: found %v, %v", prefix, reply, err)
		}
	}
}

func TestJobStatuses(t *testing.T) {
	client, _ := withServices(t)
	register(t, client, testJob("later"))
	var list []jobStatus
	meta, err := client.Raw().Query("/v1/jobs/statuses", &list, &api.QueryOptions{PerPage: 1})
	if err != nil || len(list) != 1 || list[0].ID != "later" || meta.NextToken == "" {
		t.Fatalf("the first page is %+v, then %q, %v", list, meta.NextToken, err)
	}
	list = nil
	if _, err := client.Raw().Query("/v1/jobs/statuses", &list, &api.QueryOptions{PerPage: 1, NextToken: meta.NextToken}); err != nil {
		t.Fatal(err)
	}
	if len(list) != 1 || list[0].ID != "web" || len(list[0].Allocs) != 2 || list[0].GroupCountSum != 1 {
		t.Errorf("the second page is %+v", list)
	}
	some := []jobStatus{}
	asked := map[string]any{"Jobs": []map[string]string{{"ID": "web", "Namespace": "default"}}}
	if _, err := client.Raw().Write("/v1/jobs/statuses", asked, &some, nil); err != nil || len(some) != 1 || some[0].ID != "web" {
		t.Errorf("asked for one job: %+v, %v", some, err)
	}
}

func TestCountEvaluations(t *testing.T) {
	client, _ := newAgent(t)
	register(t, client, testJob("one"))
	register(t, client, testJob("two"))
	all, _, err := client.Evaluations().Count(nil)
	if err != nil || all.Count != 2 {
		t.Errorf("counted %+v, %v", all, err)
	}
	some, _, err := client.Evaluations().Count(&api.QueryOptions{Filter: `JobID == "one"`})
	if err != nil || some.Count != 1 {
		t.Errorf("counted %+v of one job, %v", some, err)
	}
	_, _, err = client.Evaluations().List(&api.QueryOptions{Filter: `JobID == "one"`, Params: map[string]string{"status": "pending"}})
	if err == nil || !strings.Contains(err.Error(), "400 (Filter expression cannot be used with other filter parameters)") {
		t.Errorf("a filter beside a status: %v", err)
	}
}
