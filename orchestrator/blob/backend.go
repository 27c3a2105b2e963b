package blob

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"maps"
	"os"
	"slices"
	"strings"

	"github.com/rclone/gofakes3"
)

// backend is the Store as gofakes3 calls it. Its errors must be gofakes3's own, unwrapped.
type backend struct{ *Store }

var errIncomplete = gofakes3.ErrorMessage(gofakes3.ErrIncompleteBody, "the body is shorter than announced")

func (b backend) ListBuckets(context.Context) ([]gofakes3.BucketInfo, error) {
	b.mu.RLock()
	defer b.mu.RUnlock()
	var all []gofakes3.BucketInfo
	for _, name := range slices.Sorted(maps.Keys(b.buckets)) {
		all = append(all, gofakes3.BucketInfo{Name: name, CreationDate: gofakes3.NewContentTime(b.buckets[name].created)})
	}
	return all, nil
}

func (b backend) BucketExists(_ context.Context, name string) (bool, error) {
	return b.HasBucket(name), nil
}

func (b backend) CreateBucket(_ context.Context, name string) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.buckets[name] != nil {
		return gofakes3.ResourceError(gofakes3.ErrBucketAlreadyExists, name)
	}
	return b.makeBucket(name)
}

func (b backend) DeleteBucket(_ context.Context, name string) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	switch bucket := b.buckets[name]; {
	case bucket == nil:
		return gofakes3.BucketNotFound(name)
	case len(bucket.objects) > 0:
		return gofakes3.ResourceError(gofakes3.ErrBucketNotEmpty, name)
	}
	if err := os.Remove(b.bucketDir(name)); err != nil {
		return err
	}
	delete(b.buckets, name)
	return syncDir(b.bucketsDir())
}

// ListBucket gives one page. A marker is the last key or common prefix of the page before.
func (b backend) ListBucket(_ context.Context, name string, prefix *gofakes3.Prefix, page gofakes3.ListBucketPage) (*gofakes3.ObjectList, error) {
	b.mu.RLock()
	defer b.mu.RUnlock()
	bucket := b.buckets[name]
	if bucket == nil {
		return nil, gofakes3.BucketNotFound(name)
	}
	list := gofakes3.NewObjectList()
	last, count := "", int64(0)
	for _, key := range slices.Sorted(maps.Keys(bucket.objects)) {
		rest, ok := strings.CutPrefix(key, prefix.Prefix)
		if !ok {
			continue
		}
		item, folder := key, false
		if i := strings.Index(rest, prefix.Delimiter); prefix.Delimiter != "" && i >= 0 {
			item, folder = prefix.Prefix+rest[:i+len(prefix.Delimiter)], true
		}
		if page.Marker != "" && item <= page.Marker || folder && item == last {
			continue
		}
		if count == page.MaxKeys {
			list.IsTruncated, list.NextMarker = true, last
			break
		}
		last, count = item, count+1
		if folder {
			list.AddPrefix(item)
		} else {
			list.Add(content(bucket.objects[key]))
		}
	}
	return list, nil
}

func content(o object) *gofakes3.Content {
	return &gofakes3.Content{Key: o.Key, Size: o.Size, ETag: quoted(o.MD5), LastModified: gofakes3.NewContentTime(o.Modified)}
}

// find is called with mu locked.
func (b backend) find(bucketName, key string) (object, error) {
	bucket := b.buckets[bucketName]
	if bucket == nil {
		return object{}, gofakes3.BucketNotFound(bucketName)
	}
	o, ok := bucket.objects[key]
	if !ok {
		return object{}, gofakes3.KeyNotFound(key)
	}
	return o, nil
}

func (b backend) HeadObject(_ context.Context, bucketName, key string) (*gofakes3.Object, error) {
	b.mu.RLock()
	defer b.mu.RUnlock()
	o, err := b.find(bucketName, key)
	if err != nil {
		return nil, err
	}
	return o.answer(io.NopCloser(strings.NewReader("")), nil), nil
}

func (b backend) GetObject(_ context.Context, bucketName, key string, want *gofakes3.ObjectRangeRequest) (*gofakes3.Object, error) {
	o, f, err := b.open(bucketName, key)
	if err != nil {
		return nil, err
	}
	section := &gofakes3.ObjectRange{Length: o.Size}
	if want != nil {
		if section, err = want.Range(o.Size); err != nil {
			f.Close()
			return nil, err
		}
	}
	data := struct {
		io.Reader
		io.Closer
	}{io.NewSectionReader(f, section.Start, section.Length), f}
	if want == nil {
		section = nil
	}
	return o.answer(data, section), nil
}

