package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/hashicorp/nomad/api"
	"github.com/rogpeppe/go-internal/testscript"

	"ostro/nomadtest/freeport"
	"ostro/orchestrator"
)

// TestExamples deploys what examples/ holds, each as its README says, mostly on
// an orchestrator of three nodes.
func TestExamples(t *testing.T) {
	if os.Getenv("OSTRO_TEST") != "full" {
		t.Skip("OSTRO_TEST is not full: the examples are not deployed")
	}
	files, err := filepath.Glob("testdata/examples/*.txtar")
	if err != nil || len(files) == 0 {
		t.Fatalf("there are no scripts: %v", err)
	}
	runScripts(t, files, func(env *testscript.Env) error {
		env.Setenv("DOCKER_HOST", os.Getenv("DOCKER_HOST"))
		conf := orchestrator.Config{Nodes: 3}
		if filepath.Base(env.WorkDir) == "script-consul" {
			conf.Nodes = 1 // Fabio listens on the same ports on every node, and these are one machine
			// Whoever else is on this machine knows the default ports, too.
			for _, name := range []string{"CONSUL_PORT", "FABIO_PORT", "FABIO_PAGE"} {
				env.Setenv(name, strconv.Itoa(freeport.Take()))
			}
			conf.Consul = "127.0.0.1:" + env.Getenv("CONSUL_PORT")
		}
		return setupWith(env, conf)
	})
}

// hasDocker asks the daemon.
func hasDocker() bool { return exec.Command("docker", "version").Run() == nil }

func clientOf(ts *testscript.TestScript) *api.Client {
	client, err := api.NewClient(&api.Config{Address: ts.Getenv("NOMAD_ADDR")})
	ts.Check(err)
	return client
}

// serves waits until a service has so many instances with a tag, and each answers
// with a text: serves 2 SERVICE TEXT [TAG].
func serves(ts *testscript.TestScript, _ bool, args []string) {
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	client := clientOf(ts)
	awaitTrue(ts, "serves "+strings.Join(args, " "), func() bool {
		instances, _, err := client.Services().Get(args[1], nil)
		if err != nil {
			return false
		}
		if len(args) > 3 {
			instances = slices.DeleteFunc(instances, func(s *api.ServiceRegistration) bool { return !slices.Contains(s.Tags, args[3]) })
		}
		return len(instances) == want && !slices.ContainsFunc(instances, func(s *api.ServiceRegistration) bool {
			return answer(context.Background(), s, args[2]) != nil
		})
	})
}

// answer tells why an instance does not answer with a text. One that names itself
// in X-Instance has to be the one that was asked.
func answer(ctx context.Context, s *api.ServiceRegistration, text string) error {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, fmt.Sprintf("http://%s:%d/", s.Address, s.Port), nil)
	if err != nil {
		return err
	}
	req.Close = true
	reply, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	defer reply.Body.Close()
	body, err := io.ReadAll(reply.Body)
	if err == nil && (reply.StatusCode != http.StatusOK || !strings.Contains(string(body), text)) {
		err = fmt.Errorf("%s: %q", reply.Status, body)
	}
	if name := reply.Header.Get("X-Instance"); name != "" && name != s.AllocID {
		err = errors.Join(err, fmt.Errorf("instance %s, not %s", name, s.AllocID))
	}
	return err
}

// wrote waits until a task of some allocation has written a text: wrote TASK TEXT.
func wrote(ts *testscript.TestScript, _ bool, args []string) {
	client := clientOf(ts)
	awaitTrue(ts, "wrote "+strings.Join(args, " "), func() bool {
		allocs, _, err := client.Allocations().List(nil)
		ts.Check(err)
		return slices.ContainsFunc(allocs, func(a *api.AllocationListStub) bool {
			return says(fmt.Sprintf("%s/v1/client/fs/logs/%s?task=%s&type=stdout&plain=true", ts.Getenv("NOMAD_ADDR"), a.ID, args[0]), args[1])
		})
	})
}

// says reports whether the answer of a URL holds a text.
func says(url, text string) bool {
	reply, err := http.Get(url)
	if err != nil {
		return false
	}
	defer reply.Body.Close()
	body, err := io.ReadAll(reply.Body)
	return err == nil && strings.Contains(string(body), text)
}

// drain empties the node of one instance of a service, while somebody asks the
// instances that the catalogue names every 10 ms: no request may fail.
func drain(ts *testscript.TestScript, _ bool, args []string) {
	client := clientOf(ts)
	instances, _, err := client.Services().Get(args[0], nil)
	ts.Check(err)
	if len(instances) < 2 {
		ts.Fatalf("%s has %d instances", args[0], len(instances))
	}
	ctx, cancel := context.WithCancel(context.Background())
	failures := make(chan error, 1)
	go func() { failures <- askAlways(ctx, client, args[0]) }()
	node := instances[0].NodeID
	_, err = client.Nodes().UpdateDrain(node, &api.DrainSpec{Deadline: 5 * time.Minute}, false, nil)
	if err == nil {
		awaitTrue(ts, "the node is drained", func() bool {
			n, _, err := client.Nodes().Info(node, nil)
			ts.Check(err)
			now, _, err := client.Services().Get(args[0], nil)
			ts.Check(err)
			here := slices.ContainsFunc(now, func(s *api.ServiceRegistration) bool { return s.NodeID == node })
			return n.DrainStrategy == nil && !here && len(now) == len(instances)
		})
	}
	cancel()
	ts.Check(errors.Join(err, <-failures))
}

// askAlways gives the first request that failed before ctx ended.
func askAlways(ctx context.Context, client *api.Client, service string) error {
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for i := 0; ; i++ {
		select {
		case <-ctx.Done():
			if i == 0 {
				return errors.New("nothing was asked")
			}
			return nil
		case <-tick.C:
		}
		instances, _, err := client.Services().Get(service, (&api.QueryOptions{}).WithContext(ctx))
		if err == nil && len(instances) == 0 {
			err = errors.New("there is no instance")
		}
		if err == nil {
			err = answer(ctx, instances[i%len(instances)], "")
		}
		if err != nil && ctx.Err() == nil {
			return fmt.Errorf("request %d: %w", i, err)
		}
	}
}
