package orchestrator

import (
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
)

// keys open the S3 store. They are made once and kept beside it.
type keys struct{ Access, Secret string }

func loadKeys(path string) (keys, error) {
	text, err := os.ReadFile(path)
	if err == nil {
		var k keys
		if err := json.Unmarshal(text, &k); err != nil || k.Access == "" || k.Secret == "" {
			return keys{}, fmt.Errorf("the S3 keys in %s are damaged: bring back the file of a backup, or remove it for new ones, with which jobs are to be deployed anew", path)
		}
		return k, nil
	}
	if !errors.Is(err, fs.ErrNotExist) {
		return keys{}, fmt.Errorf("read the S3 keys: %w", err)
	}
	k := keys{Access: "OSTRO" + rand.Text()[:15], Secret: rand.Text()}
	text, err = json.Marshal(k)
	if err != nil {
		return keys{}, fmt.Errorf("encode the S3 keys: %w", err)
	}
	if err := keepSecret(path, text); err != nil {
		return keys{}, fmt.Errorf("keep the S3 keys: %w", err)
	}
	return k, nil
}

// keepSecret writes a file of which, whenever the machine dies, either nothing or all
// is there.
func keepSecret(path string, text []byte) error {
	fresh := path + ".new"
	file, err := os.OpenFile(fresh, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	_, err = file.Write(text)
	if err := errors.Join(err, file.Sync(), file.Close()); err != nil {
		return err
	}
	return os.Rename(fresh, path)
}
