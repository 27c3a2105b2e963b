package httpapi

import (
	"net/http"
	"strings"
	"testing"

	"github.com/hashicorp/nomad/api"
)

func TestAccess(t *testing.T) {
	client, _ := newAgent(t)
	own := strings.TrimPrefix(client.Address(), "http://")
	_, port, _ := strings.Cut(own, ":")
	for _, c := range []struct {
		name, method string
		header       map[string]string
		status       int
	}{
		{"program", "GET", nil, 200},
		{"localhost", "GET", map[string]string{"Host": "localhost:" + port}, 200},
		{"loopback by another number", "GET", map[string]string{"Host": "127.8.8.8"}, 200},
		{"loopback of IPv6", "GET", map[string]string{"Host": "[::1]:" + port}, 200},
		{"rebound name", "GET", map[string]string{"Host": "evil.example:" + port}, 403},
		{"name like ours", "GET", map[string]string{"Host": "localhost.evil.example"}, 403},
		{"address of somebody else", "GET", map[string]string{"Host": "192.0.2.1:" + port}, 403},
		{"own page", "GET", map[string]string{"Origin": client.Address(), "Sec-Fetch-Site": "same-origin"}, 200},
		{"foreign page", "GET", map[string]string{"Origin": "https://evil.example"}, 403},
		{"other port here", "GET", map[string]string{"Origin": "http://localhost:3000"}, 403},
		{"page without a name", "GET", map[string]string{"Origin": "null"}, 403},
		{"link from afar", "GET", map[string]string{"Sec-Fetch-Site": "cross-site"}, 403},
		{"JSON", "POST", map[string]string{"Content-Type": "application/json"}, 400},
		{"no type, as the client sends it", "PUT", nil, 400},
		{"form", "POST", map[string]string{"Content-Type": "application/x-www-form-urlencoded"}, 403},
		{"upload", "POST", map[string]string{"Content-Type": "multipart/form-data; boundary=x"}, 403},
		{"text", "POST", map[string]string{"Content-Type": "Text/Plain;charset=utf-8"}, 403},
		{"deletion by a foreign page", "DELETE", map[string]string{"Origin": "https://evil.example"}, 403},
	} {
		t.Run(c.name, func(t *testing.T) {
			status, text, header := do(t, client.Address(), c.method, "/v1/jobs", "", c.header)
			if status != c.status {
				t.Errorf("got %d %q, want %d", status, text, c.status)
			}
			for name := range header {
				if strings.HasPrefix(name, "Access-Control-") {
					t.Errorf("a header lets other pages in: %s", name)
				}
			}
		})
	}
}

// TestPageIsForEverybodyHere holds that the files of the web page need no token,
// may be linked to, and are given neither to other names nor into frames.
func TestPageIsForEverybodyHere(t *testing.T) {
	client, _ := newAgent(t, func(c *Config) { c.Token, c.ACL = "sesame", true })
	link := map[string]string{"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "document"}
	frame := map[string]string{"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "iframe"}
	for _, c := range []struct {
		name, method, path string
		header             map[string]string
		status             int
	}{
		{"the page", "GET", "/ui/jobs/web@team", nil, 200},
		{"its files", "GET", "/ui/static/main.js", map[string]string{"Sec-Fetch-Site": "same-origin"}, 200},
		{"the way there", "GET", "/", nil, 307},
		{"a link from afar", "GET", "/ui/jobs", link, 200},
		{"a frame of somebody else", "GET", "/ui/jobs", frame, 403},
		{"a link from afar to the API", "GET", "/v1/jobs", link, 403},
		{"a script of somebody else", "GET", "/ui/static/main.js", map[string]string{"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Dest": "script"}, 403},
		{"a rebound name", "GET", "/ui/jobs", map[string]string{"Host": "evil.example"}, 403},
		{"a write", "POST", "/ui/jobs", nil, 405},
		{"the API without a token", "GET", "/v1/jobs", nil, 403},
	} {
		if status, text, _ := do(t, client.Address(), c.method, c.path, "", c.header); status != c.status {
			t.Errorf("%s: got %d %q, want %d", c.name, status, text, c.status)
		}
	}
}

func TestListeningEverywhere(t *testing.T) {
	s := &server{Config: Config{Address: "0.0.0.0:4646"}}
	for host, want := range map[string]bool{"192.0.2.1:4646": true, "localhost": true, "evil.example": false} {
		if got := s.knownHost(host); got != want {
			t.Errorf("%s: got %v", host, got)
		}
	}
}

func TestToken(t *testing.T) {
	client, _ := newAgent(t, func(c *Config) { c.Token = "sesame" })
	if _, _, err := client.Jobs().List(nil); err != nil {
		t.Errorf("with the token: %v", err)
	}
	for name, c := range map[string]struct {
		header map[string]string
		status int
	}{
		"none":        {nil, 403},
		"wrong":       {map[string]string{"X-Nomad-Token": "sesam"}, 403},
		"right":       {map[string]string{"X-Nomad-Token": "sesame"}, 200},
		"bearer":      {map[string]string{"Authorization": "Bearer sesame"}, 200},
		"wrong words": {map[string]string{"Authorization": "Basic sesame"}, 403},
	} {
		t.Run(name, func(t *testing.T) {
			status, text, _ := do(t, client.Address(), "GET", "/v1/jobs", "", c.header)
			if status != c.status || status == http.StatusForbidden && text != "Permission denied" {
				t.Errorf("got %d %q, want %d", status, text, c.status)
			}
		})
	}
}

func TestBodyIsBounded(t *testing.T) {
	client, _ := newAgent(t)
	job := testJob("web")
	job.Meta = map[string]string{"big": strings.Repeat("x", maxBody)}
	_, _, err := client.Jobs().Register(job, nil)
	unexpected, ok := err.(api.UnexpectedResponseError)
	if !ok || unexpected.StatusCode() != http.StatusRequestEntityTooLarge {
		t.Errorf("got %v", err)
	}
}
