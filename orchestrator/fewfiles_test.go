package orchestrator_test

import (
	"bufio"
	"net"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/hashicorp/nomad/api"

	"ostro/orchestrator/orchestratortest"
)

// TestAgentWithFewFiles gives an agent few files to open, and takes all of them by
// connections: it refuses what it cannot do, and goes on when they are gone.
func TestAgentWithFewFiles(t *testing.T) {
	dir := t.TempDir()
	agent := exec.Command("sh", "-c", `ulimit -n 64 && exec "$0" agent "$1"`, os.Args[0], dir)
	agent.Stderr = t.Output()
	stdin, err := agent.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	stdout, err := agent.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := agent.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		stdin.Close()
		if err := agent.Wait(); err != nil {
			t.Errorf("the agent ends with %v", err)
		}
	})
	line, err := bufio.NewReader(stdout).ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	address := strings.TrimSpace(line)
	client, err := api.NewClient(&api.Config{Address: "http://" + address})
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := client.Jobs().Register(shellJob("service", "before", 1, "exec sleep 1000"), nil); err != nil {
		t.Fatal(err)
	}
	healthy := func(id string) bool {
		last, _, err := client.Jobs().LatestDeployment(id, nil)
		return err == nil && last != nil && last.Status == api.DeploymentStatusSuccessful
	}
	orchestratortest.Eventually(t, "the first job is deployed", func() bool { return healthy("before") })

	var open []net.Conn
	for range 100 {
		conn, err := net.Dial("tcp", address)
		if err != nil {
			t.Fatal(err)
		}
		open = append(open, conn)
	}
	// It can answer on the connection that it has, and cannot start anything.
	_, _, err = client.Jobs().Register(shellJob("service", "amid", 1, "exec sleep 1000"), nil)
	if err == nil {
		orchestratortest.Eventually(t, "the job that cannot start is told so", func() bool {
			allocs, _, err := client.Jobs().Allocations("amid", true, nil)
			if err != nil {
				return false
			}
			for _, a := range allocs {
				for _, task := range a.TaskStates {
					for _, event := range task.Events {
						if strings.Contains(event.DisplayMessage+event.Message, "too many open files") {
							return true
						}
					}
				}
			}
			return false
		})
	} else {
		t.Logf("the register is refused: %v", err)
	}
	for _, conn := range open {
		conn.Close()
	}
	orchestratortest.Eventually(t, "a job is taken again", func() bool {
		_, _, err := client.Jobs().Register(shellJob("service", "after", 1, "exec sleep 1000"), nil)
		return err == nil
	})
	orchestratortest.Eventually(t, "a job is deployed again", func() bool { return healthy("after") && healthy("before") })
}
