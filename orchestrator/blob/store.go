package blob

import (
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/rclone/gofakes3"
)

// Config says where the store lives and who may use it.
type Config struct {
	Dir                  string // created with mode 0700 when missing
	AccessKey, SecretKey string // the only key pair that is accepted
	Log                  *slog.Logger
}

// Store is an open store. Its methods may be called from several goroutines.
type Store struct {
	cfg     Config
	handler http.Handler
	now     func() time.Time

	mu      sync.RWMutex // guards what follows, and the renames that belong to it
	buckets map[string]*bucket
	uploads map[gofakes3.UploadID]*upload
	closed  bool
}

// bucket is what the store keeps in memory of one: everything but the data.
type bucket struct {
	created time.Time
	objects map[string]object
}

// Open reads what Dir holds. Uploads that were under way when the store was closed are gone.
func Open(cfg Config) (*Store, error) {
	if cfg.Dir == "" || cfg.AccessKey == "" || cfg.SecretKey == "" {
		return nil, errors.New("blob: Config needs Dir, AccessKey and SecretKey")
	}
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	s := &Store{cfg: cfg, now: time.Now, buckets: map[string]*bucket{}, uploads: map[gofakes3.UploadID]*upload{}}
	if err := s.load(); err != nil {
		return nil, fmt.Errorf("open the S3 store in %s: %w", cfg.Dir, err)
	}
	s.handler = s.newHandler()
	return s, nil
}

// Handler serves the S3 protocol at the root of its path, with the bucket in the path or as the first label of
// the host name.
func (s *Store) Handler() http.Handler { return s.handler }

// Close forgets the uploads under way. Requests that come later are refused; those under way finish or fail on
// their own, so end the server first.
func (s *Store) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closed = true
	clear(s.uploads)
	return os.RemoveAll(s.staging())
}

// CreateBucket creates a bucket unless it exists. The name must be one that S3 allows.
func (s *Store) CreateBucket(name string) error {
	if err := gofakes3.ValidateBucketName(name); err != nil {
		return fmt.Errorf("create bucket %q: %w", name, err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.buckets[name] != nil {
		return nil
	}
	if err := s.makeBucket(name); err != nil {
		return fmt.Errorf("create bucket %s: %w", name, err)
	}
	return nil
}

// makeBucket is called with mu locked.
func (s *Store) makeBucket(name string) error {
	if err := os.Mkdir(s.bucketDir(name), 0o700); err != nil {
		return err
	}
	if err := syncDir(s.bucketsDir()); err != nil {
		return err
	}
	s.buckets[name] = &bucket{created: s.now(), objects: map[string]object{}}
	return nil
}

// HasBucket says whether there is a bucket of this name.
func (s *Store) HasBucket(name string) bool {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.buckets[name] != nil
}

func (s *Store) bucketsDir() string            { return filepath.Join(s.cfg.Dir, "buckets") }
func (s *Store) bucketDir(name string) string  { return filepath.Join(s.bucketsDir(), name) }
func (s *Store) staging() string               { return filepath.Join(s.cfg.Dir, "staging") }
func (s *Store) objectFile(b, k string) string { return filepath.Join(s.bucketDir(b), fileName(k)) }

// load builds the index and removes what a crash left in the staging folder.
func (s *Store) load() error {
	if err := os.RemoveAll(s.staging()); err != nil {
		return err
	}
	for _, dir := range []string{s.cfg.Dir, s.bucketsDir(), s.staging()} {
		if err := os.MkdirAll(dir, 0o700); err != nil {
			return err
		}
	}
	if err := syncDir(s.cfg.Dir); err != nil {
		return err
	}
	folders, err := os.ReadDir(s.bucketsDir())
	if err != nil {
		return err
	}
	for _, f := range folders {
		if s.buckets[f.Name()], err = loadBucket(s.bucketDir(f.Name())); err != nil {
			return err
		}
	}
	return nil
}

func loadBucket(dir string) (*bucket, error) {
	info, err := os.Stat(dir)
	if err != nil {
		return nil, err
	}
	files, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	b := &bucket{created: info.ModTime(), objects: make(map[string]object, len(files))}
	for _, f := range files {
		o, err := readObject(filepath.Join(dir, f.Name()))
		if err != nil {
			return nil, err
		}
		b.objects[o.Key] = o
	}
	return b, nil
}
