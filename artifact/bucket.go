package artifact

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
)

// BucketConfig names a bucket and how to reach it. What is empty comes from the AWS SDK's standard chain:
// environment, shared configuration and profile, web identity, the instance's role.
type BucketConfig struct {
	Name      string
	Region    string // "us-east-1" when neither this nor the chain names one
	Endpoint  string // URL of an S3-compatible store; "" is AWS, or AWS_ENDPOINT_URL_S3
	PathStyle bool   // ENDPOINT/BUCKET/KEY; always so with an endpoint or a bucket name with dots

	AccessKey, SecretKey string // a fixed key pair, instead of the chain's

	Encryption   string            // server-side: "AES256", "aws:kms" or "aws:kms:dsse"; "" is the bucket's default
	KMSKey       string            // for "aws:kms"; "" is the account's default key
	ACL          string            // a canned ACL such as "bucket-owner-full-control"
	StorageClass string            // such as "STANDARD_IA"
	Tags         map[string]string // of the objects
}

// Check finds what no store would take, before anything is built.
func (c BucketConfig) Check() error {
	switch {
	case c.Name == "":
		return errors.New("no bucket is named: use -bucket")
	case (c.AccessKey == "") != (c.SecretKey == ""):
		return fmt.Errorf("bucket %s: an access key needs its secret key, and the other way round", c.Name)
	case c.ACL != "" && !slices.Contains(types.ObjectCannedACL("").Values(), types.ObjectCannedACL(c.ACL)):
		return fmt.Errorf("the ACL %q is no canned one: want one of %v", c.ACL, types.ObjectCannedACL("").Values())
	case c.Encryption != "" && !slices.Contains(types.ServerSideEncryption("").Values(), c.encryption()):
		return fmt.Errorf("the server-side encryption %q is not known: want AES256, aws:kms or aws:kms:dsse", c.Encryption)
	case c.KMSKey != "" && !strings.HasPrefix(c.Encryption, "aws:kms"):
		return errors.New("a KMS key is for the server-side encryption aws:kms: name that, too")
	case len(c.Tags) > maxTags:
		return fmt.Errorf("%d tags are too many: S3 takes %d", len(c.Tags), maxTags)
	}
	return nil
}

// maxTags is how many tags an object can have. (S3: object tagging.)
const maxTags = 10

// Bucket is an open bucket. It may be used from several goroutines.
type Bucket struct {
	cfg    BucketConfig // Region and Endpoint as they are in effect
	client *s3.Client
}

// OpenBucket loads the SDK's configuration and finds the credentials, which can mean a request to the service
// that hands them out. The bucket itself is not contacted.
func OpenBucket(ctx context.Context, c BucketConfig) (*Bucket, error) {
	if err := c.Check(); err != nil {
		return nil, err
	}
	options := []func(*config.LoadOptions) error{
		config.WithDefaultRegion("us-east-1"),
		config.WithHTTPClient(newHTTPClient()),
	}
	if c.Region != "" {
		options = append(options, config.WithRegion(c.Region))
	}
	if c.AccessKey != "" {
		options = append(options, config.WithCredentialsProvider(credentials.NewStaticCredentialsProvider(c.AccessKey, c.SecretKey, "")))
	}
	loaded, err := config.LoadDefaultConfig(ctx, options...)
	if err != nil {
		return nil, fmt.Errorf("load the AWS configuration: %w", err)
	}
	if c.AccessKey == "" {
		stepIdentity(&loaded, os.Getenv)
	}
	if _, err := loaded.Credentials.Retrieve(ctx); err != nil {
		return nil, explainCredentials(err)
	}
	client := s3.NewFromConfig(loaded, func(o *s3.Options) {
		if c.Endpoint != "" {
			o.BaseEndpoint = &c.Endpoint
		}
		// Stores other than AWS seldom have a host name for each bucket, and a certificate covers one label only.
		o.UsePathStyle = c.PathStyle || o.BaseEndpoint != nil || strings.Contains(c.Name, ".")
		o.DisableLogOutputChecksumValidationSkipped = true
	})
	c.Region = client.Options().Region
	c.Endpoint = aws.ToString(client.Options().BaseEndpoint)
	return &Bucket{cfg: c, client: client}, nil
}

// URL is the address of key as a job file names it.
func (b *Bucket) URL(key string) string { return URL(b.cfg.Name, b.cfg.Region, b.cfg.Endpoint, key) }

// PresignGet is an address under which anybody can download key for the given time, at most seven days (AWS).
func (b *Bucket) PresignGet(ctx context.Context, key string, valid time.Duration) (string, error) {
	in := &s3.GetObjectInput{Bucket: &b.cfg.Name, Key: &key}
	req, err := s3.NewPresignClient(b.client).PresignGetObject(ctx, in, s3.WithPresignExpires(valid))
	if err != nil {
		return "", fmt.Errorf("presign %s: %w", key, err)
	}
	return req.URL, nil
}

// Object is one object of a bucket.
type Object struct {
	Key      string
	Size     int64 // bytes
	Modified time.Time
}

// List gives the objects whose keys begin with prefix, by key. It ends with the first error.
func (b *Bucket) List(ctx context.Context, prefix string) iter.Seq2[Object, error] {
	return func(yield func(Object, error) bool) {
		pages := s3.NewListObjectsV2Paginator(b.client, &s3.ListObjectsV2Input{Bucket: &b.cfg.Name, Prefix: &prefix})
		for pages.HasMorePages() {
			page, err := pages.NextPage(ctx)
			if err != nil {
				yield(Object{}, b.explain("list", prefix, err))
				return
			}
			for _, o := range page.Contents {
				if !yield(object(o), nil) {
					return
				}
			}
		}
	}
}

func object(o types.Object) Object {
	return Object{Key: aws.ToString(o.Key), Size: aws.ToInt64(o.Size), Modified: aws.ToTime(o.LastModified)}
}

// Names of our metadata; S3 keeps them in lower case behind x-amz-meta-.
const (
	metaDigest   = "ostro-digest"
	metaCommit   = "ostro-commit"
	metaPipeline = "ostro-pipeline"
)

// Info is what an object of ours says about itself.
type Info struct {
	Object
	Digest      string // Tree.Digest; "" when the object is not ours
	Commit      string // Commit.Full
	PipelineURL string
}

// Stat reads the metadata of key. The error wraps [ErrNotFound] when there is none.
func (b *Bucket) Stat(ctx context.Context, key string) (Info, error) {
	out, err := b.client.HeadObject(ctx, &s3.HeadObjectInput{Bucket: &b.cfg.Name, Key: &key})
	if err != nil {
		return Info{}, b.explain("read", key, err)
	}
	return Info{
		Object:      Object{Key: key, Size: aws.ToInt64(out.ContentLength), Modified: aws.ToTime(out.LastModified)},
		Digest:      out.Metadata[metaDigest],
		Commit:      out.Metadata[metaCommit],
		PipelineURL: out.Metadata[metaPipeline],
	}, nil
}
