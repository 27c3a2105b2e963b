package runner

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strconv"
	"syscall"

	"github.com/hashicorp/nomad/api"
	gopsnet "github.com/shirou/gopsutil/v4/net"
	gopsutil "github.com/shirou/gopsutil/v4/process"
)

// portsFree looks whether the ports of an allocation can be listened on. Nomad lets the task find out: then a foreign
// process on the port may even answer the task's checks.
func portsFree(ctx context.Context, alloc *api.Allocation) error {
	if alloc.AllocatedResources == nil {
		return nil
	}
	for _, p := range alloc.AllocatedResources.Shared.Ports {
		addr := net.JoinHostPort(p.HostIP, strconv.Itoa(p.Value))
		listener, err := new(net.ListenConfig).Listen(ctx, "tcp", addr)
		if err == nil {
			err = listener.Close()
		}
		if errors.Is(err, syscall.EADDRINUSE) {
			return fmt.Errorf("port %q (%s) is already in use%s", p.Label, addr, portOwner(ctx, p.Value))
		}
	}
	return nil
}

// portOwner names the process that listens on a port, as far as this user may see it.
func portOwner(ctx context.Context, port int) string {
	conns, err := gopsnet.ConnectionsWithContext(ctx, "tcp")
	if err != nil {
		return ""
	}
	for _, c := range conns {
		if c.Status != "LISTEN" || c.Laddr.Port != uint32(port) || c.Pid == 0 {
			continue
		}
		p, err := gopsutil.NewProcessWithContext(ctx, c.Pid)
		if err != nil {
			return fmt.Sprintf(" by process %d", c.Pid)
		}
		name, err := p.NameWithContext(ctx)
		if err != nil {
			return fmt.Sprintf(" by process %d", c.Pid)
		}
		return fmt.Sprintf(" by process %d (%s)", c.Pid, name)
	}
	return ""
}
