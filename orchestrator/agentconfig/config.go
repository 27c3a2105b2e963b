package agentconfig

import (
	"cmp"
	"net"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/hashicorp/hcl/v2"
)

// Config is an agent configuration. What was not given is zero; defaults are the
// orchestrator's.
type Config struct {
	Name, Region, Datacenter string
	DataDir                  string
	LogLevel                 string // TRACE, DEBUG, INFO, WARN or ERROR
	LogJSON                  bool
	BindAddr                 string
	HTTPAddr                 string // addresses.http: wins over BindAddr
	HTTPPort                 int    // ports.http; 0 where none was given
	AdvertiseHTTP            string // advertise.http: HOST or HOST:PORT
	Server                   Server
	Client                   Client
	TLS                      TLS
	ACL                      ACL
	Telemetry                Telemetry
	Consul                   Consul
	// ConnectionsPerClient is limits.http_max_conns_per_client; negative where no
	// bound is wished for (Nomad: 0).
	ConnectionsPerClient int

	// LeftOut are the settings that the orchestrator does not have, in order of
	// their names.
	LeftOut []LeftOut
}

// Server is the server block.
type Server struct{ Enabled bool }

// Client is the client block.
type Client struct {
	Enabled             bool
	NodeClass, NodePool string
	Meta                map[string]string
	// Drivers, when not empty, are the only ones that are to work; DeniedDrivers
	// are not to. Of the options, these are what there is.
	Drivers, DeniedDrivers []string
	Reserved               Reserved
	CPUTotalCompute        int // MHz
	MemoryTotalMB          int
	DiskTotalMB            int
	MinDynamicPort         int
	MaxDynamicPort         int
	MaxKillTimeout         time.Duration
	HostVolumes            []HostVolume
	Artifact               Artifact
}

// Artifact is the artifact block of a client: what one download may take. What is
// not given is zero, and what is given as zero, which stands for no bound, is less.
type Artifact struct {
	HTTPReadTimeout, GitTimeout, HgTimeout, S3Timeout time.Duration

	HTTPMaxSize, DecompressionSizeLimit int64 // bytes
	DecompressionFileCountLimit         int
}

// Reserved is what a node keeps for others.
type Reserved struct {
	CPU, MemoryMB, DiskMB int // MHz, MiB, MiB
	Ports                 string
}

// HostVolume is a folder of the machine that jobs may ask for by its name.
type HostVolume struct {
	Name, Path string
	ReadOnly   bool
}

// TLS is the tls block, of which the API has a part.
type TLS struct {
	HTTP              bool
	CAFile            string
	CertFile, KeyFile string
	VerifyHTTPSClient bool
}

// ACL is the acl block.
type ACL struct {
	Enabled  bool
	TokenTTL time.Duration
}

// Telemetry is the telemetry block.
type Telemetry struct {
	CollectionInterval       time.Duration
	StatsdAddress            string
	StatsiteAddress          string
	DatadogAddress           string
	DatadogTags              []string
	PrometheusMetrics        bool
	DisableHostname          bool
	UseNodeName              bool
	PublishAllocationMetrics bool
	PublishNodeMetrics       bool
	PrefixFilter             []string
	FilterDefault            bool // true where it is not given
}

// Consul is the consul block.
type Consul struct {
	Address, Token    string
	SSL, VerifySSL    bool
	CAFile            string
	CertFile, KeyFile string
}

// Listen is the HOST:PORT of the API. Where no address is given it is loopback;
// Nomad then takes every address.
func (c *Config) Listen() string {
	host := c.HTTPAddr
	if host == "" {
		host = c.BindAddr
	}
	if host == "" {
		host = "127.0.0.1"
	}
	port := c.HTTPPort
	if port == 0 {
		port = 4646
	}
	return net.JoinHostPort(host, strconv.Itoa(port))
}

