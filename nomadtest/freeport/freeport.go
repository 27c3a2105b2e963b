// Package freeport gives tests ports that stay free until they are used.
package freeport

import (
	"fmt"
	"math/rand/v2"
	"net"
	"sync/atomic"
)

// The ports below those of allocations (Nomad: 20000 to 32000) and below those that
// the kernel takes for connections (Linux: from 32768): nobody gets one of them
// between the moment in which it is found free and that in which a test listens.
const first, count = 10000, 10000

// next counts on from where other processes that run tests hardly are.
var next atomic.Uint32

func init() { next.Store(rand.Uint32N(count)) }

// Take is a TCP port of 127.0.0.1 on which nobody listens. It is another one each
// time. It panics when all are taken.
func Take() int {
	for range count {
		port := first + int(next.Add(1)%count)
		listener, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", port))
		if err == nil {
			listener.Close()
			return port
		}
	}
	panic("no port is free")
}

// TakeN are n such ports.
func TakeN(n int) []int {
	ports := make([]int, n)
	for i := range ports {
		ports[i] = Take()
	}
	return ports
}

// Address is such a port of 127.0.0.1 as HOST:PORT.
func Address() string { return fmt.Sprintf("127.0.0.1:%d", Take()) }
