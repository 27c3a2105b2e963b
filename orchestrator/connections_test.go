package orchestrator_test

import (
	"bufio"
	"fmt"
	"net"
	"net/http"
	"testing"

	"ostro/orchestrator"
	"ostro/orchestrator/orchestratortest"
)

// TestConnectionsOfOneAddressAreBounded holds that one connection too many is told
// so, that the others go on, and that one that ends makes room.
func TestConnectionsOfOneAddressAreBounded(t *testing.T) {
	const most = 10
	agent := orchestratortest.Start(t, orchestrator.Config{ConnectionsPerClient: most})
	var open []net.Conn
	ask := func(conn net.Conn) int {
		fmt.Fprintf(conn, "GET /v1/status/leader HTTP/1.1\r\nHost: localhost\r\n\r\n")
		reply, err := http.ReadResponse(bufio.NewReader(conn), nil)
		if err != nil {
			return 0 // It was closed before the refusal could be read.
		}
		defer reply.Body.Close()
		return reply.StatusCode
	}
	dial := func() (net.Conn, int) {
		conn, err := net.Dial("tcp", agent.Addr())
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { conn.Close() })
		return conn, ask(conn)
	}
	refused := false
	for range most + 1 {
		conn, status := dial()
		if status != http.StatusOK {
			refused = true
			if status != 0 && status != http.StatusTooManyRequests {
				t.Errorf("one too many is answered %d", status)
			}
			break
		}
		open = append(open, conn)
	}
	if !refused {
		t.Fatalf("%d connections of one address are served", len(open))
	}
	if status := ask(open[0]); status != http.StatusOK {
		t.Errorf("one of the others is answered %d", status)
	}
	open[0].Close()
	orchestratortest.Eventually(t, "the server to hear of the end", func() bool {
		conn, status := dial()
		conn.Close()
		return status == http.StatusOK
	})
	for _, conn := range open {
		conn.Close()
	}
	orchestratortest.Eventually(t, "room for other clients", func() bool {
		_, err := agent.Client.Status().Leader()
		return err == nil
	})
}
