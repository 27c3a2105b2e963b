package driver

import (
	"errors"
	"fmt"
	"net/netip"
	"strconv"
	"strings"
	"time"

	"github.com/moby/moby/api/types/container"
	"github.com/moby/moby/api/types/registry"
)

// dockerKeys says for each key of a docker task's config what it sets.
func dockerKeys() map[string]func(*dockerConfig, any) error {
	return map[string]func(*dockerConfig, any) error{
		"image":              func(c *dockerConfig, v any) error { return into(&c.image, v, imageName) },
		"load":               func(c *dockerConfig, v any) error { return into(&c.load, v, text) },
		"force_pull":         func(c *dockerConfig, v any) error { return into(&c.forcePull, v, truth) },
		"image_pull_timeout": func(c *dockerConfig, v any) error { return into(&c.pullTimeout, v, duration) },
		"auth":               func(c *dockerConfig, v any) error { return into(&c.auth, v, credentials) },
		"auth_soft_fail":     accept,

		"command":         func(c *dockerConfig, v any) error { return prepend(&c.container.Cmd, v) },
		"args":            func(c *dockerConfig, v any) error { return extend(&c.container.Cmd, v) },
		"entrypoint":      func(c *dockerConfig, v any) error { return into(&c.container.Entrypoint, v, texts) },
		"work_dir":        func(c *dockerConfig, v any) error { return into(&c.container.WorkingDir, v, text) },
		"hostname":        func(c *dockerConfig, v any) error { return into(&c.container.Hostname, v, text) },
		"labels":          func(c *dockerConfig, v any) error { return into(&c.container.Labels, v, textMap) },
		"tty":             func(c *dockerConfig, v any) error { return into(&c.container.Tty, v, truth) },
		"interactive":     func(c *dockerConfig, v any) error { return into(&c.container.OpenStdin, v, truth) },
		"healthchecks":    func(c *dockerConfig, v any) error { return into(&c.healthy, v, healthOn) },
		"ports":           func(c *dockerConfig, v any) error { return into(&c.ports, v, texts) },
		"port_map":        func(c *dockerConfig, v any) error { return into(&c.portMap, v, numberMap) },
		"volumes":         func(c *dockerConfig, v any) error { return into(&c.volumes, v, texts) },
		"volume_driver":   func(c *dockerConfig, v any) error { return into(&c.host.VolumeDriver, v, text) },
		"mount":           mounts,
		"mounts":          mounts,
		"network_mode":    func(c *dockerConfig, v any) error { return into(&c.host.NetworkMode, v, named[container.NetworkMode]) },
		"network_aliases": func(c *dockerConfig, v any) error { return into(&c.endpoint.aliases, v, texts) },
		"ipv4_address":    func(c *dockerConfig, v any) error { return into(&c.endpoint.ipv4, v, address) },
		"ipv6_address":    func(c *dockerConfig, v any) error { return into(&c.endpoint.ipv6, v, address) },
		"mac_address":     func(c *dockerConfig, v any) error { return into(&c.endpoint.mac, v, hardwareAddress) },
		"extra_hosts":     func(c *dockerConfig, v any) error { return into(&c.host.ExtraHosts, v, texts) },

		"dns_servers":        func(c *dockerConfig, v any) error { return into(&c.host.DNS, v, addresses) },
		"dns_search_domains": func(c *dockerConfig, v any) error { return into(&c.host.DNSSearch, v, texts) },
		"dns_options":        func(c *dockerConfig, v any) error { return into(&c.host.DNSOptions, v, texts) },
		"privileged":         func(c *dockerConfig, v any) error { return into(&c.host.Privileged, v, truth) },
		"cap_add":            func(c *dockerConfig, v any) error { return into(&c.host.CapAdd, v, texts) },
		"cap_drop":           func(c *dockerConfig, v any) error { return into(&c.host.CapDrop, v, texts) },
		"security_opt":       func(c *dockerConfig, v any) error { return into(&c.host.SecurityOpt, v, texts) },
		"group_add":          func(c *dockerConfig, v any) error { return into(&c.host.GroupAdd, v, texts) },
		"ipc_mode":           func(c *dockerConfig, v any) error { return into(&c.host.IpcMode, v, named[container.IpcMode]) },
		"pid_mode":           func(c *dockerConfig, v any) error { return into(&c.host.PidMode, v, named[container.PidMode]) },
		"uts_mode":           func(c *dockerConfig, v any) error { return into(&c.host.UTSMode, v, named[container.UTSMode]) },
		"userns_mode":        func(c *dockerConfig, v any) error { return into(&c.host.UsernsMode, v, named[container.UsernsMode]) },
		"cgroupns": func(c *dockerConfig, v any) error {
			return into(&c.host.CgroupnsMode, v, named[container.CgroupnsMode])
		},
		"readonly_rootfs":   func(c *dockerConfig, v any) error { return into(&c.host.ReadonlyRootfs, v, truth) },
		"runtime":           func(c *dockerConfig, v any) error { return into(&c.host.Runtime, v, text) },
		"shm_size":          func(c *dockerConfig, v any) error { return into(&c.host.ShmSize, v, number[int64]) },
		"oom_score_adj":     func(c *dockerConfig, v any) error { return into(&c.host.OomScoreAdj, v, number[int]) },
		"storage_opt":       func(c *dockerConfig, v any) error { return into(&c.host.StorageOpt, v, textMap) },
		"sysctl":            func(c *dockerConfig, v any) error { return into(&c.host.Sysctls, v, textMap) },
		"ulimit":            func(c *dockerConfig, v any) error { return into(&c.host.Ulimits, v, ulimits) },
		"devices":           func(c *dockerConfig, v any) error { return into(&c.host.Devices, v, devices) },
		"pids_limit":        func(c *dockerConfig, v any) error { return into(&c.host.PidsLimit, v, pointer(number[int64])) },
		"init":              func(c *dockerConfig, v any) error { return into(&c.host.Init, v, pointer(truth)) },
		"cpu_hard_limit":    func(c *dockerConfig, v any) error { return into(&c.cpuHard, v, truth) },
		"cpuset_cpus":       func(c *dockerConfig, v any) error { return into(&c.host.CpusetCpus, v, text) },
		"cpu_cfs_period":    func(c *dockerConfig, v any) error { return into(&c.cpuPeriod, v, number[int64]) },
		"memory_hard_limit": func(c *dockerConfig, v any) error { return into(&c.memoryHard, v, number[int64]) },
		// The logs are Nomad's own files, whatever Docker does beside.
		"logging":                   accept,
		"advertise_ipv6_address":    accept,
		"disable_log_collection":    accept,
		"container_exists_attempts": accept,
	}
}

