package watch_test

import (
	"errors"
	"fmt"
	"os"
	"sync"
	"testing"
	"time"

	"github.com/hashicorp/nomad/api"

	"ostro/deploy"
	"ostro/nomadtest"
	"ostro/orchestrator"
	"ostro/orchestrator/orchestratortest"
	"ostro/watch"
)

// crowds are how many deploy at once: of different jobs, and of one job.
func crowds() (jobs, rivals int) {
	if os.Getenv("OSTRO_TEST") == "full" {
		return 100, 20
	}
	return 10, 5
}

// light is a job that costs its node nothing.
func light(id, version string) *api.Job {
	j := job(id, "service", serves)
	j.TaskGroups[0].Tasks[0].Driver, j.TaskGroups[0].Tasks[0].Config = "mock_driver", map[string]any{"run_for": "1h"}
	j.TaskGroups[0].Tasks[0].Resources = &api.Resources{CPU: new(1), MemoryMB: new(10)}
	j.TaskGroups[0].EphemeralDisk = &api.EphemeralDisk{SizeMB: new(10)}
	j.TaskGroups[0].Tasks[0].LogConfig = &api.LogConfig{MaxFiles: new(1), MaxFileSizeMB: new(1)}
	j.TaskGroups[0].Tasks[0].Env = map[string]string{"VERSION": version}
	return j
}

// submitted submits a job and watches it to its end.
func submitted(t *testing.T, c *api.Client, j *api.Job) (watch.Verdict, error) {
	r, err := deploy.Submit(t.Context(), c, j, deploy.Options{})
	if err != nil {
		return watch.Verdict{}, err
	}
	return run(t.Context(), t, c, watch.Target{
		JobID: r.JobID, EvalID: r.EvalID, JobVersion: r.JobVersion, JobModifyIndex: r.JobModifyIndex, NoChange: r.NoChange,
	}, watch.Options{Timeout: 10 * time.Minute})
}

// Many who deploy different jobs at once all get there, and none waits for ever.
func TestCrowdOfJobs(t *testing.T) {
	t.Parallel()
	c := orchestratortest.Start(t, orchestrator.Config{}).Client
	jobs, _ := crowds()
	var all sync.WaitGroup
	for n := range jobs {
		all.Go(func() {
			if v, err := submitted(t, c, light(fmt.Sprint("crowd-", n), "0")); err != nil || v.Outcome != watch.Successful {
				t.Errorf("job %d: %s: %s, %v", n, v.Outcome, v.Summary, err)
			}
		})
	}
	all.Wait()
}

// Of many who deploy the same job at once, each is told what became of his own
// version: it runs, another took its place, or it was never submitted because
// somebody was faster. The version that runs in the end is one that was told to.
func TestCrowdOfRivals(t *testing.T) { nomadtest.Each(t, crowdOfRivals) }

func crowdOfRivals(t *testing.T, c *api.Client) {
	t.Cleanup(func() { nomadtest.Purge(c, "", "rivals") })
	_, rivals := crowds()
	var all sync.WaitGroup
	verdicts := make([]watch.Verdict, rivals)
	conflicts := make([]bool, rivals)
	for n := range rivals {
		all.Go(func() {
			j := job("rivals", "service", fmt.Sprint(serves, " ", n))
			v, err := submitted(t, c, j)
			if _, is := errors.AsType[*deploy.Conflict](err); is {
				conflicts[n] = true
			} else if err != nil {
				t.Errorf("rival %d: %v", n, err)
			}
			verdicts[n] = v
		})
	}
	all.Wait()
	now, _, err := c.Jobs().Info("rivals", nil)
	if err != nil {
		t.Fatal(err)
	}
	winners := 0
	for n, v := range verdicts {
		switch {
		case conflicts[n]:
		case v.Outcome == watch.Successful && v.Deployment.JobVersion == *now.Version:
			winners++
		case v.Outcome == watch.Successful && v.Deployment.Status == api.DeploymentStatusSuccessful: // before the next came
		case v.Outcome == watch.Superseded && v.SupersededBy != nil:
		default:
			t.Errorf("rival %d: %s: %s", n, v.Outcome, v.Summary)
		}
	}
	if winners != 1 {
		t.Errorf("%d are told that their version runs, which is version %d", winners, *now.Version)
	}
}
