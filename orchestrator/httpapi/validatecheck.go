package httpapi

import (
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/hashicorp/nomad/api"
)

// What a check means for a deployment. (Nomad.)
const (
	requireHealthy = "require_healthy"
	ignoreWarnings = "ignore_warnings"
	ignoreChecks   = "ignore"
)

// onUpdates are the meanings that a check or a service may have.
var onUpdates = []string{"", ignoreChecks, requireHealthy, ignoreWarnings}

// minCheck is the shortest interval and the shortest timeout of a check. (Nomad.)
const minCheck = time.Second

// validateCheck gives the first mistake of a check of one of these types.
func validateCheck(c *api.ServiceCheck, types ...string) error {
	kind := strings.ToLower(c.Type)
	target, err := url.Parse(c.Path)
	restart := c.CheckRestart
	switch {
	case !slices.Contains(types, kind):
		return textErrorf("invalid check type (%q), must be one of %s", kind, strings.Join(types, ", "))
	case kind == "http" && c.Path == "":
		return textError("http type must have http path")
	case kind == "http" && err != nil:
		return textError("http type must have valid http path")
	case kind == "http" && target.IsAbs():
		return textError("http type must have relative http path")
	case kind == "script" && c.Command == "":
		return textError("script type must have a valid script path")
	case c.Interval == 0:
		return textErrorf("missing required value interval. Interval cannot be less than %v", minCheck)
	case c.Interval < minCheck:
		return textErrorf("interval (%v) cannot be lower than %v", c.Interval, minCheck)
	case c.Timeout == 0:
		return textErrorf("missing required value timeout. Timeout cannot be less than %v", minCheck)
	case c.Timeout < minCheck:
		return textErrorf("timeout (%v) is lower than required minimum timeout %v", c.Timeout, minCheck)
	case !slices.Contains([]string{"", "passing", "warning", "critical"}, c.InitialStatus):
		return textErrorf("invalid initial check state (%s), must be one of %q, %q, %q or empty", c.InitialStatus, "passing", "warning", "critical")
	case c.AddressMode == addressAuto:
		return textErrorf("invalid address_mode %q - %s only valid for services", addressAuto, addressAuto)
	case !slices.Contains([]string{"", addressHost, addressDriver, addressAlloc, addressAllocIPv6}, c.AddressMode):
		return textErrorf("invalid address_mode %q", c.AddressMode)
	case !slices.Contains(onUpdates, c.OnUpdate):
		return textErrorf("on_update must be %q, %q, or %q; got %q", requireHealthy, ignoreWarnings, ignoreChecks, c.OnUpdate)
	case restart == nil:
		return nil
	case c.OnUpdate == ignoreChecks:
		return textErrorf("on_update value %q is not compatible with check_restart", c.OnUpdate)
	case !restart.IgnoreWarnings && c.OnUpdate == ignoreWarnings:
		return textErrorf("on_update value %q not supported with check_restart ignore_warnings value %q", c.OnUpdate, strconv.FormatBool(false))
	}
	p := &problems{}
	p.refuse(restart.Limit < 0, "limit must be greater than or equal to 0 but found %d", restart.Limit)
	if grace := restart.Grace; grace != nil {
		p.refuse(*grace < 0, "grace period must be greater than or equal to 0 but found %d", *grace)
	}
	return p.err()
}

// methods are those that a check over HTTP may use. (Nomad.)
var methods = []string{
	http.MethodGet, http.MethodHead, http.MethodPost, http.MethodPut, http.MethodPatch,
	http.MethodDelete, http.MethodConnect, http.MethodOptions, http.MethodTrace,
}

// validateNomadCheck gives the first mistake of a check that Nomad does itself.
func validateNomadCheck(c *api.ServiceCheck) error {
	if err := validateCheck(c, "tcp", "http"); err != nil {
		return err
	}
	consul := func(what string) error { return textErrorf("%s may only be set for Consul service checks", what) }
	switch {
	case c.Expose:
		return consul("expose")
	case c.OnUpdate == ignoreWarnings:
		return textError("on_update may only be set to ignore_warnings for Consul service checks")
	case c.CheckRestart != nil && c.CheckRestart.IgnoreWarnings:
		return textError("ignore_warnings on check_restart only supported for Consul service checks")
	case c.AddressMode == addressDriver:
		return consul("address_mode = driver")
	case c.Type == "http" && c.Method != "" && !slices.Contains(methods, c.Method):
		return textErrorf("method type %q not supported in Nomad http check", c.Method)
	case c.SuccessBeforePassing != 0:
		return consul("success_before_passing")
	case c.FailuresBeforeCritical != 0:
		return consul("failures_before_critical")
	case c.FailuresBeforeWarning != 0:
		return consul("failures_before_warning")
	case c.TLSServerName != "":
		return consul("tls_server_name")
	}
	return nil
}

// validateConsulCheck gives the first mistake of a check that Consul does.
func validateConsulCheck(c *api.ServiceCheck) error {
	if err := validateCheck(c, "grpc", "tcp", "http", "script"); err != nil {
		return err
	}
	if kind := strings.ToLower(c.Type); c.Expose && kind != "grpc" && kind != "http" {
		return textError("expose may only be set on HTTP or gRPC checks")
	}
	for _, limit := range []struct {
		name  string
		value int
	}{
		{"success_before_passing", c.SuccessBeforePassing},
		{"failures_before_critical", c.FailuresBeforeCritical},
		{"failures_before_warning", c.FailuresBeforeWarning},
	} {
		if limit.value < 0 {
			return textErrorf("%s must be non-negative", limit.name)
		}
		if limit.value > 0 && !slices.Contains([]string{"tcp", "http", "grpc"}, c.Type) {
			return textErrorf("%s not supported for check of type %q", limit.name, c.Type)
		}
	}
	if len(c.Notes) > 255 {
		return textError("notes must not be longer than 255 characters")
	}
	return nil
}