// accept takes a key that changes nothing here.
func accept(*dockerConfig, any) error { return nil }

// into decodes a value of a config block to where it belongs.
func into[T any](target *T, value any, decode func(any) (T, error)) error {
	decoded, err := decode(value)
	if err == nil {
		*target = decoded
	}
	return err
}

func pointer[T any](decode func(any) (T, error)) func(any) (*T, error) {
	return func(value any) (*T, error) {
		decoded, err := decode(value)
		return &decoded, err
	}
}

// prepend puts the command before its arguments, whichever is read first.
func prepend(list *[]string, value any) error {
	first, err := text(value)
	*list = append([]string{first}, *list...)
	return err
}

func extend(list *[]string, value any) error {
	more, err := texts(value)
	*list = append(*list, more...)
	return err
}

func named[T ~string](value any) (T, error) {
	s, err := text(value)
	return T(s), err
}

// imageName takes an address of a registry, too.
func imageName(value any) (string, error) {
	s, err := text(value)
	return strings.TrimPrefix(strings.TrimPrefix(s, "https://"), "docker://"), err
}

func duration(value any) (time.Duration, error) {
	s, err := text(value)
	if err != nil {
		return 0, err
	}
	return time.ParseDuration(s)
}

func truth(value any) (bool, error) {
	if b, ok := value.(bool); ok {
		return b, nil
	}
	s, err := text(value)
	if err != nil {
		return false, err
	}
	return strconv.ParseBool(s)
}