// decode reads the whole tree.
func decode(all *tree) (*Config, error) {
	c := &Config{Telemetry: Telemetry{FilterDefault: true}}
	r := reader{block: all, taken: map[string]bool{}, findings: &findings{}}
	r.text("name", &c.Name)
	r.text("region", &c.Region)
	r.text("datacenter", &c.Datacenter)
	r.text("data_dir", &c.DataDir)
	r.text("log_level", &c.LogLevel)
	r.truth("log_json", &c.LogJSON)
	r.address("bind_addr", &c.BindAddr)
	r.nested("addresses", func(r reader) {
		r.address("http", &c.HTTPAddr)
		r.silent("rpc", "serf")
	})
	r.nested("advertise", func(r reader) {
		r.address("http", &c.AdvertiseHTTP)
		r.silent("rpc", "serf")
	})
	r.nested("ports", func(r reader) {
		r.number("http", &c.HTTPPort)
		r.silent("rpc", "serf")
	})
	r.nested("server", c.Server.read)
	r.nested("client", c.Client.read)
	r.nested("tls", c.TLS.read)
	r.nested("acl", func(r reader) {
		r.truth("enabled", &c.ACL.Enabled)
		r.duration("token_ttl", &c.ACL.TokenTTL)
	})
	r.nested("telemetry", c.Telemetry.read)
	r.nested("consul", c.Consul.read)
	r.nested("limits", c.readLimits)
	// A plug-in that is given is one of the drivers, which are built in.
	r.silent("plugin", "plugin_dir", "disable_update_check", "disable_anonymous_signature", "enable_debug", "ui", "leave_on_interrupt", "leave_on_terminate")
	r.end()
	c.check(r)
	if r.diags.HasErrors() {
		return nil, r.diags
	}
	c.LeftOut = slices.SortedFunc(slices.Values(r.leftOut), func(a, b LeftOut) int { return cmp.Compare(a.Name, b.Name) })
	return c, nil
}

func (c *Config) readLimits(r reader) {
	const name = "http_max_conns_per_client"
	r.number(name, &c.ConnectionsPerClient)
	if t := r.take(name); t != nil && c.ConnectionsPerClient == 0 {
		c.ConnectionsPerClient = -1
	}
	// There is no RPC, and what reading a request may take is bounded anyway.
	r.silent("https_handshake_timeout", "rpc_handshake_timeout", "rpc_max_conns_per_client", "rpc_default_write_rate", "rpc_default_write_burst")
}

// address refuses the templates of go-sockaddr.
func (r reader) address(name string, into *string) {
	r.text(name, into)
	if strings.Contains(*into, "{{") {
		r.diags = append(r.diags, mistake(r.block.fields[name].at, "templates of addresses are not evaluated", "write the address itself, such as 127.0.0.1"))
	}
}

func (c *Config) check(r reader) {
	at := func(block, name string) hcl.Range { return r.block.fields[block].fields[name].at }
	if c.HTTPPort > 65535 {
		r.errorf(at("ports", "http"), "%d is no port", c.HTTPPort)
	}
	if c.TLS.HTTP && (c.TLS.CertFile == "" || c.TLS.KeyFile == "") {
		r.errorf(at("tls", "http"), "TLS needs cert_file and key_file")
	}
	if c.TLS.VerifyHTTPSClient && c.TLS.CAFile == "" {
		r.errorf(at("tls", "verify_https_client"), "to verify clients, ca_file has to name the authority that signs their certificates")
	}
}

func (s *Server) read(r reader) {
	r.truth("enabled", &s.Enabled)
	// Of one server there is nothing to elect, to join or to retry.
	r.silent("bootstrap_expect", "num_schedulers", "retry_join", "retry_interval", "retry_max", "start_join", "server_join", "raft_protocol", "rejoin_after_leave")
}

