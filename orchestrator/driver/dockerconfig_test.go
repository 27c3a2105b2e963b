package driver

import (
	"net/netip"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/moby/moby/api/types/container"
	"github.com/moby/moby/api/types/mount"
	"github.com/moby/moby/api/types/network"
	"github.com/moby/moby/api/types/registry"
)

// dockerOf is what Docker is told of a task with a config block.
func dockerOf(t *testing.T, config map[string]any, change func(*Task)) (dockerConfig, container.Config, container.HostConfig) {
	t.Helper()
	config["image"] = "app:1"
	c, err := decodeDocker(config)
	if err != nil {
		t.Fatal(err)
	}
	task := Task{Dir: "/allocs/a/web", AllocDir: "/allocs/a/alloc", Resources: Resources{CPU: 500, MemoryMB: 64, CoreMHz: 2000}}
	if change != nil {
		change(&task)
	}
	options, err := c.options(task, c.image)
	if err != nil {
		t.Fatal(err)
	}
	return c, *options.Config, *options.HostConfig
}

func TestDockerCommand(t *testing.T) {
	_, config, host := dockerOf(t, map[string]any{
		"entrypoint": []any{"/init", "-x"}, "command": "serve", "args": []any{"-p", 80}, "work_dir": "/srv", "hostname": "h",
		"labels": []map[string]any{{"team": "blue"}}, "network_mode": "host", "cap_add": []any{"net_raw"}, "readonly_rootfs": true,
		"extra_hosts": []any{"db:10.0.0.1"}, "dns_servers": []any{"10.0.0.53"}, "sysctl": map[string]any{"net.core.somaxconn": "16384"},
		"ulimit": []map[string]any{{"nofile": "2048:4096"}}, "pids_limit": 32, "init": true,
	}, func(task *Task) { task.User = "1000"; task.Env = []string{"A=b"} })
	wantConfig := container.Config{
		Image: "app:1", Entrypoint: []string{"/init", "-x"}, Cmd: []string{"serve", "-p", "80"}, WorkingDir: "/srv", Hostname: "h",
		Labels: map[string]string{"team": "blue"}, User: "1000", Env: []string{"A=b"},
		Healthcheck: &container.HealthConfig{Test: []string{"NONE"}},
	}
	if diff := cmp.Diff(wantConfig, config, cmpopts.EquateEmpty()); diff != "" {
		t.Error(diff)
	}
	if host.NetworkMode != "host" || !host.ReadonlyRootfs || !*host.Init || *host.PidsLimit != 32 {
		t.Errorf("%+v", host)
	}
	for got, want := range map[string]string{
		host.CapAdd[0]: "net_raw", host.ExtraHosts[0]: "db:10.0.0.1", host.DNS[0].String(): "10.0.0.53", host.Sysctls["net.core.somaxconn"]: "16384",
	} {
		if got != want {
			t.Errorf("%q, not %q", got, want)
		}
	}
	if u := *host.Ulimits[0]; u.Name != "nofile" || u.Soft != 2048 || u.Hard != 4096 {
		t.Errorf("%+v", u)
	}
}

