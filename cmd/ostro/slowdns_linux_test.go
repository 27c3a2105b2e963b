package main

import (
	"context"
	"encoding/binary"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/hashicorp/nomad/api"

	"ostro/orchestrator"
)

// slowNames runs a program in a network of its own, in which the name server is the program.
const slowNames = `ip link set lo up
mount --bind "$1" /etc/resolv.conf
shift
exec "$@"
`

// TestSlowNameServer runs itself where a lookup is given up after two questions of a second, and the
// name server answers later than that, or only after a while. What is late for good is told; what
// comes in the end is waited for, by the commands and by the agent that fetches an artifact.
func TestSlowNameServer(t *testing.T) {
	if os.Getenv("OSTRO_TEST_NAMES") == "" {
		inSlowWorld(t)
		return
	}
	names := serveNames(t)
	o, env := startForKill(t)
	port := portOf(t, &httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) { // the agent knows no such names
		r.SetURL(&url.URL{Scheme: "http", Host: o.Addr()})
	}})
	dir := t.TempDir()
	writeSlowJobs(t, dir, portOf(t, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprintln(w, "content") })))
	at := func(host string) []string { return []string{"-address", "http://" + host + ":" + port} }
	for job, c := range map[string]struct {
		flags []string
		code  int
		want  string
	}{
		"late-address":  {at("late.example.test"), codeError, "lookup late.example.test on 127.0.0.1:53: "},
		"late-ssh":      {[]string{"-ssh", "deploy@late.example.test"}, codeError, "no name server answers where late.example.test is looked up"},
		"slow":          {at("slow.example.test"), codeOK, "of version 0 is successful"},
		"late-at-first": {at("late-4-times.example.test"), codeOK, "of version 0 is successful"},
	} {
		t.Run(job, func(t *testing.T) {
			t.Parallel()
			code, said := ostroIn(t, dir, env, nil, append(append([]string{"deploy"}, c.flags...), "-var", "name="+job, "web.nomad")...)
			if code != c.code || !strings.Contains(said, c.want) {
				t.Errorf("exit code %d, want %d and %q in\n%s", code, c.code, c.want, said)
			}
			if submitted := registered(t, o, job); submitted != (code == codeOK) {
				t.Errorf("submitted: %v, with exit code %d", submitted, code)
			}
		})
	}
	t.Run("S3", func(t *testing.T) {
		t.Parallel()
		code, said := ostroIn(t, dir, env, nil, "artifact", "ls", "-endpoint", "http://late.example.test", "-bucket", "b")
		if code != codeError || !strings.Contains(said, "no name server answers where late.example.test is looked up") {
			t.Errorf("exit code %d:\n%s", code, said)
		}
	})
	t.Run("artifact", func(t *testing.T) {
		t.Parallel()
		tellWhenToldWhy(t, o, names)
		code, said := ostroIn(t, dir, env, nil, "deploy", "-var", "name=fetch", "fetch.nomad")
		if code != codeOK || !strings.Contains(said, "of version 0 is successful") {
			t.Errorf("exit code %d:\n%s", code, said)
		}
	})
}