func (c *Client) read(r reader) {
	r.truth("enabled", &c.Enabled)
	r.text("node_class", &c.NodeClass)
	r.text("node_pool", &c.NodePool)
	r.pairs("meta", &c.Meta)
	r.nested("options", func(r reader) {
		// The earlier names are Nomad's own, too.
		r.words("driver.allowlist", &c.Drivers)
		r.words("driver.whitelist", &c.Drivers)
		r.words("driver.denylist", &c.DeniedDrivers)
		r.words("driver.blacklist", &c.DeniedDrivers)
		r.silent("driver.raw_exec.enable", "driver.raw_exec.no_cgroups", "driver.docker.volumes", "test.tighten_network_timeouts")
	})
	r.number("cpu_total_compute", &c.CPUTotalCompute)
	r.number("memory_total_mb", &c.MemoryTotalMB)
	r.number("disk_total_mb", &c.DiskTotalMB)
	r.number("min_dynamic_port", &c.MinDynamicPort)
	r.number("max_dynamic_port", &c.MaxDynamicPort)
	r.duration("max_kill_timeout", &c.MaxKillTimeout)
	r.nested("reserved", func(r reader) {
		r.number("cpu", &c.Reserved.CPU)
		r.number("memory", &c.Reserved.MemoryMB)
		r.number("disk", &c.Reserved.DiskMB)
		r.text("reserved_ports", &c.Reserved.Ports)
	})
	r.nested("artifact", c.Artifact.read)
	r.labelled("host_volume", func(name string, r reader) {
		v := HostVolume{Name: name}
		r.text("path", &v.Path)
		r.truth("read_only", &v.ReadOnly)
		if v.Path == "" {
			r.errorf(r.block.at, "the host volume %q has no path", name)
		}
		c.HostVolumes = append(c.HostVolumes, v)
	})
	// The server is in the same process.
	r.silent("servers", "server_join", "no_host_uuid")
}

func (a *Artifact) read(r reader) {
	for name, into := range map[string]*time.Duration{
		"http_read_timeout": &a.HTTPReadTimeout, "git_timeout": &a.GitTimeout, "hg_timeout": &a.HgTimeout, "s3_timeout": &a.S3Timeout,
	} {
		r.duration(name, into)
		*into = unbounded(r, name, *into)
	}
	r.size("http_max_size", &a.HTTPMaxSize)
	a.HTTPMaxSize = unbounded(r, "http_max_size", a.HTTPMaxSize)
	r.size("decompression_size_limit", &a.DecompressionSizeLimit)
	a.DecompressionSizeLimit = unbounded(r, "decompression_size_limit", a.DecompressionSizeLimit)
	r.number("decompression_file_count_limit", &a.DecompressionFileCountLimit)
	a.DecompressionFileCountLimit = unbounded(r, "decompression_file_count_limit", a.DecompressionFileCountLimit)
	// No bucket of Google's is fetched from.
	r.silent("gcs_timeout")
}

// unbounded turns a zero that is written down into a bound that is none.
func unbounded[N int | int64 | time.Duration](r reader, name string, n N) N {
	if r.take(name) != nil && n == 0 {
		return -1
	}
	return n
}

func (t *TLS) read(r reader) {
	r.truth("http", &t.HTTP)
	r.text("ca_file", &t.CAFile)
	r.text("cert_file", &t.CertFile)
	r.text("key_file", &t.KeyFile)
	r.truth("verify_https_client", &t.VerifyHTTPSClient)
	// There is no other server to talk to.
	r.silent("rpc", "verify_server_hostname", "rpc_upgrade_mode")
}

func (t *Telemetry) read(r reader) {
	r.duration("collection_interval", &t.CollectionInterval)
	r.text("statsd_address", &t.StatsdAddress)
	r.text("statsite_address", &t.StatsiteAddress)
	r.text("datadog_address", &t.DatadogAddress)
	r.texts("datadog_tags", &t.DatadogTags)
	r.truth("prometheus_metrics", &t.PrometheusMetrics)
	r.truth("disable_hostname", &t.DisableHostname)
	r.truth("use_node_name", &t.UseNodeName)
	r.truth("publish_allocation_metrics", &t.PublishAllocationMetrics)
	r.truth("publish_node_metrics", &t.PublishNodeMetrics)
	r.texts("prefix_filter", &t.PrefixFilter)
	r.truth("filter_default", &t.FilterDefault)
}

func (c *Consul) read(r reader) {
	c.VerifySSL = true
	r.text("address", &c.Address)
	r.text("token", &c.Token)
	r.truth("ssl", &c.SSL)
	r.truth("verify_ssl", &c.VerifySSL)
	r.text("ca_file", &c.CAFile)
	r.text("cert_file", &c.CertFile)
	r.text("key_file", &c.KeyFile)
}