func number[T int | int64](value any) (T, error) {
	s, err := text(value)
	if err != nil {
		return 0, err
	}
	n, err := strconv.ParseInt(s, 10, 64)
	if err != nil {
		return 0, fmt.Errorf("a number is needed, not %q", s)
	}
	return T(n), nil
}

// blocksOf takes a block, which comes as a list of them.
func blocksOf(value any) ([]map[string]any, error) {
	switch v := value.(type) {
	case map[string]any:
		return []map[string]any{v}, nil
	case []map[string]any:
		return v, nil
	case []any:
		var all []map[string]any
		for _, each := range v {
			blocks, err := blocksOf(each)
			if err != nil {
				return nil, err
			}
			all = append(all, blocks...)
		}
		return all, nil
	}
	return nil, fmt.Errorf("a block is needed, not %T", value)
}

func mapOf[T any](value any, decode func(any) (T, error)) (map[string]T, error) {
	blocks, err := blocksOf(value)
	if err != nil {
		return nil, err
	}
	all := map[string]T{}
	for _, block := range blocks {
		for key, value := range block {
			if all[key], err = decode(value); err != nil {
				return nil, fmt.Errorf("%s: %w", key, err)
			}
		}
	}
	return all, nil
}

func textMap(value any) (map[string]string, error) { return mapOf(value, text) }

func numberMap(value any) (map[string]int, error) { return mapOf(value, number[int]) }

func addresses(value any) ([]netip.Addr, error) {
	list, err := texts(value)
	if err != nil {
		return nil, err
	}
	all := make([]netip.Addr, len(list))
	for i, s := range list {
		if all[i], err = netip.ParseAddr(s); err != nil {
			return nil, err
		}
	}
	return all, nil
}

// healthOn tells whether a healthchecks block leaves the image's own check on.
func healthOn(value any) (bool, error) {
	block, err := mapOf(value, truth)
	return !block["disable"], err
}

func credentials(value any) (*registry.AuthConfig, error) {
	block, err := textMap(value)
	if err != nil {
		return nil, err
	}
	return &registry.AuthConfig{
		Username: block["username"], Password: block["password"], ServerAddress: block["server_address"],
	}, nil
}

// ulimits reads NAME = "SOFT:HARD", or one number for both.
func ulimits(value any) ([]*container.Ulimit, error) {
	block, err := textMap(value)
	if err != nil {
		return nil, err
	}
	var all []*container.Ulimit
	for name, limits := range block {
		softText, hardText, both := strings.Cut(limits, ":")
		if !both {
			hardText = softText
		}
		soft, err := strconv.ParseInt(softText, 10, 64)
		hard, hardErr := strconv.ParseInt(hardText, 10, 64)
		if err := errors.Join(err, hardErr); err != nil {
			return nil, fmt.Errorf("%s: %q is not SOFT:HARD", name, limits)
		}
		all = append(all, &container.Ulimit{Name: name, Soft: soft, Hard: hard})
	}
	return all, nil
}

func devices(value any) ([]container.DeviceMapping, error) {
	blocks, err := blocksOf(value)
	if err != nil {
		return nil, err
	}
	var all []container.DeviceMapping
	for _, block := range blocks {
		fields, err := mapOf(block, text)
		if err != nil {
			return nil, err
		}
		d := container.DeviceMapping{
			PathOnHost: fields["host_path"], PathInContainer: fields["container_path"], CgroupPermissions: fields["cgroup_permissions"],
		}
		if d.PathInContainer == "" {
			d.PathInContainer = d.PathOnHost
		}
		if d.CgroupPermissions == "" {
			d.CgroupPermissions = "rwm"
		}
		all = append(all, d)
	}
	return all, nil
}