// inSlowWorld runs the test once more, in a network and with files of its own.
func inSlowWorld(t *testing.T) {
	dir := silentWorld(t)
	resolver := filepath.Join(dir, "resolv.conf")
	if err := os.WriteFile(resolver, []byte("nameserver 127.0.0.1\noptions timeout:1 attempts:2\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	t.Parallel()
	ctx, cancel := context.WithTimeout(t.Context(), 15*time.Minute)
	defer cancel()
	inner := exec.CommandContext(ctx, "unshare", "--mount", "--net", "sh", "-ec", slowNames, "sh", resolver, self, "-test.v", "-test.run", "^TestSlowNameServer$")
	inner.Env = append(os.Environ(), "OSTRO_TEST_NAMES=slow", "GODEBUG=netdns=go")
	if out, err := inner.CombinedOutput(); err != nil || !strings.Contains(string(out), "--- PASS: TestSlowNameServer") {
		t.Errorf("%v\n%s", err, out)
	}
}

// tellWhenToldWhy has the name server answer for the artifact as soon as an event of the task says why
// it cannot be fetched.
func tellWhenToldWhy(t *testing.T, o *orchestrator.Orchestrator, names *nameServer) {
	client, err := api.NewClient(&api.Config{Address: "http://" + o.Addr()})
	if err != nil {
		t.Fatal(err)
	}
	var watching sync.WaitGroup
	t.Cleanup(watching.Wait)
	watching.Go(func() {
		tick := time.NewTicker(100 * time.Millisecond)
		defer tick.Stop()
		for !toldWhy(client) {
			select {
			case <-t.Context().Done():
				t.Error("no event says why the artifact cannot be fetched")
				return
			case <-tick.C:
			}
		}
		names.answer("files.example.test.")
	})
}

func toldWhy(client *api.Client) bool {
	stubs, _, err := client.Jobs().Allocations("fetch", true, nil)
	if err != nil {
		return false
	}
	for _, s := range stubs {
		state := s.TaskStates["t"]
		if state == nil {
			continue // it has just been placed
		}
		for _, e := range state.Events {
			if e.Type == api.TaskArtifactDownloadFailed && strings.Contains(e.DisplayMessage, "lookup files.example.test on 127.0.0.1:53: ") && strings.Contains(e.DisplayMessage, "i/o timeout") {
				return true
			}
		}
	}
	return false
}

// portOf serves on a port of 127.0.0.1.
func portOf(t *testing.T, handler http.Handler) string {
	server := httptest.NewServer(handler)
	t.Cleanup(server.Close)
	_, port, _ := net.SplitHostPort(server.Listener.Addr().String())
	return port
}

func writeSlowJobs(t *testing.T, dir, port string) {
	const job = `
job "[[ .name ]]" {
  group "g" {
    restart {
      attempts = 1000
      interval = "24h"
      delay    = "1s"
      mode     = "delay"
    }
    update {
      min_healthy_time  = "100ms"
      healthy_deadline  = "20m"
      progress_deadline = "30m"
      health_check      = "task_states"
    }
    task "t" {
      driver = "raw_exec"
      config {
        command = "/bin/sh"
        args    = ["-c", "exec sleep 1000"]
      }
      %s
      resources {
        cpu    = 20
        memory = 20
      }
    }
  }
}
`
	for name, text := range map[string]string{
		"web.nomad":   fmt.Sprintf(job, ""),
		"fetch.nomad": fmt.Sprintf(job, "artifact {\n        source = \"http://files.example.test:"+port+"/file\"\n      }"),
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

// A nameServer says of each name that it is 127.0.0.1, in time or too late.
type nameServer struct {
	mu    sync.Mutex
	asked map[string]int
	known map[string]bool // those that are answered at once, whatever their name says
}

func (s *nameServer) answer(name string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.known[name] = true
}

// delay is how late a question is answered.
func (s *nameServer) delay(name string) time.Duration {
	const late, slow = 5 * time.Second, 300 * time.Millisecond
	s.mu.Lock()
	defer s.mu.Unlock()
	s.asked[name]++
	switch {
	case s.known[name], name == "late-4-times.example.test." && s.asked[name] > 4:
		return 0
	case name == "slow.example.test.":
		return slow
	}
	return late
}

func serveNames(t *testing.T) *nameServer {
	conn, err := net.ListenPacket("udp", "127.0.0.1:53")
	if err != nil {
		t.Fatal(err)
	}
	s := &nameServer{asked: map[string]int{}, known: map[string]bool{}}
	var serving sync.WaitGroup
	t.Cleanup(func() {
		conn.Close()
		serving.Wait()
	})
	serving.Go(func() {
		for {
			question := make([]byte, 1500)
			n, from, err := conn.ReadFrom(question)
			if err != nil {
				return
			}
			name, reply := address(question[:n])
			time.AfterFunc(s.delay(name), func() { _, _ = conn.WriteTo(reply, from) }) // who has given up does not hear it
		}
	})
	return s
}

// address answers a question for an address of version 4 with 127.0.0.1, and one for version 6 with
// none. (RFC 1035, section 4.)
func address(question []byte) (name string, reply []byte) {
	const header, kindA = 12, 1
	end := header
	for question[end] != 0 {
		name += string(question[end+1:end+1+int(question[end])]) + "."
		end += 1 + int(question[end])
	}
	end += 1 + 4 // the root, the kind and the class
	reply = append(reply, question[:2]...)
	reply = append(reply, 0x81, 0x80, 0, 1, 0, 0, 0, 0, 0, 0) // an answer, without fault; one question
	reply = append(reply, question[header:end]...)
	if binary.BigEndian.Uint16(question[end-4:]) == kindA {
		reply[7] = 1
		reply = append(reply, 0xc0, header, 0, kindA, 0, 1, 0, 0, 0, 0, 0, 4, 127, 0, 0, 1)
	}
	return name, reply
}
