package driver

import (
	"runtime"
	"time"

	"github.com/hashicorp/nomad/api"
)

// Fingerprint tells which drivers work on this machine, by name, and the node attributes that say so (Nomad:
// "driver.raw_exec" = "1"), and the signals that tasks can be sent.
func Fingerprint(now time.Time) (drivers map[string]*api.DriverInfo, attributes map[string]string) {
	drivers = map[string]*api.DriverInfo{}
	attributes = map[string]string{}
	for _, name := range []string{"raw_exec", "mock_driver"} {
		if name == "raw_exec" && runtime.GOOS == "windows" {
			continue
		}
		drivers[name] = &api.DriverInfo{
			Attributes:        map[string]string{"driver." + name: "true"},
			Detected:          true,
			Healthy:           true,
			HealthDescription: "Healthy",
			UpdateTime:        now.UTC(),
		}
		attributes["driver."+name] = "1"
	}
	if names := signalNames(); names != "" {
		attributes["os.signals"] = names
	}
	return drivers, attributes
}
