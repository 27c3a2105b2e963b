package artifact

import (
	"context"
	"errors"
	"fmt"

	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
)

var (
	// ErrExists is wrapped when a key holds other content and PushOptions.Force is not set.
	ErrExists = errors.New("the key holds other content")
	// ErrNotFound is wrapped when there is no such object.
	ErrNotFound = errors.New("no such object")
	// ErrDenied is wrapped when the credentials do not suffice, or are wrong.
	ErrDenied = errors.New("access denied")
)

// PushOptions say how to push.
type PushOptions struct {
	Commit      string // Commit.Full, for the object's metadata
	PipelineURL string // likewise; where the build can be looked at
	Force       bool   // replace other content under the same key

	// Progress hears how many bytes of the files have arrived and how many there are. Its calls do not overlap.
	Progress func(sent, total int64)
}

// PushResult says what Push did.
type PushResult struct {
	Skipped bool   // the same content was there already, and nothing was sent
	Size    int64  // bytes of the zip that were sent
	Digest  string // Tree.Digest
	URL     string // Bucket.URL of the key
}

// Push puts the zip of t under key, streaming: memory is bounded, no temporary file is written. When the key
// holds the same content nothing is sent. When it holds other content, or somebody else puts some there
// meanwhile, the error wraps [ErrExists], unless o.Force is set. After an error, or the end of ctx, no part of
// the upload stays in the bucket.
func (b *Bucket) Push(ctx context.Context, t *Tree, key string, o PushOptions) (PushResult, error) {
	result := PushResult{Digest: t.Digest(), URL: b.URL(key)}
	same, err := b.holds(ctx, key, result.Digest)
	refused := errors.Is(err, ErrDenied) || errors.Is(err, errUnexplained)
	switch {
	case same:
		result.Skipped = true
		return result, nil
	case errors.Is(err, ErrExists) && o.Force:
	case refused:
		// Who may write need not be able to read, and the upload's condition still guards the key. Where the write
		// is refused too, the answer says why, as the one to a HEAD cannot.
	case err != nil:
		return result, err
	}
	result.Size, err = b.upload(ctx, t, key, o)
	if refused && err != nil && apiCode(err) == "" && ctx.Err() == nil {
		err = b.whyRefused(ctx, key, err)
	}
	if errors.Is(err, errRace) {
		// Another push of the same commit was faster. That is no failure when it pushed the same.
		if same, err = b.holds(ctx, key, result.Digest); same {
			result.Skipped, result.Size = true, 0
			return result, nil
		}
		if err == nil || errors.Is(err, ErrDenied) {
			err = b.existsError(key, "something else was put there at the same moment")
		}
	}
	return result, err
}

// whyRefused asks for the reason that the answer to a HEAD cannot give, and that got lost when the server closed
// the connection of an upload before it had read all.
func (b *Bucket) whyRefused(ctx context.Context, key string, lost error) error {
	out, err := b.client.GetObject(ctx, &s3.GetObjectInput{Bucket: &b.cfg.Name, Key: &key})
	if err == nil {
		out.Body.Close()
	}
	if apiCode(err) == "" {
		return lost
	}
	return b.explain("upload", key, err)
}

// CheckUpload tells whether an upload under key would be let in: it begins one and takes it back, so that nothing
// stays in the bucket.
func (b *Bucket) CheckUpload(ctx context.Context, key string) error {
	u := &upload{ctx: ctx, bucket: b, key: key}
	if err := u.create(); err != nil {
		return err
	}
	return u.abort(ctx)
}

// holds says whether key has the content with this digest. Other content is an error that wraps ErrExists; no
// object at all is none.
func (b *Bucket) holds(ctx context.Context, key, digest string) (bool, error) {
	info, err := b.Stat(ctx, key)
	switch {
	case errors.Is(err, ErrNotFound):
		return false, nil
	case err != nil:
		return false, err
	case info.Digest == digest:
		return true, nil
	case info.Digest == "":
		return false, b.existsError(key, "it was not put there by ostro")
	}
	return false, b.existsError(key, "a build of the same commit gave other files")
}

func (b *Bucket) existsError(key, why string) error {
	return fmt.Errorf("%s in bucket %s: %w (%s): use another -commit, or -force to replace it", key, b.cfg.Name, ErrExists, why)
}

// metadata describes the object to Stat, and to people.
func metadata(t *Tree, o PushOptions) map[string]string {
	m := map[string]string{metaDigest: t.Digest()}
	if o.Commit != "" {
		m[metaCommit] = o.Commit
	}
	if o.PipelineURL != "" {
		m[metaPipeline] = o.PipelineURL
	}
	return m
}

func nilIfEmpty(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}

func (c BucketConfig) encryption() types.ServerSideEncryption {
	return types.ServerSideEncryption(c.Encryption)
}
