package reconcile

import (
	"flag"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/hashicorp/nomad/api"
	"pgregory.net/rapid"
)

var rewrite = flag.Bool("rewrite", false, "write what the scenarios print into their files; commit it only if you know why it changed")

// TestScenarios runs the files of testdata. A scenario is a list of steps: lines
// of commands, a rule of dashes, and everything that follows from them.
func TestScenarios(t *testing.T) {
	files, err := filepath.Glob("testdata/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatalf("there are no scenarios: %v", err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txt"), func(t *testing.T) {
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			got := newWorld(t).play(string(text))
			if *rewrite {
				if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
					t.Fatal(err)
				}
				return
			}
			if got != string(text) {
				t.Errorf("%s differs; with -rewrite it would read:\n%s", file, got)
			}
		})
	}
}

// world is a cluster without a clock, a network or a disk.
type world struct {
	t           rapid.TB
	now         time.Time
	index       uint64
	ids         map[string]int
	nodes       []*api.Node
	versions    []*api.Job // newest first
	allocs      map[string]*api.Allocation
	deployments []*api.Deployment // newest last
	evals       []*api.Evaluation
	out         strings.Builder
}

func newWorld(t rapid.TB) *world {
	return &world{
		t: t, now: time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC), index: 10,
		ids: map[string]int{}, allocs: map[string]*api.Allocation{},
	}
}

// play runs a scenario and gives it back with what really happened.
func (w *world) play(text string) string {
	var out strings.Builder
	for i, step := range strings.Split(strings.TrimRight(text, "\n"), "\n\n") {
		commands, _, _ := strings.Cut(step, "\n----")
		if i > 0 {
			out.WriteString("\n")
		}
		out.WriteString(commands + "\n----\n")
		w.out.Reset()
		for line := range strings.Lines(commands) {
			line = strings.TrimSpace(line)
			if line != "" && !strings.HasPrefix(line, "#") {
				w.command(strings.Fields(line))
				w.check()
			}
		}
		out.WriteString(w.out.String())
	}
	return out.String()
}

func (w *world) say(format string, args ...any) { fmt.Fprintf(&w.out, format+"\n", args...) }

func (w *world) newID(kind string) func() string {
	return func() string {
		w.ids[kind]++
		return kind + strconv.Itoa(w.ids[kind])
	}
}

// command is one line. Each case shows an example.
func (w *world) command(words []string) {
	args := words[1:]
	switch words[0] {
	case "node": // node n1 down
		w.node(args)
	case "job": // job web count=3 canary=1 auto_revert env=2
		w.register(args)
	case "stop": // stop
		job := *w.versions[0]
		job.Stop = new(true)
		w.addVersion(&job)
		w.addEval("job-deregister")
	case "running", "healthy", "unhealthy", "failed", "complete": // healthy 0 n1, or: healthy all
		for _, id := range w.named(args) {
			w.client(id, words[0])
		}
	case "promote", "fail", "pause", "resume": // promote
		w.operate(words[0], args)
	case "stable": // stable 0
		for _, job := range w.versions {
			if strconv.FormatUint(*job.Version, 10) == args[0] {
				job.Stable = new(true)
			}
		}
	case "advance": // advance 10s
		d, err := time.ParseDuration(args[0])
		if err != nil {
			w.t.Fatal(err)
		}
		w.now = w.now.Add(d)
	case "eval": // eval node-update
		w.addEval(args[0])
	case "drain": // drain 0
		for _, id := range w.named(args) {
			a := *w.allocs[id]
			a.DesiredTransition.Migrate = new(true)
			w.allocs[id] = &a
		}
		w.addEval("node-drain")
	case "reconcile": // reconcile
		w.reconcile()
	case "show": // show
		w.show()
	default:
		w.t.Fatalf("unknown command %q", words[0])
	}
}

// named finds live allocations by their index, the newest first, or all of them.
func (w *world) named(args []string) []string {
	var ids []string
	live := slices.DeleteFunc(w.sorted(), Terminal)
	slices.Reverse(live)
	if len(args) == 1 && args[0] == "all" {
		for _, a := range slices.Backward(live) {
			ids = append(ids, a.ID)
		}
		return ids
	}
	for _, arg := range args {
		i := slices.IndexFunc(live, func(a *api.Allocation) bool { return strconv.Itoa(nameIndex(a.Name)) == arg || a.NodeID == arg })
		if i < 0 {
			w.t.Fatalf("there is no live allocation %q", arg)
		}
		ids = append(ids, live[i].ID)
	}
	return ids
}

func options(args []string) map[string]string {
	set := map[string]string{}
	for _, arg := range args {
		name, value, _ := strings.Cut(arg, "=")
		set[name] = value
	}
	return set
}

