package driver

import (
	"cmp"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/netip"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/moby/moby/api/types/container"
	"github.com/moby/moby/api/types/network"
	"github.com/moby/moby/api/types/registry"
	"github.com/moby/moby/client"
)

// dockerConfig is the config block of a docker task, with Nomad's keys.
type dockerConfig struct {
	image       string
	forcePull   bool
	pullTimeout time.Duration
	auth        *registry.AuthConfig

	ports      []string
	portMap    map[string]int
	volumes    []string
	endpoint   endpoint
	load       string // an archive in the task's local folder that holds the image
	cpuHard    bool
	cpuPeriod  int64
	memoryHard int64
	healthy    bool // the image's own health check is left on

	container container.Config
	host      container.HostConfig
}

// options is all that Docker has to know of the task's container.
func (c dockerConfig) options(t Task, image string) (client.ContainerCreateOptions, error) {
	c.container.Image, c.container.Env = image, t.Env
	c.container.Labels = maps.Clone(c.container.Labels)
	if c.container.Labels == nil {
		c.container.Labels = map[string]string{}
	}
	maps.Copy(c.container.Labels, t.Labels)
	if t.User != "" {
		c.container.User = t.User
	}
	if !c.healthy {
		// Checks of the job say what is healthy. (Nomad: healthchecks { disable = true } is our default.)
		c.container.Healthcheck = &container.HealthConfig{Test: []string{"NONE"}}
	}
	c.host.Binds = append(c.binds(t), c.host.Binds...)
	c.host.Mounts = mountsBelow(t.Dir, c.host.Mounts)
	c.dropRawNetwork()
	c.limit(t.Resources)
	// What Docker keeps of the logs only has to bridge the agent's absence.
	c.host.LogConfig = container.LogConfig{Type: "json-file", Config: map[string]string{"max-file": "2", "max-size": "10m"}}
	if err := c.publish(t.Ports); err != nil {
		return client.ContainerCreateOptions{}, err
	}
	return client.ContainerCreateOptions{Config: &c.container, HostConfig: &c.host, NetworkingConfig: c.endpoint.in(c.host.NetworkMode)}, nil
}

// dropRawNetwork takes from containers what Docker would leave them and Nomad does not, unless their job asks for it.
func (c *dockerConfig) dropRawNetwork() {
	asked := slices.ContainsFunc(c.host.CapAdd, func(name string) bool {
		name = strings.TrimPrefix(strings.ToUpper(name), "CAP_")
		return name == "NET_RAW" || name == "ALL"
	})
	if !asked && !c.host.Privileged {
		c.host.CapDrop = append(c.host.CapDrop, "NET_RAW")
	}
}

// binds are the task's folders, at the places that its environment names, and the volumes of its config. (Nomad:
// relative paths begin in the task's folder; only with a volume_driver they are names.)
func (c dockerConfig) binds(t Task) []string {
	all := []string{
		t.AllocDir + ":" + RootAlloc,
		filepath.Join(t.Dir, "local") + ":" + RootLocal,
		filepath.Join(t.Dir, "secrets") + ":" + RootSecrets,
		filepath.Join(t.AllocDir, "logs") + ":" + RootAlloc + "/logs:ro",
	}
	for _, volume := range c.volumes {
		host, rest, _ := strings.Cut(volume, ":")
		if c.host.VolumeDriver == "" && !filepath.IsAbs(host) {
			host = filepath.Join(t.Dir, host)
		}
		all = append(all, host+":"+rest)
	}
	return all
}

// limit holds the container to the task's resources. (Nomad: cpu is a weight, unless cpu_hard_limit is set.)
func (c *dockerConfig) limit(r Resources) {
	c.host.CPUShares = max(r.CPU, 2) // the least that Linux knows
	if len(r.Cores) > 0 {
		c.host.CpusetCpus = strings.Trim(strings.ReplaceAll(fmt.Sprint(r.Cores), " ", ","), "[]")
	}
	if c.cpuHard {
		c.host.CPUPeriod = c.cpuPeriod
		if c.host.CPUPeriod == 0 {
			c.host.CPUPeriod = 100_000
		}
		c.host.CPUQuota = r.CPU * c.host.CPUPeriod / cmp.Or(r.CoreMHz, 1000)
	}
	c.host.Memory = r.MemoryMB << 20
	if most := max(r.MemoryMaxMB, c.memoryHard); most > r.MemoryMB {
		c.host.Memory, c.host.MemoryReservation = most<<20, r.MemoryMB<<20
	}
	c.host.MemorySwap = c.host.Memory // none
}

// publish makes the ports that the config names reachable on the host.
func (c *dockerConfig) publish(ports []Port) error {
	if c.host.NetworkMode == "host" {
		return nil
	}
	c.container.ExposedPorts, c.host.PortBindings = network.PortSet{}, network.PortMap{}
	byLabel := map[string]Port{}
	for _, p := range ports {
		byLabel[p.Label] = p
	}
	for _, label := range slices.Concat(c.ports, slices.Sorted(maps.Keys(c.portMap))) {
		p, ok := byLabel[label]
		if !ok {
			return fmt.Errorf("Port %q not found, check network block", label)
		}
		inside := p.To
		if to := c.portMap[label]; to != 0 {
			inside = to
		}
		if inside <= 0 {
			inside = p.Host
		}
		address, err := netip.ParseAddr(p.HostIP)
		if err != nil {
			return fmt.Errorf("the address of port %q: %w", label, err)
		}
		for _, protocol := range []network.IPProtocol{network.TCP, network.UDP} {
			port, ok := network.PortFrom(uint16(inside), protocol)
			if !ok {
				return fmt.Errorf("port %q: %d is no port", label, inside)
			}
			c.container.ExposedPorts[port] = struct{}{}
			c.host.PortBindings[port] = append(c.host.PortBindings[port], network.PortBinding{HostIP: address, HostPort: strconv.Itoa(p.Host)})
		}
	}
	return nil
}

// registryAuth is the header that a registry wants.
func (c dockerConfig) registryAuth() (string, error) {
	if c.auth == nil {
		return "", nil
	}
	text, err := json.Marshal(c.auth)
	if err != nil {
		return "", fmt.Errorf("encode the registry's credentials: %w", err)
	}
	return base64.URLEncoding.EncodeToString(text), nil
}

// decodeDocker reads the config block of a docker task.
func decodeDocker(config map[string]any) (dockerConfig, error) {
	c := dockerConfig{pullTimeout: 5 * time.Minute} // Nomad's
	for _, key := range slices.Sorted(maps.Keys(config)) {
		set, known := dockerKeys()[key]
		if !known {
			return c, unknownKey(key)
		}
		if err := set(&c, config[key]); err != nil {
			return c, invalidValue("docker", key, err)
		}
	}
	if config["image"] == nil {
		return c, missingKey("image")
	}
	if c.image == "" {
		return c, errors.New("image name required for docker driver")
	}
	// Without a tag it is the newest, which is looked for each time. (Nomad.)
	if name := c.image[strings.LastIndexByte(c.image, '/')+1:]; !strings.ContainsAny(name, ":@") {
		c.image += ":latest"
	}
	return c, nil
}