func TestDockerVolumes(t *testing.T) {
	_, _, host := dockerOf(t, map[string]any{
		"volumes": []any{"local/conf:/conf:ro", "/srv/data:/data", "named:/named"},
		"mount": []any{
			[]map[string]any{{"type": "bind", "source": "local/x", "target": "/x", "readonly": true, "bind_options": []map[string]any{{"propagation": "rslave"}}}},
			[]map[string]any{{"type": "tmpfs", "target": "/t", "tmpfs_options": []map[string]any{{"size": 1048576, "mode": 0o700}}}},
			[]map[string]any{{"target": "/v", "source": "vol", "volume_options": []map[string]any{{"no_copy": true, "labels": map[string]any{"a": "b"},
				"driver_config": []map[string]any{{"name": "local", "options": map[string]any{"o": "bind"}}}}}}},
		},
	}, nil)
	binds := []string{
		"/allocs/a/alloc:/alloc", "/allocs/a/web/local:/local", "/allocs/a/web/secrets:/secrets", "/allocs/a/alloc/logs:/alloc/logs:ro",
		"/allocs/a/web/local/conf:/conf:ro", "/srv/data:/data", "/allocs/a/web/named:/named",
	}
	if diff := cmp.Diff(binds, host.Binds); diff != "" {
		t.Error(diff)
	}
	want := []mount.Mount{
		{Type: "bind", Source: "/allocs/a/web/local/x", Target: "/x", ReadOnly: true, BindOptions: &mount.BindOptions{Propagation: "rslave"}},
		{Type: "tmpfs", Target: "/t", TmpfsOptions: &mount.TmpfsOptions{SizeBytes: 1 << 20, Mode: 0o700}},
		{Type: "volume", Source: "vol", Target: "/v", VolumeOptions: &mount.VolumeOptions{
			NoCopy: true, Labels: map[string]string{"a": "b"}, DriverConfig: &mount.Driver{Name: "local", Options: map[string]string{"o": "bind"}},
		}},
	}
	if diff := cmp.Diff(want, host.Mounts); diff != "" {
		t.Error(diff)
	}
}

func TestDockerNamedVolume(t *testing.T) {
	_, _, host := dockerOf(t, map[string]any{"volumes": []any{"named:/named"}, "volume_driver": "local"}, nil)
	if last := host.Binds[len(host.Binds)-1]; last != "named:/named" || host.VolumeDriver != "local" {
		t.Errorf("%s of the driver %q", last, host.VolumeDriver)
	}
}

func TestDockerEndpoint(t *testing.T) {
	c, err := decodeDocker(map[string]any{
		"image": "app:1", "network_mode": "blue", "network_aliases": []any{"web"}, "ipv4_address": "10.1.2.3", "ipv6_address": "fd00::3",
		"mac_address": "02:42:ac:11:00:02", "cpuset_cpus": "0-1",
	})
	if err != nil {
		t.Fatal(err)
	}
	options, err := c.options(Task{}, c.image)
	if err != nil {
		t.Fatal(err)
	}
	got := options.NetworkingConfig.EndpointsConfig["blue"]
	if got.Aliases[0] != "web" || got.IPAMConfig.IPv4Address.String() != "10.1.2.3" || got.IPAMConfig.IPv6Address.String() != "fd00::3" ||
		got.MacAddress.String() != "02:42:ac:11:00:02" || options.HostConfig.CpusetCpus != "0-1" {
		t.Errorf("%+v, %+v", got, options.HostConfig.Resources)
	}
	if _, err := decodeDocker(map[string]any{"image": "app:1", "mac_address": "x"}); err == nil {
		t.Error("x is a hardware address")
	}
}

func TestDockerCapabilities(t *testing.T) {
	for _, tc := range []struct {
		config map[string]any
		drop   []string
	}{
		{map[string]any{}, []string{"NET_RAW"}},
		{map[string]any{"cap_drop": []any{"mknod"}}, []string{"mknod", "NET_RAW"}},
		{map[string]any{"cap_add": []any{"cap_net_raw"}}, nil},
		{map[string]any{"cap_add": []any{"ALL"}}, nil},
		{map[string]any{"privileged": true}, nil},
	} {
		_, _, host := dockerOf(t, tc.config, nil)
		if diff := cmp.Diff(tc.drop, host.CapDrop, cmpopts.EquateEmpty()); diff != "" {
			t.Errorf("%v: %s", tc.config, diff)
		}
	}
}

