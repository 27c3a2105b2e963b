//go:build unix

package main

import (
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"ostro/nomadtest"
)

// proxies are the faulty ways to Nomad, by the address that the script has for it.
type proxies map[string]*nomadtest.Proxy

type proxiesKey struct{}

// withProxies gives a script the place for its proxies.
func withProxies(env *testscript.Env, t testing.TB) {
	env.Values[proxiesKey{}] = proxies{}
	env.Values[testKey{}] = t
}

type testKey struct{}

// faultCommand puts a proxy between the script and Nomad, and lets it have a
// fault: fault none, fault reset, fault hole, fault 500, fault latency, fault slow.
func faultCommand(ts *testscript.TestScript, _ bool, args []string) {
	list := ts.Value(proxiesKey{}).(proxies)
	address := ts.Getenv("NOMAD_ADDR")
	if list[address] == nil {
		proxy := nomadtest.NewProxy(ts.Value(testKey{}).(testing.TB), address)
		address = "http://" + proxy.Addr
		ts.Setenv("NOMAD_ADDR", address)
		list[address] = proxy
	}
	fault, known := map[string]nomadtest.Fault{
		"none": {}, "reset": {Reset: true}, "hole": {Hole: true}, "500": {Status: 500}, "latency": {Latency: 200 * time.Millisecond}, "slow": {Rate: 40 << 10},
	}[args[0]]
	if !known {
		ts.Fatalf("there is no fault %s", args[0])
	}
	list[address].Set(fault)
}
