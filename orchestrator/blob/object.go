package blob

import (
	"crypto/md5"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"time"
)

// object is what a file of ours says about its data. The file is the data, then the object in JSON, then the
// JSON's length in four bytes, big-endian: the MD5 is only known once the data is written.
type object struct {
	Key      string
	Size     int64 // of the data, bytes
	MD5      []byte
	Modified time.Time
	Meta     map[string]string // headers to answer with
}

// maxTrailer guards against taking a file that is not ours for one with a huge trailer.
const maxTrailer = 1 << 20

// fileName is the same for a key always: keys may be longer than names, differ in case only, or hold slashes.
func fileName(key string) string {
	sum := sha256.Sum256([]byte(key))
	return hex.EncodeToString(sum[:])
}

// stage writes data and trailer to a new synced file in dir, and gives its path. It fails when there are not
// exactly size bytes; nothing stays then.
func stage(dir string, o object, data io.Reader) (_ string, _ object, err error) {
	f, err := os.CreateTemp(dir, "object-") // mode 0600
	if err != nil {
		return "", o, err
	}
	defer func() {
		if cerr := f.Close(); err == nil {
			err = cerr
		}
		if err != nil {
			os.Remove(f.Name())
		}
	}()
	hash := md5.New()
	n, err := io.Copy(io.MultiWriter(f, hash), data)
	if err != nil {
		return "", o, err
	}
	if n != o.Size {
		return "", o, errIncomplete
	}
	o.MD5 = hash.Sum(nil)
	trailer, err := json.Marshal(o)
	if err != nil {
		return "", o, err
	}
	if _, err := f.Write(binary.BigEndian.AppendUint32(trailer, uint32(len(trailer)))); err != nil {
		return "", o, err
	}
	return f.Name(), o, f.Sync()
}

func readObject(path string) (object, error) {
	f, err := os.Open(path)
	if err != nil {
		return object{}, err
	}
	defer f.Close()
	var o object
	if err := o.readTrailer(f); err != nil {
		return o, fmt.Errorf("%s is not an object of this store: %w", path, err)
	}
	if fileName(o.Key) != filepath.Base(path) {
		return o, fmt.Errorf("%s is not the file of its key %q", path, o.Key)
	}
	return o, nil
}

func (o *object) readTrailer(f *os.File) error {
	info, err := f.Stat()
	if err != nil {
		return err
	}
	var length [4]byte
	if _, err := f.ReadAt(length[:], info.Size()-int64(len(length))); err != nil {
		return err
	}
	n := int64(binary.BigEndian.Uint32(length[:]))
	begin := info.Size() - int64(len(length)) - n
	if n > maxTrailer || begin < 0 {
		return fmt.Errorf("a trailer of %d bytes", n)
	}
	text := make([]byte, n)
	if _, err := f.ReadAt(text, begin); err != nil {
		return err
	}
	if err := json.Unmarshal(text, o); err != nil {
		return err
	}
	if o.Size != begin {
		return fmt.Errorf("%d bytes of data where %d are recorded", begin, o.Size)
	}
	return nil
}

// syncDir makes renames in dir durable.
func syncDir(dir string) error {
	if runtime.GOOS == "windows" {
		return nil // a folder cannot be synced there
	}
	f, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer f.Close()
	return f.Sync()
}
