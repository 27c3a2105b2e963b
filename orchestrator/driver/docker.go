package driver

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"sync"
	"time"

	"github.com/containerd/errdefs"
	"github.com/moby/moby/client"
)

// Docker is the driver of containers. The Docker daemon keeps them whatever becomes of the agent; what the agent has to
// know to find them again stands in their labels.
type Docker struct {
	dir   string // keeps how far the logs of each container have been read
	api   *client.Client
	about map[string]string // node attributes

	following context.Context
	unfollow  context.CancelFunc
	logs      sync.WaitGroup

	mu      sync.Mutex
	readers map[string]chan struct{} // closed when all logs of the task with this ID are written
}

var _ Driver = (*Docker)(nil)

// The labels of a container that is ours.
const (
	labelTask = "ostro.task"     // the ID of the task
	labelLogs = "ostro.logs"     // Logs, as JSON
	labelDir  = "ostro.task_dir" // the task's folder
)

// dockerFinding is how long the daemon may take to answer when the agent starts.
const dockerFinding = 5 * time.Second

// findDocker gives nil when no daemon answers at DOCKER_HOST or the usual socket.
func findDocker(ctx context.Context, dir string) *Docker {
	api, err := client.New(client.FromEnv)
	if err != nil {
		return nil
	}
	finding, cancel := context.WithTimeout(ctx, dockerFinding)
	defer cancel()
	version, err := api.ServerVersion(finding, client.ServerVersionOptions{})
	if err == nil {
		err = os.MkdirAll(dir, 0o700)
	}
	if err != nil {
		api.Close()
		return nil
	}
	d := &Docker{dir: dir, api: api, readers: map[string]chan struct{}{}, about: map[string]string{
		"driver.docker.version":            version.Version,
		"driver.docker.privileged.enabled": "true",
		"driver.docker.volumes.enabled":    "true",
	}}
	d.following, d.unfollow = context.WithCancel(context.WithoutCancel(ctx))
	return d
}

// Close lets go of all containers, which go on.
func (d *Docker) Close() error {
	d.unfollow()
	d.logs.Wait()
	return d.api.Close()
}

// containerName is unique for each start of a task, and tells people what it is (Nomad: TASK-ALLOCATION).
func containerName(t Task) string { return t.Name + "-" + taskKey("", t.ID)[:8] }

// Start implements [Driver].
func (d *Docker) Start(ctx context.Context, t Task) error {
	conf, err := decodeDocker(t.Config)
	if err != nil {
		return err
	}
	id, err := d.container(ctx, t.ID)
	if errors.Is(err, ErrUnknownTask) {
		id, err = d.create(ctx, t, conf)
	}
	if err != nil {
		return err
	}
	if _, err := d.api.ContainerStart(ctx, id, client.ContainerStartOptions{}); err != nil {
		return d.startError(ctx, id, err)
	}
	return d.follow(ctx, t.ID, id)
}

// startError says why a container did not start. A lack of room or of the network may pass; a command that is not there
// stays away.
func (d *Docker) startError(ctx context.Context, id string, err error) error {
	//lint:ignore ST1005 Nomad's words
	failed := fmt.Errorf("Failed to start container %s: %w", id, err)
	if errdefs.IsInvalidArgument(err) || errdefs.IsNotFound(err) || ctx.Err() != nil {
		return failed
	}
	return Recoverable(failed)
}

// create makes the container, and gets its image first where it has to.
func (d *Docker) create(ctx context.Context, t Task, conf dockerConfig) (string, error) {
	image, err := d.image(ctx, t, conf)
	if err != nil {
		return "", err
	}
	options, err := conf.options(t, image)
	if err != nil {
		return "", err
	}
	logs, err := json.Marshal(t.Logs)
	if err != nil {
		return "", err
	}
	labels := options.Config.Labels
	labels[labelTask], labels[labelLogs], labels[labelDir] = t.ID, string(logs), t.Dir
	options.Name = containerName(t)
	created, err := d.api.ContainerCreate(ctx, options)
	if err != nil {
		//lint:ignore ST1005 Nomad's words
		err = fmt.Errorf("Failed to create container: %w", err)
		if errdefs.IsInvalidArgument(err) {
			return "", err
		}
		return "", Recoverable(err)
	}
	return created.ID, nil
}

