package reconcile

import (
	"cmp"
	"math"
	"slices"

	"github.com/hashicorp/nomad/api"
)

// The names of the scores. (Nomad.)
const (
	scoreBinpack  = "binpack"
	scoreSameJob  = "job-anti-affinity"
	scorePenalty  = "node-reschedule-penalty"
	scoreAffinity = "node-affinity"
	scoreSpread   = "allocation-spread"
)

// keptScores is how many of the best nodes a metric tells about. (Nomad.)
const keptScores = 5

// scorer gives the function that rates nodes for a request. The final score is
// the mean of those that count. (Nomad: F5 to F10.)
func (p *placer) scorer(r request) func(*candidate) {
	if everywhere(r.job) {
		return func(c *candidate) {
			c.score = p.fit(c)
			c.scores = append(c.scores, score{scoreBinpack, c.score})
		}
	}
	penalties := penaltyNodes(r.previous)
	affinities := affinitiesOf(r.job, r.group)
	spreads := p.spreads(r)
	return func(c *candidate) {
		fit := p.fit(c)
		c.scores = make([]score, 0, 5)
		c.scores = append(c.scores, score{scoreBinpack, fit}, score{scoreSameJob, 0}, score{scorePenalty, 0}, score{scoreAffinity, 0})
		sum, n := fit, 1.0
		count := func(name string, value float64) {
			c.scores = append(c.scores, score{name, value})
			sum, n = sum+value, n+1
		}
		if same := p.own[c.node.ID][*r.group.Name]; same > 0 {
			count(scoreSameJob, -float64(same+1)/float64(max(*r.group.Count, 1)))
		}
		if penalties[c.node.ID] {
			count(scorePenalty, -1)
		}
		if len(affinities) > 0 {
			count(scoreAffinity, affinity(affinities, c.node))
		}
		if boost := spreads(c.node); boost != 0 {
			count(scoreSpread, boost)
		}
		c.score = sum / n
	}
}

// fit prefers nodes that are full with the allocation: 0 for an empty one, 1 for
// a full one; or the other way round, where the operator wants what runs to be
// spread. (Nomad: F5.)
func (p *placer) fit(c *candidate) float64 {
	used := p.on(c.node.ID)
	cpu, memory := used.cpu, used.memoryMB
	for _, task := range c.resources.Tasks {
		cpu, memory = cpu+task.Cpu.CpuShares, memory+task.Memory.MemoryMB
	}
	total := capacityOf(c.node)
	freeCPU := 1 - float64(cpu)/float64(total.cpu)
	freeMemory := 1 - float64(memory)/float64(total.memoryMB)
	free := math.Pow(10, freeCPU) + math.Pow(10, freeMemory)
	fit := 20 - free
	if s := p.in.Scheduler; s != nil && s.SchedulerAlgorithm == api.SchedulerAlgorithmSpread {
		fit = free - 2
	}
	return min(max(fit, 0), 18) / 18
}

// penaltyNodes are those on which an allocation or its forebears failed.
// (Nomad: F7.)
func penaltyNodes(previous *api.Allocation) map[string]bool {
	nodes := map[string]bool{}
	if previous == nil {
		return nodes
	}
	if previous.ClientStatus == api.AllocClientStatusFailed {
		nodes[previous.NodeID] = true
	}
	for _, e := range rescheduleEvents(previous) {
		nodes[e.PrevNodeID] = true
	}
	return nodes
}

func affinitiesOf(job *api.Job, group *api.TaskGroup) []*api.Affinity {
	all := slices.Concat(job.Affinities, group.Affinities)
	for _, task := range group.Tasks {
		all = append(all, task.Affinities...)
	}
	return all
}

// affinity is the weight of the affinities that a node meets, as a part of all.
// (Nomad: F8.)
func affinity(all []*api.Affinity, node *api.Node) float64 {
	sum, met := 0.0, 0.0
	for _, a := range all {
		weight := float64(*a.Weight)
		sum += math.Abs(weight)
		if holds(a.Operand, a.LTarget, a.RTarget, node) {
			met += weight
		}
	}
	if sum == 0 {
		return 0
	}
	return met / sum
}

// scoreMeta tells about the best nodes, the best first.
func scoreMeta(all []*candidate) []*api.NodeScoreMeta {
	slices.SortStableFunc(all, func(a, b *candidate) int { return cmp.Compare(b.score, a.score) })
	var meta []*api.NodeScoreMeta
	for _, c := range all[:min(len(all), keptScores)] {
		meta = append(meta, &api.NodeScoreMeta{NodeID: c.node.ID, Scores: byScore(c.scores), NormScore: c.score})
	}
	return meta
}

// byScore gives scores as they go over the wire; of two of a name the later one
// counts.
func byScore(scores []score) map[string]float64 {
	named := make(map[string]float64, len(scores))
	for _, s := range scores {
		named[s.name] = s.value
	}
	return named
}

// everywhere tells whether a job runs on every node that fits.
func everywhere(job *api.Job) bool {
	return *job.Type == api.JobTypeSystem || *job.Type == api.JobTypeSysbatch
}
