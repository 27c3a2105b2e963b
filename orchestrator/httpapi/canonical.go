package httpapi

import (
	"cmp"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/hashicorp/nomad/api"
)

// canonicalize fills in what the author left out, so that equal jobs are equal
// values. (Nomad: D1 to D10.)
func (s *server) canonicalize(r *request, job *api.Job) error {
	if region := r.query.Get("region"); job.Region == nil || *job.Region == "" || *job.Region == api.GlobalRegion {
		job.Region = new(s.Region)
		if region != "" {
			job.Region = &region
		}
	}
	if m := job.Multiregion; m != nil && len(m.Regions) > 0 && !slices.ContainsFunc(m.Regions, func(r *api.MultiregionRegion) bool { return r.Name == s.Region }) {
		return fail(http.StatusInternalServerError, "No path to region")
	}
	if !s.isOurRegion(*job.Region) {
		return fail(http.StatusInternalServerError, "No path to region")
	}
	if job.Namespace == nil || *job.Namespace == "" {
		job.Namespace = new(r.namespace)
		if r.allNamespaces() {
			job.Namespace = new(api.DefaultNamespace)
		}
	}
	if err := s.refusedIn(r.Request, *job.Namespace); err != nil {
		return err
	}
	job.Canonicalize()
	if *job.Priority == 0 {
		job.Priority = new(api.JobDefaultPriority)
	}
	job.SubmitTime = new(s.Clock.Now().UnixNano())
	job.Status, job.StatusDescription, job.Stable = new(""), new(""), new(false)
	job.VersionTag, job.NomadTokenID = nil, new("")
	job.Dispatched, job.ParentID = false, new("")
	nilIfNone(&job.Affinities)
	nilIfNone(&job.Spreads)
	job.DispatchIdempotencyToken, job.ConsulNamespace = new(""), new("") // They are set by a dispatch, and by a Consul of the enterprise.
	if *job.NodePool == "" {
		job.NodePool = new(api.NodePoolDefault)
	}
	if len(job.Datacenters) == 0 {
		job.Datacenters = []string{"*"}
	}
	nilIfEmpty(&job.Meta)
	if c := job.ParameterizedJob; c != nil {
		c.Payload = cmp.Or(c.Payload, "optional")
	}
	job.Update = jobUpdate(job.Update)
	for _, group := range job.TaskGroups {
		canonicalizeGroup(job, group)
	}
	addImpliedConstraints(job)
	return nil
}

// jobUpdate is what stays of the job's own update block once every group has
// taken it over. (Nomad: D2, only the stagger and the parallelism.)
func jobUpdate(update *api.UpdateStrategy) *api.UpdateStrategy {
	kept := &api.UpdateStrategy{
		Stagger: new(zeroDuration), MaxParallel: new(0), HealthCheck: new(""), MinHealthyTime: new(zeroDuration),
		HealthyDeadline: new(zeroDuration), ProgressDeadline: new(zeroDuration),
		Canary: new(0), AutoRevert: new(false), AutoPromote: new(false),
	}
	if update != nil && update.MaxParallel != nil && *update.MaxParallel > 0 {
		kept.MaxParallel = update.MaxParallel
		if update.Stagger != nil {
			kept.Stagger = update.Stagger
		}
	}
	return kept
}

const zeroDuration = time.Duration(0)

// nilIfEmpty makes the two ways to leave a map out the same.
func nilIfEmpty[M ~map[K]V, K comparable, V any](m *M) {
	if len(*m) == 0 {
		*m = nil
	}
}

// nilIfNone makes the two ways to leave a list out the same.
func nilIfNone[T any](list *[]T) {
	if len(*list) == 0 {
		*list = nil
	}
}

// orZero fills a value in that was left out.
func orZero[T any](p **T) {
	if *p == nil {
		*p = new(T)
	}
}