func (w *world) node(args []string) {
	o := options(args[1:])
	node := &api.Node{
		ID: args[0], Name: args[0], Datacenter: "dc1", NodePool: "default", Status: api.NodeStatusReady,
		SchedulingEligibility: api.NodeSchedulingEligible, Attributes: map[string]string{"kernel.name": "linux"},
		Drivers: map[string]*api.DriverInfo{"raw_exec": {Detected: true, Healthy: true}},
		NodeResources: &api.NodeResources{
			Cpu: api.NodeCpuResources{CpuShares: 4000}, Memory: api.NodeMemoryResources{MemoryMB: 4000},
			Disk: api.NodeDiskResources{DiskMB: 100000}, Networks: []*api.NetworkResource{{IP: "127.0.0.1"}},
		},
	}
	if _, down := o["down"]; down {
		node.Status = api.NodeStatusDown
	}
	if _, ineligible := o["ineligible"]; ineligible {
		node.SchedulingEligibility = api.NodeSchedulingIneligible
	}
	if memory, ok := o["memory"]; ok {
		node.NodeResources.Memory.MemoryMB, _ = strconv.ParseInt(memory, 10, 64)
	}
	if dc, ok := o["dc"]; ok {
		node.Datacenter = dc
	}
	w.nodes = slices.DeleteFunc(w.nodes, func(n *api.Node) bool { return n.ID == node.ID })
	w.nodes = append(w.nodes, node)
	for _, e := range w.evals {
		if e.Status == api.EvalStatusBlocked {
			e.Status = api.EvalStatusPending
		}
	}
	if len(w.versions) > 0 {
		w.addEval("node-update")
	}
}

func (w *world) register(args []string) {
	o := options(args[1:])
	number := func(name string, otherwise int) int {
		if text, ok := o[name]; ok {
			n, err := strconv.Atoi(text)
			if err != nil {
				w.t.Fatal(err)
			}
			return n
		}
		return otherwise
	}
	_, autoRevert := o["auto_revert"]
	_, autoPromote := o["auto_promote"]
	task := api.NewTask("t", "raw_exec")
	task.Config = map[string]any{"command": "serve"}
	task.Env = map[string]string{"V": o["env"]}
	task.Resources = &api.Resources{CPU: new(100), MemoryMB: new(number("memory", 100))}
	group := api.NewTaskGroup("g", number("count", 1))
	group.AddTask(task)
	group.Meta = map[string]string{}
	if priority, ok := o["group_meta"]; ok {
		group.Meta["m"] = priority
	}
	if port := number("port", 0); port > 0 {
		group.Networks = []*api.NetworkResource{{ReservedPorts: []api.Port{{Label: "http", Value: port}}}}
	}
	if _, distinct := o["distinct_hosts"]; distinct {
		group.Constraints = []*api.Constraint{{Operand: api.ConstraintDistinctHosts, RTarget: "true"}}
	}
	if kernel, ok := o["kernel"]; ok {
		group.Constraints = append(group.Constraints, &api.Constraint{LTarget: "${attr.kernel.name}", Operand: "=", RTarget: kernel})
	}
	kind := o["type"]
	if kind == "" {
		kind = api.JobTypeService
	}
	job := &api.Job{ID: &args[0], Type: &kind, TaskGroups: []*api.TaskGroup{group}, Datacenters: []string{"*"}, NodePool: new("default"), Priority: new(number("priority", 50))}
	if kind == api.JobTypeService || kind == api.JobTypeSystem {
		job.Update = api.DefaultUpdateStrategy()
		job.Update.MaxParallel = new(number("max_parallel", 1))
		job.Update.Canary = new(number("canary", 0))
		job.Update.AutoRevert, job.Update.AutoPromote = &autoRevert, &autoPromote
		if text, ok := o["progress_deadline"]; ok {
			d, err := time.ParseDuration(text)
			if err != nil {
				w.t.Fatal(err)
			}
			job.Update.ProgressDeadline = &d
		}
	}
	if attempts, ok := o["reschedule"]; ok && kind != api.JobTypeSystem {
		n, _ := strconv.Atoi(attempts)
		group.ReschedulePolicy = &api.ReschedulePolicy{Attempts: &n, Interval: new(time.Hour), Unlimited: new(false), Delay: new(30 * time.Second), DelayFunction: new("constant"), MaxDelay: new(time.Hour)}
	}
	job.Canonicalize()
	job.Stop = new(false)
	w.addVersion(job)
	w.addEval("job-register")
}

