package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/url"
	"os"
	"strings"
	"time"

	"ostro/artifact"
)

// bucket is where artifacts go, and "" when nowhere was named.
func (p *project) bucket() string {
	if name := p.c.String("bucket"); name != "" {
		return name
	}
	if p.config.Bucket != "" {
		return p.config.Bucket
	}
	if p.standalone() {
		return defaultBucket
	}
	return ""
}

// defaultBucket holds the artifacts of the built-in orchestrator when no bucket
// is named.
const defaultBucket = "ostro"

// openBucket connects to the bucket: the built-in store's in standalone mode.
func (p *project) openBucket(ctx context.Context, agent *agentState) (*artifact.Bucket, error) {
	conf, err := p.bucketConfig()
	if err != nil {
		return nil, err
	}
	if agent != nil {
		conf = artifact.BucketConfig{
			Name: conf.Name, Region: "us-east-1", Endpoint: agent.S3.Endpoint, PathStyle: true,
			AccessKey: agent.S3.AccessKey, SecretKey: agent.S3.SecretKey,
		}
	}
	bucket, err := artifact.OpenBucket(ctx, conf)
	if err != nil || agent == nil {
		return bucket, err
	}
	return bucket, bucket.Create(ctx)
}

// bucketConfig gathers what the flags and the configuration say of the bucket.
func (p *project) bucketConfig() (artifact.BucketConfig, error) {
	name, err := artifact.ParseBucket(p.bucket())
	if err != nil {
		return artifact.BucketConfig{}, usageError{withHint(errors.New("there is no bucket for the artifacts"), "name one with -bucket, or in ostro.hcl")}
	}
	endpoint := cmp.Or(p.c.String("endpoint"), p.config.Endpoint)
	if endpoint != "" && !strings.Contains(endpoint, "://") {
		return artifact.BucketConfig{}, usageError{withHint(fmt.Errorf("the endpoint %q is no URL", endpoint), "write http://%s, or https://", endpoint)}
	}
	upload := p.config.Upload
	conf := artifact.BucketConfig{
		Name: name, Endpoint: endpoint, Region: cmp.Or(p.c.String("bucket-region"), p.config.BucketRegion),
		ACL:          cmp.Or(p.c.String("acl"), upload.ACL),
		StorageClass: cmp.Or(p.c.String("storage-class"), upload.StorageClass),
		Encryption:   cmp.Or(p.c.String("sse"), upload.SSE),
		KMSKey:       cmp.Or(p.c.String("sse-kms-key-id"), upload.SSEKMSKeyID),
	}
	if conf.Tags, err = p.objectTags(); err == nil {
		err = conf.Check()
	}
	if err != nil {
		return conf, usageError{err}
	}
	return conf, nil
}

// objectTags are the configured tags with those of the command line over them.
func (p *project) objectTags() (map[string]string, error) {
	tags := map[string]string{}
	for name, value := range p.config.Upload.Tags {
		switch value.(type) {
		case map[string]any, []any:
			return nil, fmt.Errorf("the tag %q is a list or an object: want a text", name)
		}
		tags[name] = fmt.Sprint(value)
	}
	for _, pair := range p.c.StringSlice("tag") {
		name, value, ok := strings.Cut(pair, "=")
		if !ok || name == "" {
			return nil, fmt.Errorf("-tag %s is not a name and a value: want NAME=VALUE", pair)
		}
		tags[name] = value
	}
	return tags, nil
}

// objectURL is what a template gets as the address of a key. In standalone mode it
// is that of AWS, so that the job is the one of production: the agent knows which
// buckets are its own, and needs no keys.
func (p *project) objectURL(ctx context.Context, key string) (string, error) {
	if p.standalone() {
		return artifact.URL(p.bucket(), "", "", key), nil
	}
	if p.presigned() {
		return p.presignedURL(ctx, key, pick(p.c, "presign", p.config.Presign, p.c.Duration))
	}
	conf, err := p.bucketConfig()
	if err != nil {
		return "", err
	}
	region := cmp.Or(conf.Region, os.Getenv("AWS_REGION"), os.Getenv("AWS_DEFAULT_REGION"))
	endpoint := cmp.Or(conf.Endpoint, os.Getenv("AWS_ENDPOINT_URL_S3"), os.Getenv("AWS_ENDPOINT_URL"))
	return artifact.URL(conf.Name, region, endpoint, key), nil
}

// presigned reports whether addresses are to need no keys.
func (p *project) presigned() bool {
	return !p.standalone() && pick(p.c, "presign", p.config.Presign, p.c.Duration) != 0
}

// maxPresign is the longest that AWS takes.
const maxPresign = 7 * 24 * time.Hour

// presignedURL needs the credentials, but not the object. Its signature is as good
// as a key, and never shown.
func (p *project) presignedURL(ctx context.Context, key string, valid time.Duration) (string, error) {
	if valid < time.Second || valid > maxPresign {
		return "", fmt.Errorf("-presign %s: want a duration of up to %s", valid, maxPresign)
	}
	bucket, err := p.openBucket(ctx, nil)
	if err != nil {
		return "", err
	}
	address, err := bucket.PresignGet(ctx, key, valid)
	if err != nil {
		return "", err
	}
	parsed, err := url.Parse(address)
	if err != nil {
		return "", fmt.Errorf("the presigned address: %w", err)
	}
	p.t.mask(parsed.Query().Get("X-Amz-Signature"), parsed.Query().Get("X-Amz-Security-Token"))
	return address, nil
}
