package artifact

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/url"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"golang.org/x/sync/errgroup"
)

const (
	partSize  = 6 << 20 // S3 takes 5 MiB at least
	maxParts  = 10000   // S3's limit
	uploaders = 4       // parts under way at once

	// settleWithin bounds the requests that go on after a cancellation, so that nothing stays half-uploaded.
	settleWithin  = 15 * time.Second
	abortAttempts = 4
	abortPause    = 200 * time.Millisecond
)

var (
	errRace    = errors.New("the key was taken meanwhile")
	errStopped = errors.New("the upload of a part failed")
)

// upload is an io.Writer whose bytes become an object: one request when they fit into a part, several at once
// when they do not. (The SDK's transfer manager does this too, but it prints to the process's log, it loses the
// error when the abort fails as well, and it forgets an upload whose creation is cancelled.)
type upload struct {
	ctx      context.Context // of the parts under way: ends with the first that fails
	bucket   *Bucket
	key      string
	options  PushOptions
	metadata map[string]string

	id       string // of the multipart upload; "" until there is a second part
	partSize int
	buf      []byte // the part that is being filled
	parts    []*types.CompletedPart
	group    *errgroup.Group
	free     chan []byte // buffers of parts that have arrived
	size     int64

	source   int64 // bytes of the files whose compressed form was written
	cut      int64 // source when the last part was cut
	mu       sync.Mutex
	arrived  int64 // bytes of the files in parts that have arrived
	total    int64
	progress func(sent, total int64)
}

func (b *Bucket) upload(ctx context.Context, t *Tree, key string, o PushOptions) (int64, error) {
	u := &upload{
		bucket: b, key: key, options: o, metadata: metadata(t, o),
		partSize: max(partSize, int(t.Size()/(maxParts-1000))),
		free:     make(chan []byte, uploaders+1),
		total:    t.Size(), progress: o.Progress,
	}
	cancellable, cancel := context.WithCancel(ctx)
	defer cancel()
	u.group, u.ctx = errgroup.WithContext(cancellable)
	u.group.SetLimit(uploaders)
	err := t.zip(ctx, u, func(source int64) { u.source = source })
	if err == nil {
		err = u.finish(ctx)
	}
	if err == nil {
		return u.size, nil
	}
	cancel()
	if werr := u.group.Wait(); errors.Is(err, errStopped) {
		err = werr
	}
	if ctx.Err() != nil {
		err = fmt.Errorf("the upload of %s was interrupted: %w", key, context.Cause(ctx))
	}
	return 0, errors.Join(err, u.abort(ctx))
}

// Write sends a part each time that one is full and more is to come.
func (u *upload) Write(p []byte) (int, error) {
	n := len(p)
	for len(p) > 0 {
		if len(u.buf) == u.partSize {
			if err := u.send(); err != nil {
				return n - len(p), err
			}
		}
		k := min(u.partSize-len(u.buf), len(p))
		u.buf = append(u.buf, p[:k]...)
		p = p[k:]
	}
	u.size += int64(n)
	return n, nil
}

// send hands the buffer over to a goroutine, once one is free.
func (u *upload) send() error {
	if u.ctx.Err() != nil {
		return errStopped
	}
	if u.id == "" {
		if err := u.create(); err != nil {
			return err
		}
	}
	number := int32(len(u.parts) + 1)
	part := &types.CompletedPart{PartNumber: &number}
	u.parts = append(u.parts, part)
	data, source := u.buf, u.source-u.cut
	u.cut = u.source
	u.group.Go(func() error {
		defer func() { u.free <- data[:0] }()
		if err := u.sendPart(part, data); err != nil {
			return err
		}
		u.report(source)
		return nil
	})
	select {
	case u.buf = <-u.free:
	default:
		u.buf = make([]byte, 0, u.partSize)
	}
	return nil
}

// create begins a multipart upload. It does not stop in the middle when ctx ends, for then the upload could
// exist without our knowing its ID.
func (u *upload) create() error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(u.ctx), settleWithin)
	defer cancel()
	c := u.bucket.cfg
	out, err := u.bucket.client.CreateMultipartUpload(ctx, &s3.CreateMultipartUploadInput{
		Bucket: &c.Name, Key: &u.key, Metadata: u.metadata, ContentType: new("application/zip"),
		ChecksumAlgorithm:    u.bucket.checksum(), // else S3 refuses those that the SDK adds to the parts
		ServerSideEncryption: c.encryption(), SSEKMSKeyId: nilIfEmpty(c.KMSKey),
		ACL: types.ObjectCannedACL(c.ACL), StorageClass: types.StorageClass(c.StorageClass), Tagging: c.tagging(),
	})
	if err != nil {
		return u.bucket.explain("upload", u.key, err)
	}
	u.id = *out.UploadId
	return nil
}