func TestDockerLimits(t *testing.T) {
	_, _, host := dockerOf(t, map[string]any{}, nil)
	if host.CPUShares != 500 || host.CPUQuota != 0 || host.Memory != 64<<20 || host.MemoryReservation != 0 || host.MemorySwap != host.Memory {
		t.Errorf("plain: %+v", host.Resources)
	}
	_, _, host = dockerOf(t, map[string]any{"cpu_hard_limit": true, "memory_hard_limit": 128}, nil)
	if host.CPUPeriod != 100_000 || host.CPUQuota != 25_000 || host.Memory != 128<<20 || host.MemoryReservation != 64<<20 {
		t.Errorf("hard: %+v", host.Resources)
	}
	_, _, host = dockerOf(t, map[string]any{}, func(task *Task) { task.Resources.MemoryMaxMB = 256 })
	if host.Memory != 256<<20 || host.MemoryReservation != 64<<20 {
		t.Errorf("memory_max: %+v", host.Resources)
	}
}

func TestDockerPorts(t *testing.T) {
	ports := func(task *Task) {
		task.Ports = []Port{{Label: "http", HostIP: "127.0.0.1", Host: 22000, To: 8080}, {Label: "admin", HostIP: "127.0.0.1", Host: 22001}}
	}
	_, config, host := dockerOf(t, map[string]any{"ports": []any{"http"}, "port_map": []map[string]any{{"admin": 9000}}}, ports)
	for inside, outside := range map[uint16]string{8080: "22000", 9000: "22001"} {
		for _, protocol := range []network.IPProtocol{network.TCP, network.UDP} {
			port, _ := network.PortFrom(inside, protocol)
			want := []network.PortBinding{{HostIP: netip.MustParseAddr("127.0.0.1"), HostPort: outside}}
			if _, exposed := config.ExposedPorts[port]; !exposed {
				t.Errorf("%v is not exposed", port)
			}
			if diff := cmp.Diff(want, host.PortBindings[port], cmp.Comparer(func(a, b netip.Addr) bool { return a == b })); diff != "" {
				t.Errorf("%v: %s", port, diff)
			}
		}
	}
	_, config, host = dockerOf(t, map[string]any{"network_mode": "host", "ports": []any{"http"}}, ports)
	if len(config.ExposedPorts)+len(host.PortBindings) != 0 {
		t.Errorf("on the host's network %v, %v", config.ExposedPorts, host.PortBindings)
	}
}

func TestDockerAuth(t *testing.T) {
	c, _, _ := dockerOf(t, map[string]any{"auth": []map[string]any{{"username": "u", "password": "p", "server_address": "r.example"}}}, nil)
	if diff := cmp.Diff(&registry.AuthConfig{Username: "u", Password: "p", ServerAddress: "r.example"}, c.auth); diff != "" {
		t.Error(diff)
	}
	if header, err := c.registryAuth(); err != nil || header == "" || strings.ContainsAny(header, "+/") {
		t.Errorf("%q, %v", header, err)
	}
}

func TestDockerConfigMistakes(t *testing.T) {
	for name, tc := range map[string]struct {
		config map[string]any
		err    string
	}{
		"mount type":  {map[string]any{"mount": map[string]any{"type": "nfs", "target": "/x"}}, "invalid mount type"},
		"tmpfs":       {map[string]any{"mount": map[string]any{"type": "tmpfs", "source": "a", "target": "/x"}}, "invalid source"},
		"mount key":   {map[string]any{"mount": map[string]any{"typ": "bind"}}, "a mount has no such key"},
		"ulimit":      {map[string]any{"ulimit": map[string]any{"nofile": "many"}}, "is not SOFT:HARD"},
		"number":      {map[string]any{"pids_limit": "many"}, "a number is needed"},
		"dns address": {map[string]any{"dns_servers": []any{"nowhere"}}, "dns_servers in the config of docker"},
	} {
		tc.config["image"] = "app:1"
		if _, err := decodeDocker(tc.config); err == nil || !strings.Contains(err.Error(), tc.err) {
			t.Errorf("%s: %v; want %q", name, err, tc.err)
		}
	}
}
