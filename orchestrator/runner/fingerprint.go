package runner

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"time"

	"github.com/hashicorp/nomad/api"
	"github.com/shirou/gopsutil/v4/cpu"
	"github.com/shirou/gopsutil/v4/disk"
	"github.com/shirou/gopsutil/v4/host"
	"github.com/shirou/gopsutil/v4/mem"

	"ostro/orchestrator/driver"
)

// nomadVersion is the version of Nomad whose behaviour this node shows. Jobs constrain on it: services with provider
// "nomad" need 1.4.
const nomadVersion = "2.0.6"

// guessedMHz is what a core counts as when the system does not tell its speed.
const guessedMHz = 1000

// Fingerprint describes this machine as a node does: Name, Attributes, Drivers, NodeResources and ReservedResources are
// set. dataDir tells which disk counts, of which drivers there are. The one network is the loopback device: what runs here is reached from here.
func Fingerprint(ctx context.Context, dataDir string, of *driver.Set) (*api.Node, error) {
	name, err := os.Hostname()
	if err != nil {
		return nil, fmt.Errorf("describe this machine: %w", err)
	}
	memory, err := mem.VirtualMemoryWithContext(ctx)
	if err != nil {
		return nil, fmt.Errorf("describe this machine's memory: %w", err)
	}
	usage, err := disk.UsageWithContext(ctx, existing(dataDir))
	if err != nil {
		return nil, fmt.Errorf("describe the disk of %s: %w", dataDir, err)
	}
	cores, mhz, model := processor(ctx)
	volume, _ := volumeOf(ctx, dataDir)
	drivers, attributes := of.Fingerprint(time.Now())
	for key, value := range map[string]string{
		"cpu.arch":                  runtime.GOARCH,
		"cpu.modelname":             model,
		"cpu.frequency":             strconv.Itoa(mhz),
		"cpu.numcores":              strconv.Itoa(cores),
		"cpu.reservablecores":       strconv.Itoa(cores),
		"cpu.totalcompute":          strconv.Itoa(cores * mhz),
		"cpu.usablecompute":         strconv.Itoa(cores * mhz),
		"kernel.name":               runtime.GOOS,
		"memory.totalbytes":         strconv.FormatUint(memory.Total, 10),
		"nomad.version":             nomadVersion,
		"nomad.service_discovery":   "true",
		"unique.hostname":           name,
		"unique.network.ip-address": "127.0.0.1",
		"unique.storage.volume":     volume,
		"unique.storage.bytestotal": strconv.FormatUint(usage.Total, 10),
	} {
		attributes[key] = value
	}
	if info, err := host.InfoWithContext(ctx); err == nil { // not all of it is known on every system
		for key, value := range map[string]string{
			"kernel.version": info.KernelVersion,
			"kernel.arch":    info.KernelArch,
			"os.name":        info.Platform,
			"os.version":     info.PlatformVersion,
			"unique.host_id": info.HostID,
		} {
			if value != "" {
				attributes[key] = value
			}
		}
	}
	return &api.Node{
		Name:              name,
		Attributes:        attributes,
		Drivers:           drivers,
		NodeResources:     resources(cores, mhz, memory.Total, usage.Total),
		ReservedResources: &api.NodeReservedResources{},

		// Empty, not absent (Nomad).
		Links: map[string]string{}, HostVolumes: map[string]*api.HostVolumeInfo{},
		CSIControllerPlugins: map[string]*api.CSIInfo{}, CSINodePlugins: map[string]*api.CSIInfo{},
	}, nil
}

// resources is what there is to give away. The ports for dynamic use are Nomad's.
func resources(cores, mhz int, memoryBytes, diskBytes uint64) *api.NodeResources {
	r := &api.NodeResources{
		Cpu:            api.NodeCpuResources{CpuShares: int64(cores * mhz), TotalCpuCores: uint16(cores)},
		Memory:         api.NodeMemoryResources{MemoryMB: int64(memoryBytes >> 20)},
		Disk:           api.NodeDiskResources{DiskMB: int64(diskBytes >> 20)},
		MinDynamicPort: 20000,
		MaxDynamicPort: 32000,
		Networks: []*api.NetworkResource{{
			Mode: "host", Device: "lo", CIDR: "127.0.0.1/32", IP: "127.0.0.1", MBits: new(1000),
		}},
	}
	for i := range cores {
		r.Cpu.ReservableCpuCores = append(r.Cpu.ReservableCpuCores, uint16(i))
	}
	return r
}

func processor(ctx context.Context) (cores, mhz int, model string) {
	cores, mhz = runtime.NumCPU(), guessedMHz
	infos, err := cpu.InfoWithContext(ctx)
	if err != nil || len(infos) == 0 {
		return cores, mhz, ""
	}
	if infos[0].Mhz > 0 {
		mhz = int(infos[0].Mhz)
	}
	return cores, mhz, strings.TrimSpace(infos[0].ModelName)
}

// existing returns the nearest folder of path that is there.
func existing(path string) string {
	for {
		if _, err := os.Stat(path); err == nil {
			return path
		}
		parent := filepath.Dir(path)
		if parent == path {
			return path
		}
		path = parent
	}
}
