package driver

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/moby/moby/client"
)

// tell says something to whoever wants to hear of it.
func tell(listener func(string), format string, args ...any) {
	if listener != nil {
		listener(fmt.Sprintf(format, args...))
	}
}

// image makes sure that the image is there, and gives the name under which a container gets it.
func (d *Docker) image(ctx context.Context, t Task, conf dockerConfig) (string, error) {
	local := func() bool {
		_, err := d.api.ImageInspect(ctx, conf.image)
		return err == nil
	}
	if !conf.forcePull && local() {
		return conf.image, nil
	}
	if conf.load != "" {
		return conf.image, d.loadImage(ctx, t, conf.load)
	}
	ctx, cancel := context.WithTimeout(ctx, conf.pullTimeout)
	defer cancel()
	tell(t.Tell, "Downloading image")
	auth, err := conf.registryAuth()
	if err != nil {
		return "", err
	}
	pull, err := d.api.ImagePull(ctx, conf.image, client.ImagePullOptions{RegistryAuth: auth})
	if err == nil {
		err = pull.Wait(ctx)
	}
	if err != nil {
		// Nomad's words, and as there another attempt may find it.
		//lint:ignore ST1005 Nomad's words
		return "", Recoverable(fmt.Errorf("Failed to pull `%s`: %w", conf.image, err))
	}
	return conf.image, nil
}

// loadImage gives Docker the archive of an image that is in the task's local folder, and nowhere else.
func (d *Docker) loadImage(ctx context.Context, t Task, name string) error {
	root, err := os.OpenRoot(filepath.Join(t.Dir, "local"))
	if err != nil {
		return fmt.Errorf("load the image: %w", err)
	}
	defer root.Close()
	archive, err := root.Open(name)
	if err != nil {
		return fmt.Errorf("load the image: %w", err)
	}
	defer archive.Close()
	loaded, err := d.api.ImageLoad(ctx, archive)
	if err != nil {
		return fmt.Errorf("load the image of %s: %w", name, err)
	}
	_, err = io.Copy(io.Discard, loaded)
	return errors.Join(err, loaded.Close())
}
