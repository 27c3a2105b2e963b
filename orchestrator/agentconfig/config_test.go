package agentconfig_test

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/hashicorp/hcl/v2"

	"ostro/orchestrator/agentconfig"
)

const native = `# a comment
name       = "n1"
region     = "south"
datacenter = "dc2"
data_dir   = "/var/lib/ostro"
log_level  = "DEBUG"
bind_addr  = "127.0.0.2"

ports {
  http = "5646" // a text will do
  rpc  = 5647
}

advertise {
  http = "10.0.0.1"
}

server {
  enabled          = true
  bootstrap_expect = 1
  encrypt          = "cg8StVXbQJ0gPvMd9o7yrg=="
}

client {
  enabled           = true
  node_class        = "small"
  node_pool         = "batch"
  cpu_total_compute = 4000
  memory_total_mb   = 2048
  max_kill_timeout  = "10s"
  "no_host_uuid"    = true
  meta {
    "rack.row" = "r1"
    owner      = "ops"
  }
  options = {
    "driver.denylist" = "docker, java"
    "fingerprint.denylist" = "env_aws"
  }
  reserved {
    cpu            = 500
    memory         = 128
    disk           = 1024
    reserved_ports = "22,8000-8100"
  }
  artifact {
    http_read_timeout              = "5m"
    http_max_size                  = "64MiB"
    git_timeout                    = 0
    gcs_timeout                    = "1m"
    decompression_size_limit       = "1.5 GB"
    decompression_file_count_limit = 0
  }
  host_volume "data" {
    path = "/srv/data"
  }
  host_volume "certs" {
    path      = "/etc/certs"
    read_only = true
  }
}

telemetry {
  collection_interval = "5s"
  datadog_address     = "127.0.0.1:8125"
  datadog_tags        = ["env:test", "team:south"]
  prometheus_metrics  = true
  publish_allocation_metrics = true
}

consul {
  address = "127.0.0.1:8500"
}

limits {
  http_max_conns_per_client = 300
}

acl {
  enabled = true
}

tls {
  http      = true
  ca_file   = "ca.pem"
  cert_file = "cert.pem"
  key_file  = "key.pem"
}

plugin "raw_exec" {
  config {
    enabled = true
  }
}
`

const asJSON = `{
  "name": "n1", "region": "south", "datacenter": "dc2", "data_dir": "/var/lib/ostro", "log_level": "DEBUG", "bind_addr": "127.0.0.2",
  "ports": {"http": 5646, "rpc": 5647},
  "advertise": {"http": "10.0.0.1"},
  "server": [{"enabled": true, "bootstrap_expect": 1, "encrypt": "cg8StVXbQJ0gPvMd9o7yrg=="}],
  "client": {
    "enabled": true, "node_class": "small", "node_pool": "batch", "cpu_total_compute": 4000, "memory_total_mb": 2048,
    "max_kill_timeout": "10s", "no_host_uuid": true,
    "meta": {"rack.row": "r1", "owner": "ops"},
    "options": {"driver.denylist": "docker, java", "fingerprint.denylist": "env_aws"},
    "artifact": {"http_read_timeout": "5m", "http_max_size": "64MiB", "git_timeout": 0, "gcs_timeout": "1m",
      "decompression_size_limit": "1.5 GB", "decompression_file_count_limit": 0},
    "reserved": {"cpu": 500, "memory": 128, "disk": 1024, "reserved_ports": "22,8000-8100"},
    "host_volume": [{"data": {"path": "/srv/data"}}, {"certs": {"path": "/etc/certs", "read_only": true}}]
  },
  "telemetry": {"collection_interval": "5s", "datadog_address": "127.0.0.1:8125", "datadog_tags": ["env:test", "team:south"],
    "prometheus_metrics": true, "publish_allocation_metrics": true},
  "consul": {"address": "127.0.0.1:8500"},
  "limits": {"http_max_conns_per_client": 300},
  "acl": {"enabled": true},
  "tls": {"http": true, "ca_file": "ca.pem", "cert_file": "cert.pem", "key_file": "key.pem"},
  "plugin": {"raw_exec": {"config": {"enabled": true}}}
}
`

func want() *agentconfig.Config {
	return &agentconfig.Config{
		Name: "n1", Region: "south", Datacenter: "dc2", DataDir: "/var/lib/ostro", LogLevel: "DEBUG", BindAddr: "127.0.0.2",
		HTTPPort: 5646, AdvertiseHTTP: "10.0.0.1", Server: agentconfig.Server{Enabled: true},
		Client: agentconfig.Client{
			Enabled: true, NodeClass: "small", NodePool: "batch", CPUTotalCompute: 4000, MemoryTotalMB: 2048, MaxKillTimeout: 10 * time.Second,
			Meta: map[string]string{"rack.row": "r1", "owner": "ops"}, DeniedDrivers: []string{"docker", "java"},
			Reserved: agentconfig.Reserved{CPU: 500, MemoryMB: 128, DiskMB: 1024, Ports: "22,8000-8100"},
			Artifact: agentconfig.Artifact{
				HTTPReadTimeout: 5 * time.Minute, GitTimeout: -1, HTTPMaxSize: 64 << 20, DecompressionSizeLimit: 1_500_000_000, DecompressionFileCountLimit: -1,
			},
			HostVolumes: []agentconfig.HostVolume{{Name: "certs", Path: "/etc/certs", ReadOnly: true}, {Name: "data", Path: "/srv/data"}},
		},
		TLS: agentconfig.TLS{HTTP: true, CAFile: "ca.pem", CertFile: "cert.pem", KeyFile: "key.pem"}, ACL: agentconfig.ACL{Enabled: true},
		Telemetry: agentconfig.Telemetry{
			CollectionInterval: 5 * time.Second, DatadogAddress: "127.0.0.1:8125", DatadogTags: []string{"env:test", "team:south"},
			PrometheusMetrics: true, PublishAllocationMetrics: true, FilterDefault: true,
		},
		Consul: agentconfig.Consul{Address: "127.0.0.1:8500", VerifySSL: true}, ConnectionsPerClient: 300,
		LeftOut: []agentconfig.LeftOut{{Name: "client.options.fingerprint.denylist"}, {Name: "server.encrypt"}},
	}
}