func (u *upload) sendPart(part *types.CompletedPart, data []byte) error {
	out, err := u.bucket.client.UploadPart(u.ctx, &s3.UploadPartInput{
		Bucket: &u.bucket.cfg.Name, Key: &u.key, UploadId: &u.id, PartNumber: part.PartNumber, Body: bytes.NewReader(data),
	})
	if err != nil {
		return u.bucket.explain("upload", u.key, err)
	}
	part.ETag, part.ChecksumCRC32 = out.ETag, out.ChecksumCRC32
	return nil
}

func (u *upload) report(source int64) {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.arrived += source
	if u.progress != nil && source > 0 {
		u.progress(u.arrived, u.total)
	}
}

// finish makes the object appear, all of it at once.
func (u *upload) finish(ctx context.Context) error {
	if u.id == "" {
		return u.put(ctx)
	}
	if err := u.send(); err != nil {
		return err
	}
	if err := u.group.Wait(); err != nil {
		return err
	}
	parts := make([]types.CompletedPart, len(u.parts))
	for i, p := range u.parts {
		parts[i] = *p
	}
	_, err := u.bucket.client.CompleteMultipartUpload(ctx, &s3.CompleteMultipartUploadInput{
		Bucket: &u.bucket.cfg.Name, Key: &u.key, UploadId: &u.id, IfNoneMatch: u.condition(),
		MultipartUpload: &types.CompletedMultipartUpload{Parts: parts},
	})
	if err != nil {
		return u.bucket.explain("upload", u.key, err)
	}
	return nil
}

func (u *upload) put(ctx context.Context) error {
	c := u.bucket.cfg
	_, err := u.bucket.client.PutObject(ctx, &s3.PutObjectInput{
		Bucket: &c.Name, Key: &u.key, Body: bytes.NewReader(u.buf), IfNoneMatch: u.condition(),
		Metadata: u.metadata, ContentType: new("application/zip"),
		ServerSideEncryption: c.encryption(), SSEKMSKeyId: nilIfEmpty(c.KMSKey),
		ACL: types.ObjectCannedACL(c.ACL), StorageClass: types.StorageClass(c.StorageClass), Tagging: c.tagging(),
	})
	if err != nil {
		return u.bucket.explain("upload", u.key, err)
	}
	u.report(u.source)
	return nil
}

// condition makes S3 refuse the object when the key is taken.
func (u *upload) condition() *string {
	if u.options.Force {
		return nil
	}
	return new("*")
}

// abort removes what was uploaded. Our requests have ended before, but the server may still be storing a part
// whose connection was cut: S3 asks to abort again until the upload is gone.
func (u *upload) abort(ctx context.Context) error {
	if u.id == "" {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), settleWithin)
	defer cancel()
	for range abortAttempts {
		_, err := u.bucket.client.AbortMultipartUpload(ctx, &s3.AbortMultipartUploadInput{
			Bucket: &u.bucket.cfg.Name, Key: &u.key, UploadId: &u.id,
		})
		if apiCode(err) == "NoSuchUpload" {
			return nil
		}
		if err != nil {
			return fmt.Errorf("parts of the upload stay in the bucket: %w", u.bucket.explain("abort the upload of", u.key, err))
		}
		select {
		case <-time.After(abortPause):
		case <-ctx.Done():
		}
	}
	return nil // each attempt was accepted
}

// checksum is what the SDK adds to parts on its own, unless the user's configuration turns that off.
func (b *Bucket) checksum() types.ChecksumAlgorithm {
	if b.client.Options().RequestChecksumCalculation == aws.RequestChecksumCalculationWhenRequired {
		return ""
	}
	return types.ChecksumAlgorithmCrc32
}

func (c BucketConfig) tagging() *string {
	tags := url.Values{}
	for k, v := range c.Tags {
		tags.Set(k, v)
	}
	return nilIfEmpty(tags.Encode())
}