// container finds the container of a task.
func (d *Docker) container(ctx context.Context, taskID string) (string, error) {
	found, err := d.api.ContainerList(ctx, client.ContainerListOptions{
		All: true, Filters: make(client.Filters).Add("label", labelTask+"="+taskID),
	})
	if err != nil {
		return "", Recoverable(fmt.Errorf("find the container of task %s: %w", taskID, err))
	}
	if len(found.Items) == 0 {
		return "", ErrUnknownTask
	}
	return found.Items[0].ID, nil
}

// Wait implements [Driver]. The logs are whole when it returns.
func (d *Docker) Wait(ctx context.Context, id string) (Exit, error) {
	container, err := d.container(ctx, id)
	if err != nil {
		return Exit{}, err
	}
	if err := d.follow(ctx, id, container); err != nil {
		return Exit{}, err
	}
	waiting := d.api.ContainerWait(ctx, container, client.ContainerWaitOptions{})
	select {
	case <-waiting.Result:
	case err := <-waiting.Error:
		return Exit{}, fmt.Errorf("wait for container %s: %w", container, err)
	}
	exit, err := d.exit(ctx, container)
	if err != nil {
		return Exit{}, err
	}
	select {
	case <-d.reader(id):
	case <-ctx.Done():
		return Exit{}, ctx.Err()
	}
	return exit, nil
}

func (d *Docker) exit(ctx context.Context, container string) (Exit, error) {
	seen, err := d.api.ContainerInspect(ctx, container, client.ContainerInspectOptions{})
	if err != nil {
		return Exit{}, fmt.Errorf("look at container %s: %w", container, err)
	}
	state := seen.Container.State
	exit := Exit{Code: state.ExitCode, OOMKilled: state.OOMKilled, At: time.Now()}
	if at, err := time.Parse(time.RFC3339Nano, state.FinishedAt); err == nil {
		exit.At = at
	}
	if exit.OOMKilled {
		exit.Message = "OOM Killed"
	} else if state.Error != "" {
		exit.Message = state.Error
	}
	return exit, nil
}

// Signal implements [Driver].
func (d *Docker) Signal(ctx context.Context, id, signal string) error {
	container, err := d.container(ctx, id)
	if err != nil {
		return err
	}
	if _, err := d.api.ContainerKill(ctx, container, client.ContainerKillOptions{Signal: signal}); err != nil {
		return fmt.Errorf("signal container %s: %w", container, err)
	}
	return nil
}

// Stop implements [Driver]. The signal is the image's own, SIGTERM by default.
func (d *Docker) Stop(ctx context.Context, id, signal string, timeout time.Duration) error {
	container, err := d.container(ctx, id)
	if err != nil {
		return err
	}
	seconds := int(timeout.Round(time.Second) / time.Second)
	options := client.ContainerStopOptions{Signal: signal, Timeout: &seconds}
	if _, err := d.api.ContainerStop(ctx, container, options); err != nil && !errdefs.IsNotFound(err) {
		return fmt.Errorf("stop container %s: %w", container, err)
	}
	return nil
}

// Forget implements [Driver].
func (d *Docker) Forget(ctx context.Context, id string) error {
	container, err := d.container(ctx, id)
	if errors.Is(err, ErrUnknownTask) {
		return nil
	}
	if err != nil {
		return err
	}
	options := client.ContainerRemoveOptions{Force: true, RemoveVolumes: true}
	if _, err := d.api.ContainerRemove(ctx, container, options); err != nil && !errdefs.IsNotFound(err) {
		return fmt.Errorf("remove container %s: %w", container, err)
	}
	return d.forgetLogs(id)
}

// List implements [Driver].
func (d *Docker) List(ctx context.Context, dir string) ([]string, error) {
	found, err := d.api.ContainerList(ctx, client.ContainerListOptions{All: true, Filters: make(client.Filters).Add("label", labelTask)})
	if err != nil {
		return nil, fmt.Errorf("list the containers: %w", err)
	}
	var ids []string
	for _, c := range found.Items {
		var logs Logs
		if json.Unmarshal([]byte(c.Labels[labelLogs]), &logs) == nil && below(logs.Dir, dir) {
			ids = append(ids, c.Labels[labelTask])
		}
	}
	return ids, nil
}