// open gives the object and its file as they belong together: no other write can come between.
func (b backend) open(bucketName, key string) (object, *os.File, error) {
	b.mu.RLock()
	defer b.mu.RUnlock()
	o, err := b.find(bucketName, key)
	if err != nil {
		return o, nil, err
	}
	f, err := os.Open(b.objectFile(bucketName, key))
	return o, f, err
}

func (o object) answer(data io.ReadCloser, section *gofakes3.ObjectRange) *gofakes3.Object {
	return &gofakes3.Object{Name: o.Key, Metadata: o.headers(), Size: o.Size, Contents: data, Hash: o.MD5, Range: section}
}

func (b backend) PutObject(ctx context.Context, bucketName, key string, meta map[string]string, data io.Reader, size int64) (gofakes3.PutObjectResult, error) {
	_, err := b.put(ctx, bucketName, object{Key: key, Size: size, Meta: kept(meta)}, data)
	return gofakes3.PutObjectResult{}, err
}

// put writes an object aside and then lets it appear, when the request's conditions hold at that moment.
func (b backend) put(ctx context.Context, bucketName string, o object, data io.Reader) (object, error) {
	o.Modified = b.now().UTC()
	path, o, err := stage(b.staging(), o, data)
	if err != nil {
		return o, err
	}
	if err := b.commit(ctx, path, bucketName, o); err != nil {
		os.Remove(path)
		return o, err
	}
	return o, nil
}

func (b backend) commit(ctx context.Context, path, bucketName string, o object) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	bucket := b.buckets[bucketName]
	if bucket == nil {
		return gofakes3.BucketNotFound(bucketName)
	}
	old, exists := bucket.objects[o.Key]
	if err := requestOf(ctx).checkWrite(old, exists); err != nil {
		return err
	}
	if err := os.Rename(path, b.objectFile(bucketName, o.Key)); err != nil {
		return err
	}
	bucket.objects[o.Key] = o
	return syncDir(b.bucketDir(bucketName))
}

func (b backend) DeleteObject(_ context.Context, bucketName, key string) (gofakes3.ObjectDeleteResult, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	bucket := b.buckets[bucketName]
	if bucket == nil {
		return gofakes3.ObjectDeleteResult{}, gofakes3.BucketNotFound(bucketName)
	}
	if err := os.Remove(b.objectFile(bucketName, key)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return gofakes3.ObjectDeleteResult{}, err
	}
	delete(bucket.objects, key)
	return gofakes3.ObjectDeleteResult{}, syncDir(b.bucketDir(bucketName))
}

func (b backend) DeleteMulti(ctx context.Context, bucketName string, keys ...string) (gofakes3.MultiDeleteResult, error) {
	var result gofakes3.MultiDeleteResult
	for _, key := range keys {
		if _, err := b.DeleteObject(ctx, bucketName, key); err != nil {
			result.Error = append(result.Error, gofakes3.ErrorResult{Key: key, Code: gofakes3.ErrInternal, Message: err.Error()})
			continue
		}
		result.Deleted = append(result.Deleted, gofakes3.ObjectID{Key: key})
	}
	return result, nil
}

// CopyObject keeps the source's metadata unless the request says REPLACE.
func (b backend) CopyObject(ctx context.Context, fromBucket, fromKey, toBucket, toKey string, meta map[string]string) (gofakes3.CopyObjectResult, error) {
	from, f, err := b.open(fromBucket, fromKey)
	if err != nil {
		return gofakes3.CopyObjectResult{}, err
	}
	defer f.Close()
	to := object{Key: toKey, Size: from.Size, Meta: from.Meta}
	if meta["X-Amz-Metadata-Directive"] == "REPLACE" {
		to.Meta = kept(meta)
	}
	if to, err = b.put(ctx, toBucket, to, io.NewSectionReader(f, 0, from.Size)); err != nil {
		return gofakes3.CopyObjectResult{}, err
	}
	return gofakes3.CopyObjectResult{ETag: quoted(to.MD5), LastModified: gofakes3.NewContentTime(to.Modified)}, nil
}
