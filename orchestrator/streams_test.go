package orchestrator_test

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/hashicorp/nomad/api"

	"ostro/orchestrator"
	"ostro/orchestrator/orchestratortest"
)

// TestManyWatchARollout has two hundred clients follow a rollout over the event
// stream: all of them are told the same in the same order, up to its success.
func TestManyWatchARollout(t *testing.T) {
	const clients, count = 200, 3
	a := orchestratortest.Start(t, orchestrator.Config{})
	quick := func(script string) *api.Job {
		job := shellJob("service", "web", count, script)
		job.Update.MaxParallel = new(count)
		job.Update.HealthyDeadline, job.Update.ProgressDeadline = new(5*time.Minute), new(10*time.Minute)
		return job
	}
	register(t, a, quick("exec sleep 1000"))
	deployment(t, a, "web", 0, "successful")

	topics := map[api.Topic][]string{api.TopicJob: {"web"}, api.TopicDeployment: {"*"}, api.TopicAllocation: {"*"}, api.TopicEvaluation: {"*"}}
	stories := make([][]string, clients)
	var watching sync.WaitGroup
	for i := range clients {
		frames, err := a.Client.EventStream().Stream(t.Context(), topics, 0, nil)
		if err != nil {
			t.Fatal(err)
		}
		watching.Go(func() { stories[i] = storyOf(t, frames) })
	}
	register(t, a, quick("exec sleep 1001"))
	watching.Wait()
	for i, story := range stories {
		if diff := cmp.Diff(stories[0], story); diff != "" {
			t.Fatalf("client %d was told something else than the first:\n%s", i, diff)
		}
	}
	for _, kind := range []string{"JobRegistered web", "PlanResult", "AllocationUpdated", "EvaluationUpdated"} {
		if !slices.ContainsFunc(stories[0], func(line string) bool { return strings.HasPrefix(line, kind) }) {
			t.Errorf("nobody was told of %s:\n%q", kind, stories[0])
		}
	}
}

// storyOf is what a stream tells from the registration of version 1 of the job to the
// success of its deployment.
func storyOf(t *testing.T, frames <-chan *api.Events) (story []string) {
	for frame := range frames {
		if frame.Err != nil {
			t.Error(frame.Err)
			return nil
		}
		for _, event := range frame.Events {
			if event.Topic == api.TopicJob && event.Type == "JobRegistered" {
				if job, err := event.Job(); err == nil && *job.Version == 1 {
					story = []string{} // What was before may be told to some, and not to others.
				}
			}
			if story == nil {
				continue
			}
			story = append(story, fmt.Sprintf("%s %s %d", event.Type, event.Key, event.Index))
			if event.Topic == api.TopicDeployment {
				if d, err := event.Deployment(); err == nil && d.JobVersion == 1 && d.Status == api.DeploymentStatusSuccessful {
					return story
				}
			}
		}
	}
	t.Error("the stream ended before the rollout")
	return nil
}