func save(t *testing.T, name, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// HCL, with the quoted keys that HCL 1 has, and JSON say the same.
func TestLoad(t *testing.T) {
	for name, text := range map[string]string{"agent.hcl": native, "agent.json": asJSON} {
		path := save(t, name, text)
		if nomad, err := exec.LookPath("nomad"); err != nil {
			t.Log("nomad is not on PATH: nobody else reads the file")
		} else if out, err := exec.Command(nomad, "config", "validate", path).CombinedOutput(); err != nil {
			t.Errorf("nomad config validate %s: %v\n%s", name, err, out)
		}
		got, err := agentconfig.Load(path)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		for _, l := range got.LeftOut {
			if !strings.HasSuffix(l.At.Filename, name) || l.At.Start.Line < 2 {
				t.Errorf("%s: %s is left out at %s", name, l.Name, l.At)
			}
		}
		if diff := cmp.Diff(want(), got, cmpopts.IgnoreFields(agentconfig.LeftOut{}, "At")); diff != "" {
			t.Errorf("%s (- want, + got):\n%s", name, diff)
		}
	}
}

// Later files win, field by field; a folder is read in the order of its names.
func TestLoadSeveral(t *testing.T) {
	dir := t.TempDir()
	for name, text := range map[string]string{
		"a.hcl": "region = \"one\"\nclient {\n  meta {\n    a = \"1\"\n    b = \"1\"\n  }\n}\n", "b.json": `{"region": "two", "client": {"meta": {"b": "2"}}}`,
		"c.txt": "not ours",
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	got, err := agentconfig.Load(dir, save(t, "last.hcl", `name = "n2"`))
	if err != nil {
		t.Fatal(err)
	}
	if got.Region != "two" || got.Name != "n2" || got.Client.Meta["a"] != "1" || got.Client.Meta["b"] != "2" {
		t.Errorf("%+v", got)
	}
	if got.Listen() != "127.0.0.1:4646" {
		t.Errorf("without an address it listens on %s", got.Listen())
	}
	if _, err := agentconfig.Load(t.TempDir()); err == nil {
		t.Error("an empty folder is a configuration")
	}
	if _, err := agentconfig.Load(filepath.Join(dir, "none.hcl")); err == nil {
		t.Error("a file that is not there is a configuration")
	}
}

// Mistakes have their place.
func TestMistakes(t *testing.T) {
	for text, want := range map[string]string{
		"ports {\n  http = \"x\"\n}":                       "2:3: ports.http is no whole number",
		"ports {\n  http = 99999\n}":                       "2:3: 99999 is no port",
		"ports {\n  http = 1e99999999\n}":                  "2:10: this number has too many digits",
		"name = \"${1e-99999999}\"":                        "1:8: this number has too many digits",
		`{"name": 1e99999999}`:                             "1:10: this number has too many digits",
		"server = \"yes\"":                                 "1:1: server is a block",
		"server {\n  enabled = \"perhaps\"\n}":             "2:3: server.enabled is neither true nor false",
		"name = [\"a\"]":                                   "1:1: name is one value",
		"bind_addr = \"{{ GetPrivateIP }}\"":               "1:1: templates of addresses",
		"tls {\n  http = true\n}":                          "2:3: TLS needs cert_file",
		"client {\n  host_volume \"v\" {}\n}":              "2:3: the host volume \"v\" has no path",
		"telemetry {\n  datadog_tags = \"a\"\n}":           "2:3: telemetry.datadog_tags is a list",
		"telemetry {\n  collection_interval = \"soon\"\n}": "2:3: telemetry.collection_interval is no duration",
		"client {\n":                                       "1:8: Unclosed configuration block",
		"{\"name\": }":                                     "1:10: ",
	} {
		_, err := agentconfig.Load(save(t, "agent.hcl", text))
		diags, ok := errors.AsType[hcl.Diagnostics](err)
		if !ok || diags[0].Subject == nil {
			t.Errorf("%s: %v has no place", text, err)
			continue
		}
		at := diags[0].Subject.Start
		if got := fmt.Sprintf("%d:%d: %s", at.Line, at.Column, diags[0].Summary); !strings.HasPrefix(got, want) {
			t.Errorf("%s: %s, want %s", text, got, want)
		}
	}
}

// FuzzLoad holds that no agent configuration makes the reader panic, and that each
// mistake is told with its place.
func FuzzLoad(f *testing.F) {
	f.Add(native)
	f.Add(asJSON)
	for _, text := range []string{"", "server {", `client { meta { "a.b" = 1 } }`, `{"server": [{"enabled": "x"}]}`, "telemetry = [1, {a = 2}]", `"a" { "b" "c" {} }`, "ports { http = 1e99 }"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		path := save(t, "agent.hcl", text)
		if _, err := agentconfig.Load(path); err != nil && !strings.Contains(err.Error(), path) {
			t.Errorf("the mistake has no place: %v", err)
		}
	})
}
