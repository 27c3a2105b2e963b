package runner

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/hashicorp/nomad/api"
	"github.com/klauspost/compress/snappy"
)

// maxPayload bounds what a payload may unpack to. Nomad takes 16 KiB.
const maxPayload = 1 << 20

// writePayload writes the payload of a dispatched job where the task wants it, below its local folder.
func (t *task) writePayload(spec *api.Task, dir string) error {
	alloc, _, _ := t.alloc.spec(t.name)
	if spec.DispatchPayload == nil || spec.DispatchPayload.File == "" || len(alloc.Job.Payload) == 0 {
		return nil
	}
	size, err := snappy.DecodedLen(alloc.Job.Payload)
	if err == nil && size > maxPayload {
		err = fmt.Errorf("it has %d bytes, more than %d", size, maxPayload)
	}
	if err != nil {
		return fmt.Errorf("read the payload: %w", err)
	}
	payload, err := snappy.Decode(nil, alloc.Job.Payload)
	if err != nil {
		return fmt.Errorf("read the payload: %w", err)
	}
	root, err := os.OpenRoot(filepath.Join(dir, "local"))
	if err != nil {
		return fmt.Errorf("write the payload: %w", err)
	}
	defer root.Close()
	file := filepath.FromSlash(spec.DispatchPayload.File)
	if err := errors.Join(root.MkdirAll(filepath.Dir(file), 0o777), root.WriteFile(file, payload, 0o777)); err != nil {
		return fmt.Errorf("write the payload: %w", err)
	}
	return nil
}
