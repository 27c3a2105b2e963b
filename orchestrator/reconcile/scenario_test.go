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

// What leaves the only node ends, though nothing can take its place. (Nomad: S5.)
func TestLeavingTheOnlyNode(t *testing.T) {
	w := newWorld(t)
	w.play("node n1\njob web count=1\nreconcile\nhealthy all\nreconcile\nleave n1 deadline=1h\nreconcile\n")
	for _, a := range w.allocs {
		if a.DesiredStatus != api.AllocDesiredStatusStop || a.DesiredDescription != descMigrating {
			t.Errorf("%s is to %s: %q", a.Name, a.DesiredStatus, a.DesiredDescription)
		}
	}
	if len(w.allocs) != 1 {
		t.Errorf("there are %d allocations", len(w.allocs))
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
	case "stopped": // stopped: what was told to stop has stopped
		for id, a := range w.allocs {
			if a.DesiredStatus != api.AllocDesiredStatusRun && !ended(a) {
				done := *a
				done.ClientStatus = api.AllocClientStatusComplete
				w.allocs[id] = &done
			}
		}
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
			w.move(id)
		}
	case "leave": // leave n1 deadline=1h ignore_system
		w.leave(args)
	case "plan": // plan
		w.plan()
	case "progress": // progress: the deployment is looked at before any evaluation
		w.progressed(Progress(w.progressInput()))
	case "reconcile": // reconcile
		w.reconcile()
	case "show": // show
		w.show()
	case "evals": // evals
		for _, e := range w.evals {
			w.say("%s %s %s: %s", e.ID, e.TriggeredBy, e.Status, e.StatusDescription)
		}
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
	node.StatusUpdatedAt = w.now.Unix()
	if _, down := o["down"]; down {
		node.Status = api.NodeStatusDown
	}
	if _, away := o["disconnected"]; away {
		node.Status = nodeStatusDisconnected
	}
	node.NodeClass = o["class"]
	node.Meta = map[string]string{}
	if rack, ok := o["rack"]; ok {
		node.Meta["rack"] = rack
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
	w.placement(group, o)
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

// duration reads an option; it is nil where it is not given.
func (w *world) duration(o map[string]string, name string) *time.Duration {
	text, ok := o[name]
	if !ok {
		return nil
	}
	d, err := time.ParseDuration(text)
	if err != nil {
		w.t.Fatal(err)
	}
	return &d
}

// placement reads the options about where a group runs, and about nodes that are
// out of reach.
func (w *world) placement(group *api.TaskGroup, o map[string]string) {
	if rack, ok := o["affinity"]; ok { // affinity=r1
		group.Affinities = []*api.Affinity{api.NewAffinity("${meta.rack}", "=", rack, 100)}
	}
	if target, ok := o["spread"]; ok { // spread=r1:70, or spread for an even one
		spread := api.NewSpread("${meta.rack}", 100, nil)
		if value, percent, ok := strings.Cut(target, ":"); ok {
			n, _ := strconv.Atoi(percent)
			spread.SpreadTarget = []*api.SpreadTarget{api.NewSpreadTarget(value, uint8(n))}
		}
		group.Spreads = []*api.Spread{spread}
	}
	if n, ok := o["distinct_rack"]; ok { // distinct_rack=2
		group.Constraints = append(group.Constraints, api.NewConstraint("${meta.rack}", api.ConstraintDistinctProperty, n))
	}
	if after := w.duration(o, "lost_after"); after != nil {
		group.Disconnect = &api.DisconnectStrategy{LostAfter: after, Replace: new(o["replace"] != "false")}
		if option, ok := o["reconcile"]; ok {
			group.Disconnect.Reconcile = new(api.ReconcileOption(option))
		}
	}
	if after := w.duration(o, "stop_on_client_after"); after != nil {
		group.Disconnect = &api.DisconnectStrategy{StopOnClientAfter: after}
	}
}

// move tells an allocation to move.
func (w *world) move(id string) {
	a := *w.allocs[id]
	a.DesiredTransition.Migrate = new(true)
	w.allocs[id] = &a
	w.addEval("node-drain")
}

// leave begins the drain of a node.
func (w *world) leave(args []string) {
	o := options(args[1:])
	spec := &api.DrainSpec{}
	if d := w.duration(o, "deadline"); d != nil {
		spec.Deadline = *d
	}
	_, spec.IgnoreSystemJobs = o["ignore_system"]
	i := slices.IndexFunc(w.nodes, func(n *api.Node) bool { return n.ID == args[0] })
	w.nodes[i] = SetDrain(w.nodes[i], spec, false, nil, w.now)
}

// drain takes the next step of each drain, and tells whether there was one.
func (w *world) drain() (busy bool) {
	for i, node := range w.nodes {
		if node.DrainStrategy == nil {
			continue
		}
		in := DrainInput{Now: w.now, Node: node,
			Job:       func(string, string) *api.Job { return w.versions[0] },
			JobAllocs: func(string, string) []*api.Allocation { return w.sorted() }}
		for _, a := range w.sorted() {
			if a.NodeID == node.ID {
				in.Allocs = append(in.Allocs, a)
			}
		}
		changes := Drain(in)
		for _, a := range changes.Move {
			w.allocs[a.ID] = a
			w.say("%s is to leave %s", a.ID, node.ID)
		}
		if len(changes.Move) > 0 {
			w.addEval("node-drain")
			busy = true
		}
		if changes.Done {
			w.nodes[i] = DrainDone(node, changes.Deadline, w.now)
			w.say("the drain of %s is complete, by its deadline %t", node.ID, changes.Deadline)
			busy = true
		}
	}
	return busy
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
		if what == "failed" && before.DeploymentID != "" && (before.DeploymentStatus == nil || before.DeploymentStatus.Healthy == nil) {
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
	in := ProgressInput{Now: w.now, NewID: w.newID("e"), Deployment: w.deployment(), Priority: 50, Job: w.versions[0], Versions: w.versions,
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
		busy = w.drain() || busy
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

// plan tells what the next decision would be, and forgets it.
func (w *world) plan() {
	for _, eval := range w.evals {
		if eval.Status != api.EvalStatusPending {
			continue
		}
		in := w.input(eval)
		in.NewID = func() string { return "planned" }
		for name, d := range Compute(in).Desired {
			w.say("plan %s: place %d stop %d ignore %d in place %d exchange %d canary %d migrate %d",
				name, d.Place, d.Stop, d.Ignore, d.InPlaceUpdate, d.DestructiveUpdate, d.Canary, d.Migrate)
		}
	}
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
	in.Settled, in.SettledBy = w.settled()
	return in
}

func (w *world) settled() (*api.Job, *api.Deployment) {
	for _, d := range slices.Backward(w.deployments) {
		waits := false
		for _, group := range d.TaskGroups {
			waits = waits || group.DesiredCanaries > 0 && !group.Promoted
		}
		for _, job := range w.versions {
			if !waits && *job.Version == d.JobVersion {
				return job, d
			}
		}
	}
	return nil, nil
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
		} else if a.ClientStatus != old.ClientStatus {
			w.say("%s %s is %s: %s", a.ID, a.Name, a.ClientStatus, a.ClientDescription)
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
		if everywhere(w.versions[0]) {
			count = len(w.nodes)
		} else if group.Update != nil && group.Update.Canary != nil {
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