func (w *world) addVersion(job *api.Job) {
	w.index++
	job.Version, job.CreateIndex = new(uint64(0)), new(w.index)
	if len(w.versions) > 0 {
		job.Version, job.CreateIndex = new(*w.versions[0].Version+1), w.versions[0].CreateIndex
	}
	job.ModifyIndex, job.JobModifyIndex = new(w.index), new(w.index)
	w.versions = slices.Insert(w.versions, 0, job)
	w.say("job %s is version %d", *job.ID, *job.Version)
}

func (w *world) addEval(trigger string) {
	job := w.versions[0]
	w.evals = append(w.evals, &api.Evaluation{
		ID: w.newID("e")(), Namespace: "default", JobID: *job.ID, Type: *job.Type, Priority: *job.Priority,
		TriggeredBy: trigger, JobModifyIndex: *job.JobModifyIndex, Status: api.EvalStatusPending,
	})
}

func (w *world) deployment() *api.Deployment {
	if len(w.deployments) == 0 {
		return nil
	}
	return w.deployments[len(w.deployments)-1]
}

func (w *world) putDeployment(d *api.Deployment) {
	i := slices.IndexFunc(w.deployments, func(o *api.Deployment) bool { return o.ID == d.ID })
	if i < 0 {
		w.deployments = append(w.deployments, d)
	} else {
		w.deployments[i] = d
	}
	w.say("deployment %s of version %d %s: %s", d.ID, d.JobVersion, d.Status, d.StatusDescription)
}

// client is what a node would report.
func (w *world) client(id, what string) {
	before := w.allocs[id]
	after := *before
	verdict := func(good bool) {
		after.DeploymentStatus = &api.AllocDeploymentStatus{Healthy: &good, Timestamp: w.now}
		if before.DeploymentStatus != nil {
			after.DeploymentStatus.Canary = before.DeploymentStatus.Canary
		}
	}
	after.ClientStatus = api.AllocClientStatusRunning
	switch what {
	case "healthy":
		verdict(true)
	case "unhealthy":
		verdict(false)
	case "failed", "complete":
		after.ClientStatus = what
		after.TaskStates = map[string]*api.TaskState{"t": {State: "dead", Failed: what == "failed", FinishedAt: w.now}}
		if what == "failed" && before.DeploymentID != "" && before.DeploymentStatus == nil {
			verdict(false)
		}
	}
	w.allocs[id] = &after
	d := w.deployment()
	if d != nil && d.ID == after.DeploymentID && active(d) {
		counted := CopyDeployment(d)
		Count(counted, before, &after)
		w.deployments[len(w.deployments)-1] = counted
	}
	w.addEval("alloc-" + what)
}

func (w *world) progressInput() ProgressInput {
	in := ProgressInput{Now: w.now, NewID: w.newID("e"), Deployment: w.deployment(), Job: w.versions[0], Versions: w.versions,
		SameSpec: func(a, b *api.Job) bool { return !NeedsExchange(a, b, "g") && *a.Stop == *b.Stop }}
	for _, a := range w.sorted() {
		if a.DeploymentID == in.Deployment.ID {
			in.Allocs = append(in.Allocs, a)
		}
	}
	return in
}

func (w *world) operate(what string, args []string) {
	in := w.progressInput()
	var changes ProgressChanges
	var err error
	switch what {
	case "promote":
		changes, err = Promote(in, args, len(args) == 0)
	case "fail":
		changes, err = Fail(in)
	default:
		changes, err = Pause(in, what == "pause")
	}
	if err != nil {
		w.say("refused: %v", err)
		return
	}
	w.progressed(changes)
}

func (w *world) progressed(changes ProgressChanges) {
	if changes.Deployment != nil {
		w.putDeployment(changes.Deployment)
	}
	for _, a := range changes.Update {
		w.allocs[a.ID] = a
	}
	if changes.RevertTo != nil {
		for _, old := range w.versions {
			if *old.Version == *changes.RevertTo {
				job := *old
				w.addVersion(&job)
				break
			}
		}
	}
	if changes.Eval != nil {
		w.evals = append(w.evals, changes.Eval)
	}
}

// reconcile does all that is due, until nothing is left to do.
func (w *world) reconcile() {
	for range 50 {
		busy := false
		for _, eval := range slices.Clone(w.evals) {
			if eval.Status == api.EvalStatusPending && !eval.WaitUntil.After(w.now) {
				w.apply(Compute(w.input(eval)))
				busy = true
			}
		}
		if d := w.deployment(); d != nil && active(d) {
			changes := Progress(w.progressInput())
			busy = busy || changes.Deployment != nil || changes.Eval != nil
			w.progressed(changes)
		}
		if !busy {
			return
		}
	}
	w.t.Fatal("the decisions come to no end")
}

