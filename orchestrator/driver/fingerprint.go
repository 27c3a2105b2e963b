package driver

import (
	"maps"
	"runtime"
	"strconv"
	"time"

	"github.com/hashicorp/nomad/api"
)

// Fingerprint tells which drivers work on this machine, by name, and the node attributes that say so (Nomad:
// "driver.raw_exec" = "1"), and the signals that tasks can be sent.
func (s *Set) Fingerprint(now time.Time) (drivers map[string]*api.DriverInfo, attributes map[string]string) {
	drivers = map[string]*api.DriverInfo{}
	attributes = map[string]string{}
	for name := range s.drivers {
		if name == "raw_exec" && runtime.GOOS == "windows" {
			continue
		}
		about := map[string]string{"driver." + name: "true"}
		attributes["driver."+name] = "1"
		switch {
		case name == "docker":
			maps.Copy(about, s.docker.about)
		case name == "java":
			maps.Copy(about, s.java.about)
		}
		for key, value := range about {
			if key != "driver."+name {
				attributes[key] = value
			}
		}
		drivers[name] = &api.DriverInfo{
			Attributes:        about,
			Detected:          true,
			Healthy:           true,
			HealthDescription: "Healthy",
			UpdateTime:        now.UTC(),
		}
	}
	if s.exec != nil && s.exec.unlimited != "" {
		drivers["exec"].HealthDescription = "Healthy, but tasks are not held to their cpu and memory: " + s.exec.unlimited
	}
	for name, why := range s.absent {
		drivers[name] = &api.DriverInfo{Attributes: map[string]string{}, HealthDescription: why, UpdateTime: now.UTC()}
	}
	if version := cgroupVersion(); version != 0 {
		attributes["os.cgroups.version"] = strconv.Itoa(version)
	}
	if names := signalNames(); names != "" {
		attributes["os.signals"] = names
	}
	return drivers, attributes
}