func canonicalizeGroup(job *api.Job, group *api.TaskGroup) {
	nilIfEmpty(&group.Meta)
	//lint:ignore SA1019 Nomad still shows it, and ignores it.
	group.PreventRescheduleOnLost = new(false)
	//lint:ignore SA1019 Clients still send them; they live on in the disconnect block.
	group.StopAfterClientDisconnect, group.MaxClientDisconnect = nil, nil
	if d := group.Disconnect; d != nil && d.Reconcile != nil && *d.Reconcile == "" {
		d.Reconcile = new(api.ReconcileOptionBestScore)
	}
	nilIfNone(&group.Affinities)
	nilIfNone(&group.Spreads)
	maps.DeleteFunc(group.Volumes, func(_ string, v *api.VolumeRequest) bool { return v.Type != "host" && v.Type != "csi" })
	canonicalizeNetworks(group.Networks)
	canonicalizeScaling(job, group.Scaling, map[string]string{"Group": *group.Name})
	canonicalizeServices(group.Services, *job.Name, *group.Name, "group", "")
	for _, task := range group.Tasks {
		canonicalizeTask(job, group, task)
	}
}

func canonicalizeTask(job *api.Job, group *api.TaskGroup, task *api.Task) {
	nilIfEmpty(&task.Meta)
	nilIfEmpty(&task.Env)
	nilIfEmpty(&task.Config)
	if *task.KillTimeout == 0 {
		task.KillTimeout = new(5 * time.Second) // There is no way to have none. (Nomad: D7.)
	}
	canonicalizeNetworks(task.Resources.Networks)
	task.Resources.DiskMB = new(0) // It is the group's.
	task.LogConfig.Enabled = nil
	for _, field := range []**int{&task.Resources.MemoryMaxMB, &task.Resources.SecretsMB, &task.Resources.IOPS} {
		orZero(field)
	}
	task.Identities = slices.DeleteFunc(task.Identities, func(id *api.WorkloadIdentity) bool {
		if id.Name == "" || id.Name == defaultIdentity {
			task.Identity = id
			return true
		}
		return false
	})
	nilIfNone(&task.Identities)
	nilIfNone(&task.Affinities)
	task.VolumeMounts = slices.DeleteFunc(task.VolumeMounts, func(m *api.VolumeMount) bool { return m.Volume == nil })
	nilIfNone(&task.VolumeMounts)
	if task.Identity == nil {
		task.Identity = &api.WorkloadIdentity{}
	}
	task.Identity.Name = cmp.Or(task.Identity.Name, defaultIdentity)
	if task.Identity.Name == defaultIdentity {
		task.Identity.Audience = []string{"nomadproject.io"} // It is for Nomad alone.
	}
	for _, artifact := range task.Artifacts {
		if *artifact.GetterMode == "" {
			artifact.GetterMode = new("any")
		}
	}
	for _, policy := range task.ScalingPolicies {
		canonicalizeScaling(job, policy, map[string]string{"Group": *group.Name, "Task": task.Name})
	}
	canonicalizeServices(task.Services, *job.Name, *group.Name, task.Name, task.Name)
}

func canonicalizeScaling(job *api.Job, policy *api.ScalingPolicy, target map[string]string) {
	if policy == nil {
		return
	}
	target["Namespace"], target["Job"] = *job.Namespace, *job.ID
	policy.Target = target
	if policy.Enabled == nil {
		policy.Enabled = new(true)
	}
	orZero(&policy.Min)
}

func canonicalizeNetworks(networks []*api.NetworkResource) {
	for _, network := range networks {
		for _, ports := range [][]api.Port{network.DynamicPorts, network.ReservedPorts} {
			for i := range ports {
				ports[i].HostNetwork = cmp.Or(ports[i].HostNetwork, "default")
			}
		}
	}
}

// canonicalizeServices names services and checks. label stands for the task in
// a service's name; task is empty for the services of a group. (Nomad.)
func canonicalizeServices(services []*api.Service, job, group, label, task string) {
	names := strings.NewReplacer("${JOB}", job, "${TASKGROUP}", group, "${TASK}", label,
		"${BASE}", strings.Join([]string{job, group, label}, "-"))
	for _, service := range services {
		service.Name = names.Replace(service.Name)
		service.TaskName = cmp.Or(service.TaskName, task)
		for i := range service.Checks {
			check := &service.Checks[i]
			check.Name = cmp.Or(check.Name, fmt.Sprintf("service: %q check", service.Name))
			check.TaskName = cmp.Or(check.TaskName, service.TaskName)
		}
	}
}
