package main

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/hashicorp/nomad/api"

	"ostro/deploy"
	"ostro/orchestrator/simulate"
)

// simulate foretells the rollout of a planned job on the cluster as it is now.
// It reads, and changes nothing.
func (p *project) simulate(ctx context.Context, to *target, plan planned) ([]simulate.Timeline, error) {
	job := plan.job
	if plan.NoChange() {
		return nil, nil
	}
	if job.Periodic != nil || job.ParameterizedJob != nil {
		p.t.warn("job %q: nothing is rolled out before it is launched, so there is nothing to simulate", plan.JobID)
		return nil, nil
	}
	in, err := readCluster(ctx, to.client, job)
	if err != nil {
		return nil, fmt.Errorf("read what the simulation starts from, the nodes and what runs on them: %w", unreachable(err))
	}
	var running *api.Job
	if len(in.Versions) > 0 {
		running = in.Versions[0]
	}
	var desired map[string]*api.DesiredUpdates
	if plan.Annotations != nil {
		desired = plan.Annotations.DesiredTGUpdates
	}
	if in.Job, err = simulate.Canonical(job, running, desired); err != nil {
		return nil, err
	}
	in.Start, in.SameSpec = time.Now(), deploy.SameSpec
	futures := []simulate.Future{simulate.Good, simulate.Crashes, simulate.NeverHealthy}
	if kind := *in.Job.Type; kind == api.JobTypeBatch || kind == api.JobTypeSysbatch {
		futures = futures[:2] // nobody asks for its health
	}
	var lines []simulate.Timeline
	for _, future := range futures {
		lines = append(lines, simulate.Run(in, future))
	}
	return lines, nil
}

// readCluster reads the job's versions and deployment, the nodes, and all that
// runs on them.
func readCluster(ctx context.Context, client *api.Client, job *api.Job) (simulate.Input, error) {
	query := (&api.QueryOptions{Namespace: orDefault(value(job.Namespace), api.DefaultNamespace), Region: value(job.Region)}).WithContext(ctx)
	var in simulate.Input
	var err error
	in.Versions, _, _, err = client.Jobs().Versions(*job.ID, false, query)
	if reply, ok := errors.AsType[api.UnexpectedResponseError](err); err != nil && !(ok && reply.StatusCode() == http.StatusNotFound) {
		return in, err
	}
	slices.SortFunc(in.Versions, func(a, b *api.Job) int { return int(*b.Version) - int(*a.Version) })
	if in.Deployment, _, err = client.Jobs().LatestDeployment(*job.ID, query); err != nil {
		return in, err
	}
	return in, readNodes(ctx, client, *job.ID, query, &in)
}

// atOnce is how many nodes are read at a time.
const atOnce = 8

func readNodes(ctx context.Context, client *api.Client, jobID string, query *api.QueryOptions, in *simulate.Input) error {
	stubs, _, err := client.Nodes().List(query)
	if err != nil {
		return err
	}
	in.Nodes = make([]*api.Node, len(stubs))
	allocs, errs := make([][]*api.Allocation, len(stubs)), make([]error, len(stubs))
	slots := make(chan struct{}, atOnce)
	var reading sync.WaitGroup
	for i, stub := range stubs {
		reading.Go(func() {
			slots <- struct{}{}
			defer func() { <-slots }()
			var nodeErr, allocErr error
			in.Nodes[i], _, nodeErr = client.Nodes().Info(stub.ID, query)
			allocs[i], _, allocErr = client.Nodes().Allocations(stub.ID, query)
			errs[i] = errors.Join(nodeErr, allocErr)
		})
	}
	reading.Wait()
	for _, a := range slices.Concat(allocs...) {
		if a.JobID == jobID && a.Namespace == query.Namespace {
			in.Allocs = append(in.Allocs, a)
		} else {
			in.Others = append(in.Others, a)
		}
	}
	return errors.Join(errs...)
}

func value[T any](p *T) (v T) {
	if p != nil {
		v = *p
	}
	return v
}

// futureName is how people call a future.
func futureName(f simulate.Future) string {
	return [...]string{"all goes well", "the new version crashes", "the new version never becomes healthy"}[f]
}

// showSimulation prints the timelines of a job, one after the other.
func (t *terminal) showSimulation(job *api.Job, lines []simulate.Timeline) {
	counts := map[string]int{}
	for _, g := range job.TaskGroups {
		counts[*g.Name] = max(1, value(g.Count))
		if g.Count != nil {
			counts[*g.Name] = *g.Count
		}
	}
	for _, line := range lines {
		t.result("")
		t.result("if %s: %s", futureName(line.Future), printable(ending(line, counts)))
		t.table(timelineRows(line, counts)...)
	}
}

// ending says how a timeline ends.
func ending(line simulate.Timeline, counts map[string]int) string {
	took := line.Took.Round(time.Millisecond)
	reason, _, _ := strings.Cut(line.Reason, " - ")
	reason = strings.ToLower(reason)
	var text string
	switch line.Outcome {
	case simulate.Successful:
		text = fmt.Sprintf("version %d is successful after %s", line.Version, took)
	case simulate.Reverted:
		text = fmt.Sprintf("version %d is %s, and version %d is back after %s", line.Version, reason, *line.RevertedTo, took)
	case simulate.Failed:
		text = fmt.Sprintf("version %d is %s after %s, and nothing comes back", line.Version, reason, took)
	case simulate.Running:
		text = fmt.Sprintf("version %d has started after %s", line.Version, took)
	default:
		text = fmt.Sprintf("version %d does not come to rest", line.Version)
		if slices.ContainsFunc(line.Events, func(e simulate.Event) bool { return e.Kind == simulate.Unplaced }) {
			text = fmt.Sprintf("version %d waits for a node", line.Version)
		}
	}
	return text + "; at the least " + serving(line.Lowest, counts)
}

