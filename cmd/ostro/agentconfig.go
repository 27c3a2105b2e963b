package main

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"os"
	"strings"

	"github.com/hashicorp/nomad/api"
	"github.com/urfave/cli/v2"

	"ostro/orchestrator"
	"ostro/orchestrator/agentconfig"
	"ostro/orchestrator/runner"
	"ostro/orchestrator/telemetry"
)

// loadAgentConfig reads the files of -config, nil where there are none, and sets up
// the log. What the orchestrator does not have is named, once.
func loadAgentConfig(t *terminal, c *cli.Context) (*agentconfig.Config, error) {
	paths := c.StringSlice("config")
	if len(paths) == 0 {
		return nil, t.configure(c.String("log-level"), c.String("log-format"))
	}
	given, err := agentconfig.Load(paths...)
	if err != nil {
		return nil, usageError{err}
	}
	level, format := given.LogLevel, c.String("log-format")
	if level == "" || c.IsSet("log-level") {
		level = c.String("log-level")
	}
	if strings.EqualFold(level, "trace") {
		level = "debug"
	}
	if given.LogJSON && !c.IsSet("log-format") {
		format = "json"
	}
	if err := t.configure(level, format); err != nil {
		return nil, err
	}
	for _, l := range given.LeftOut {
		t.warn("%s%s is left out: the orchestrator has nothing like it", position(&l.At), l.Name)
	}
	return given, checkAgentConfig(given, c)
}

// checkAgentConfig refuses what Nomad refuses, too.
func checkAgentConfig(given *agentconfig.Config, c *cli.Context) error {
	if c.Bool("dev") {
		return nil
	}
	switch {
	case !given.Server.Enabled && !given.Client.Enabled:
		return usageError{withHint(errors.New("neither the server nor the client is enabled"), "write server { enabled = true }, or use -dev")}
	case !given.Server.Enabled:
		return usageError{withHint(errors.New("a client of other servers is not to be had here"), "enable the server, too: this orchestrator is one process")}
	case given.DataDir == "" && c.String("data-dir") == "":
		return usageError{withHint(errors.New("there is no place for the state"), "write data_dir = \"/FOLDER\", or use -dev")}
	}
	return nil
}

// configure puts the files of -config under what flags say. -dev enables the
// client.
func configure(conf *orchestrator.Config, given *agentconfig.Config, dev bool) error {
	if conf.Listen == "" {
		conf.Listen = given.Listen()
	}
	if conf.DataDir == "" {
		conf.DataDir = given.DataDir
	}
	conf.Region, conf.Datacenter = given.Region, given.Datacenter
	conf.ServerOnly = !dev && !given.Client.Enabled
	conf.Node = nodeOf(given)
	conf.ACL = given.ACL.Enabled
	conf.ConnectionsPerClient = given.ConnectionsPerClient
	conf.Telemetry = telemetry.Config{
		Statsd: given.Telemetry.StatsdAddress, Datadog: given.Telemetry.DatadogAddress, DatadogTags: given.Telemetry.DatadogTags,
		Interval: given.Telemetry.CollectionInterval, DisableHostname: given.Telemetry.DisableHostname,
		Allocations: dev || given.Telemetry.PublishAllocationMetrics, Nodes: dev || given.Telemetry.PublishNodeMetrics,
	}
	if given.AdvertiseHTTP != "" {
		conf.Advertise = given.AdvertiseHTTP
		if _, _, err := net.SplitHostPort(given.AdvertiseHTTP); err != nil {
			_, port, _ := net.SplitHostPort(given.Listen())
			conf.Advertise = net.JoinHostPort(given.AdvertiseHTTP, port)
		}
	}
	conf.Consul, conf.ConsulToken = given.Consul.Address, given.Consul.Token
	var err error
	if conf.ConsulTLS, err = consulTLS(given.Consul); err != nil {
		return err
	}
	conf.TLS, err = serverTLS(given.TLS)
	return err
}

// consulTLS is how Consul is spoken to, nil for plain HTTP.
func consulTLS(given agentconfig.Consul) (*tls.Config, error) {
	if !given.SSL {
		return nil, nil
	}
	conf := &tls.Config{MinVersion: tls.VersionTLS12, InsecureSkipVerify: !given.VerifySSL}
	if given.CAFile != "" {
		var err error
		if conf.RootCAs, err = authorities(given.CAFile); err != nil {
			return nil, err
		}
	}
	if given.CertFile != "" {
		certificate, err := tls.LoadX509KeyPair(given.CertFile, given.KeyFile)
		if err != nil {
			return nil, usageError{fmt.Errorf("read the certificate for Consul: %w", err)}
		}
		conf.Certificates = []tls.Certificate{certificate}
	}
	return conf, nil
}

func nodeOf(given *agentconfig.Config) orchestrator.Node {
	client := given.Client
	node := orchestrator.Node{
		Name: given.Name, Class: client.NodeClass, Pool: client.NodePool, Meta: client.Meta,
		CPU: client.CPUTotalCompute, MemoryMB: client.MemoryTotalMB, DiskMB: client.DiskTotalMB,
		MinDynamicPort: client.MinDynamicPort, MaxDynamicPort: client.MaxDynamicPort, MaxKillTimeout: client.MaxKillTimeout,
		Fetch: runner.FetchLimits{
			HTTPTime: client.Artifact.HTTPReadTimeout, GitTime: client.Artifact.GitTimeout, HgTime: client.Artifact.HgTimeout, S3Time: client.Artifact.S3Timeout,
			HTTPBytes: client.Artifact.HTTPMaxSize, UnpackBytes: client.Artifact.DecompressionSizeLimit, UnpackFiles: client.Artifact.DecompressionFileCountLimit,
		},
		HostVolumes: map[string]*api.HostVolumeInfo{}, Drivers: client.Drivers, DeniedDrivers: client.DeniedDrivers,
		Reserved: &api.NodeReservedResources{
			Cpu:      api.NodeReservedCpuResources{CpuShares: uint64(client.Reserved.CPU)},
			Memory:   api.NodeReservedMemoryResources{MemoryMB: uint64(client.Reserved.MemoryMB)},
			Disk:     api.NodeReservedDiskResources{DiskMB: uint64(client.Reserved.DiskMB)},
			Networks: api.NodeReservedNetworkResources{ReservedHostPorts: client.Reserved.Ports},
		},
	}
	for _, v := range client.HostVolumes {
		node.HostVolumes[v.Name] = &api.HostVolumeInfo{Path: v.Path, ReadOnly: v.ReadOnly}
	}
	return node
}

// serverTLS is how the API is served, nil for plain HTTP.
func serverTLS(given agentconfig.TLS) (*tls.Config, error) {
	if !given.HTTP {
		return nil, nil
	}
	certificate, err := tls.LoadX509KeyPair(given.CertFile, given.KeyFile)
	if err != nil {
		return nil, usageError{fmt.Errorf("read the certificate of the API: %w", err)}
	}
	conf := &tls.Config{Certificates: []tls.Certificate{certificate}, MinVersion: tls.VersionTLS12}
	if !given.VerifyHTTPSClient {
		return conf, nil
	}
	conf.ClientAuth = tls.RequireAndVerifyClientCert
	conf.ClientCAs, err = authorities(given.CAFile)
	return conf, err
}

// authorities are the certificates of a ca_file.
func authorities(path string) (*x509.CertPool, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, usageError{fmt.Errorf("read the authorities of ca_file: %w", err)}
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(text) {
		return nil, usageError{withHint(fmt.Errorf("%s holds no certificate", path), "ca_file is a file of certificates in PEM")}
	}
	return pool, nil
}
