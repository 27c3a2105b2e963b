package main

import (
	"context"
	"slices"
	"strings"

	"ostro/config"
)

// inOrder deploys the jobs, each after those that it depends on and as many at
// once as -parallel says. After a failure no further one is begun; those under
// way are followed to their end. The first failure is the error.
func (d *deployment) inOrder(ctx context.Context, to *target, jobs []*rendered) error {
	begun, done := map[int]bool{}, map[string]bool{}
	ended := make(chan int)
	errs := make([]error, len(jobs))
	var failed error
	for running := 0; ; {
		for next := d.next(begun, done); next >= 0 && running < d.parallel && failed == nil; next = d.next(begun, done) {
			begun[next] = true
			running++
			go func() {
				errs[next] = d.one(ctx, to, jobs, next)
				ended <- next
			}()
		}
		if running == 0 {
			break
		}
		i := <-ended
		running--
		switch {
		case errs[i] == nil:
			done[d.jobs[i].Name] = true
		case failed == nil:
			failed = errs[i]
		default:
			d.voice(jobs, i).failure(errs[i])
		}
	}
	d.notDeployed(jobs, begun)
	return failed
}

// next is the first job that nothing stands in the way of, -1 when there is none.
func (d *deployment) next(begun map[int]bool, done map[string]bool) int {
	for i, job := range d.jobs {
		waits := slices.ContainsFunc(job.DependsOn, func(name string) bool { return !done[name] && d.deploys(name) })
		if !begun[i] && !waits {
			return i
		}
	}
	return -1
}

// deploys reports whether this run deploys the job of that name: a template that
// was named alone is deployed alone.
func (d *deployment) deploys(name string) bool {
	return slices.ContainsFunc(d.jobs, func(j config.Job) bool { return j.Name == name })
}

// one deploys one job.
func (d *deployment) one(ctx context.Context, to *target, jobs []*rendered, i int) error {
	r := d.rollout(d.voice(jobs, i), to, *jobs[i].job().ID)
	if d.parallel == 1 {
		r.section = d.t.section("deploy " + r.id)
	}
	return r.submitAndFollow(ctx, jobs[i], d.submit)
}

// voice speaks of one job: with its name where there are several.
func (d *deployment) voice(jobs []*rendered, i int) *terminal {
	if len(jobs) == 1 {
		return d.t
	}
	return d.t.about(*jobs[i].job().ID)
}

func (d *deployment) notDeployed(jobs []*rendered, begun map[int]bool) {
	var left []string
	for i, job := range jobs {
		if !begun[i] {
			left = append(left, *job.job().ID)
		}
	}
	if len(left) > 0 {
		d.t.info("not deployed: %s", strings.Join(left, ", "))
	}
}