// serving says how many of each group's count serve.
func serving(groups, counts map[string]int) string {
	var parts []string
	for _, name := range slices.Sorted(maps.Keys(groups)) {
		if count, ours := counts[name]; ours {
			parts = append(parts, fmt.Sprintf("%s: %d of %d", name, groups[name], count))
		} else if groups[name] > 0 {
			parts = append(parts, fmt.Sprintf("%s: %d", name, groups[name]))
		}
	}
	return strings.Join(parts, ", ") + " serve"
}

// timelineRows are the events of a timeline, like ones of a moment on one line,
// each moment with how many serve from then on.
func timelineRows(line simulate.Timeline, counts map[string]int) [][]string {
	var rows [][]string
	events := line.Events
	for len(events) > 0 {
		n := 1
		for n < len(events) && alike(events[0], events[n]) {
			n++
		}
		at, text := events[0].At, describe(events[:n])
		events = events[n:]
		row := []string{"  " + at.Round(time.Millisecond).String(), text}
		if len(events) == 0 || events[0].At != at {
			if now := levelAt(line.Levels, at); now != nil {
				row = append(row, serving(now, counts))
			}
		}
		rows = append(rows, row)
	}
	return rows
}

// levelAt is how many serve from a moment on, nil where that does not change.
func levelAt(levels []simulate.Level, at time.Duration) map[string]int {
	for _, level := range slices.Backward(levels) {
		if level.At == at {
			return level.Serving
		}
	}
	return nil
}

func alike(a, b simulate.Event) bool {
	return a.At == b.At && a.Kind == b.Kind && a.Version == b.Version && a.Group == b.Group && a.Detail == b.Detail && a.Allocation != ""
}

// describe puts events that are alike into words.
func describe(events []simulate.Event) string {
	e := events[0]
	switch e.Kind {
	case simulate.Promoted:
		return fmt.Sprintf("the canaries of version %d are promoted", e.Version)
	case simulate.Reverts:
		return fmt.Sprintf("version %d comes back", e.Version)
	case simulate.Ends:
		return fmt.Sprintf("the deployment of version %d is %s", e.Version, e.Detail)
	case simulate.Unplaced:
		if e.Detail == "1" {
			return fmt.Sprintf("1 of group %s finds no node", e.Group)
		}
		return fmt.Sprintf("%s of group %s find no node", e.Detail, e.Group)
	}
	verb := verbs(e)[min(len(events)-1, 1)]
	return fmt.Sprintf("%s %s (version %d%s)", allocationNames(events), verb, e.Version, onNode(events))
}

// verbs say what one allocation does, and what several do.
func verbs(e simulate.Event) [2]string {
	switch e.Kind {
	case simulate.Starts:
		return [2]string{"starts", "start"}
	case simulate.Stops:
		return [2]string{"stops", "stop"}
	case simulate.Healthy:
		return [2]string{"is healthy", "are healthy"}
	case simulate.Unhealthy:
		return [2]string{"is unhealthy", "are unhealthy"}
	case simulate.Restarts:
		return [2]string{"crashes, and restarts in " + e.Detail, "crash, and restart in " + e.Detail}
	case simulate.Fails:
		return [2]string{"fails for good", "fail for good"}
	}
	return [2]string{"is updated in place", "are updated in place"}
}

func onNode(events []simulate.Event) string {
	if len(events) > 1 || events[0].Node == "" {
		return ""
	}
	return ", " + events[0].Node
}

// shownNames is how many allocations are named before they are counted.
const shownNames = 4

func allocationNames(events []simulate.Event) string {
	var list []string
	for _, e := range events {
		list = append(list, e.Group+e.Allocation[strings.LastIndexByte(e.Allocation, '['):])
	}
	if more := len(list) - shownNames; more > 0 {
		return fmt.Sprintf("%s and %d more", strings.Join(list[:shownNames], ", "), more)
	}
	return strings.Join(list, ", ")
}

// futureReport is a timeline for other programs.
type futureReport struct {
	Future     string         `json:"future"`
	Outcome    string         `json:"outcome"`
	Version    uint64         `json:"version"`
	RevertedTo *uint64        `json:"reverted_to,omitempty"`
	Reason     string         `json:"reason,omitempty"`
	Seconds    float64        `json:"seconds"`
	Lowest     map[string]int `json:"lowest"`
	Events     []eventReport  `json:"events"`
	Serving    []levelReport  `json:"serving"`
}

type eventReport struct {
	Seconds float64 `json:"seconds"`
	simulate.Event
}

type levelReport struct {
	Seconds float64        `json:"seconds"`
	Groups  map[string]int `json:"groups"`
}

func futureReports(lines []simulate.Timeline) []futureReport {
	var list []futureReport
	for _, line := range lines {
		r := futureReport{
			Future: futureName(line.Future), Outcome: string(line.Outcome), Version: line.Version, RevertedTo: line.RevertedTo,
			Reason: line.Reason, Seconds: line.Took.Seconds(), Lowest: line.Lowest, Events: []eventReport{},
		}
		for _, e := range line.Events {
			r.Events = append(r.Events, eventReport{e.At.Seconds(), e})
		}
		for _, l := range line.Levels {
			r.Serving = append(r.Serving, levelReport{l.At.Seconds(), l.Serving})
		}
		list = append(list, r)
	}
	return list
}