func (w *world) input(eval *api.Evaluation) Input {
	in := Input{Now: w.now, NewID: func() string { return "" }, Eval: eval, Job: w.versions[0], Allocs: w.sorted(), Deployment: w.deployment(), Nodes: w.nodes}
	usage := map[string]*Usage{}
	for _, a := range w.sorted() {
		if usage[a.NodeID] == nil {
			usage[a.NodeID] = &Usage{}
		}
		if Holds(a) {
			usage[a.NodeID].Add(a)
		}
	}
	in.Usage = func(id string) *Usage { return usage[id] }
	for _, e := range w.evals {
		if e.Status == api.EvalStatusBlocked {
			in.Blocked = e
		}
	}
	in.NewID = w.newID("x")
	return in
}

// apply writes the changes and names what is new by its kind.
func (w *world) apply(c Changes) {
	w.index++
	for _, d := range c.Deployments {
		w.putDeployment(d)
		if c.Stable && d.Status == api.DeploymentStatusSuccessful {
			for _, job := range w.versions {
				if *job.Version == d.JobVersion {
					job.Stable = new(true)
				}
			}
		}
	}
	for _, a := range c.Update {
		old := w.allocs[a.ID]
		if a.DesiredStatus != old.DesiredStatus {
			w.say("stop %s %s: %s", a.ID, a.Name, a.DesiredDescription)
		} else if *a.Job.Version != *old.Job.Version {
			w.say("update %s %s in place to version %d", a.ID, a.Name, *a.Job.Version)
		}
		a.ModifyIndex = w.index
		w.allocs[a.ID] = a
	}
	for _, a := range c.Place {
		a.CreateIndex, a.ModifyIndex = w.index, w.index
		w.allocs[a.ID] = a
		note := ""
		if a.DeploymentStatus != nil && a.DeploymentStatus.Canary {
			note += " canary"
		}
		if a.PreviousAllocation != "" {
			note += " for " + a.PreviousAllocation
		}
		w.say("place %s %s version %d on %s%s", a.ID, a.Name, *a.Job.Version, a.NodeID, note)
	}
	for _, name := range slices.Sorted(maps.Keys(c.Eval.FailedTGAllocs)) {
		m := c.Eval.FailedTGAllocs[name]
		w.say("cannot place %d of %s: filtered %v, exhausted %v", m.CoalescedFailures+1, name, m.ConstraintFiltered, m.DimensionExhausted)
	}
	for _, e := range append(c.Evals, c.Eval) {
		i := slices.IndexFunc(w.evals, func(o *api.Evaluation) bool { return o.ID == e.ID })
		if i >= 0 {
			w.evals[i] = e
			continue
		}
		w.evals = append(w.evals, e)
		if !e.WaitUntil.IsZero() {
			w.say("evaluate again in %s: %s", e.WaitUntil.Sub(w.now), e.TriggeredBy)
		}
	}
}

// check holds after every command, whatever was done.
func (w *world) check() {
	count := 0
	if len(w.versions) > 0 {
		group := w.versions[0].TaskGroups[0]
		count = *group.Count
		if *w.versions[0].Type == api.JobTypeSystem {
			count = len(w.nodes)
		}
		if group.Update != nil && group.Update.Canary != nil {
			count += *group.Update.Canary
		}
	}
	live, onNode := 0, map[string]bool{}
	for _, a := range w.allocs {
		if Terminal(a) {
			continue
		}
		live++
		for _, port := range a.AllocatedResources.Shared.Ports {
			key := fmt.Sprint(a.NodeID, port.Value)
			if onNode[key] {
				w.t.Errorf("two allocations hold port %d of %s", port.Value, a.NodeID)
			}
			onNode[key] = true
		}
	}
	pending := slices.ContainsFunc(w.evals, func(e *api.Evaluation) bool { return e.Status == api.EvalStatusPending })
	if !pending && live > count {
		w.t.Errorf("%d allocations live, more than the count and the canaries, %d", live, count)
	}
}

func (w *world) sorted() []*api.Allocation {
	return slices.SortedFunc(maps.Values(w.allocs), func(a, b *api.Allocation) int {
		if a.CreateIndex != b.CreateIndex {
			return int(a.CreateIndex) - int(b.CreateIndex)
		}
		return strings.Compare(a.ID, b.ID)
	})
}

func (w *world) show() {
	for _, a := range w.sorted() {
		if !Terminal(a) {
			w.say("%s %s version %d %s on %s", a.ID, a.Name, *a.Job.Version, a.ClientStatus, a.NodeID)
		}
	}
	for _, d := range w.deployments {
		for name, g := range d.TaskGroups {
			w.say("deployment %s %s: %s desired %d placed %d healthy %d unhealthy %d", d.ID, d.Status, name, g.DesiredTotal, g.PlacedAllocs, g.HealthyAllocs, g.UnhealthyAllocs)
		}
	}
}
