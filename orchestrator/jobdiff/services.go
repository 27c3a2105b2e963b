package jobdiff

import (
	"strconv"

	"github.com/hashicorp/nomad/api"
)

func services(items []*api.Service) part {
	return list(byLikeness, items, layoutService, place)
}

func layoutService(s *api.Service) *block {
	fields := pick(s, "Name", "TaskName", "PortLabel", "AddressMode", "Address", "EnableTagOverride", "Meta", "CanaryMeta",
		"TaggedAddresses", "OnUpdate", "Provider", "Cluster", "Kind")
	// The server puts every service into the one namespace that there is.
	fields["Namespace"] = api.DefaultNamespace
	return &block{
		name: "Service", value: s, fields: fields,
		parts: []part{
			members("CanaryTags", set, s.CanaryTags), members("Tags", set, s.Tags),
			list(byKey, s.Checks, layoutCheck, func(_ int, c api.ServiceCheck) string { return c.Name }),
			single(s.Connect, layoutConnect),
			single(s.Identity, layoutIdentity),
			single(s.Weights, layoutWeights),
		},
	}
}

func layoutCheck(c api.ServiceCheck) *block {
	header := part{matching: byKey}
	if len(c.Header) > 0 {
		header.blocks = []*block{free("Header", c.Header)}
	}
	return &block{
		name: "Check", value: c,
		fields: pick(c, "Name", "Type", "Command", "Path", "Protocol", "PortLabel", "Expose", "AddressMode", "Interval",
			"Timeout", "InitialStatus", "Notes", "TLSServerName", "TLSSkipVerify", "Method", "GRPCService", "GRPCUseTLS",
			"TaskName", "SuccessBeforePassing", "FailuresBeforeCritical", "FailuresBeforeWarning", "Body", "OnUpdate"),
		parts: []part{
			header,
			single(c.CheckRestart, fieldsOf[api.CheckRestart]("CheckRestart", whole, "Limit", "Grace", "IgnoreWarnings")),
		},
	}
}

// layoutConnect tells that a service mesh changes, not how.
func layoutConnect(c *api.ConsulConnect) *block {
	return &block{name: "ConsulConnect", value: c, fields: pick(c, "Native")}
}

func layoutWeights(w *api.ServiceWeights) *block {
	fields := map[string]string{}
	for name, weight := range map[string]int{"Passing": w.Passing, "Warning": w.Warning} {
		if weight > 0 {
			fields[name] = strconv.Itoa(weight)
		}
	}
	return &block{name: "Weights", value: w, fields: fields}
}

func layoutIdentity(id *api.WorkloadIdentity) *block {
	return &block{
		name: "Identity", value: id,
		fields: pick(id, "Name", "ChangeMode", "ChangeSignal", "Env", "File", "Filepath", "ServiceName", "TTL"),
		parts:  []part{members("Audience", set, id.Audience)},
	}
}
