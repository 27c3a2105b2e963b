package runner

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"

	"github.com/aws/aws-sdk-go-v2/aws"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/smithy-go"
	"github.com/aws/smithy-go/logging"
	"github.com/hashicorp/go-getter/v2"
)

// An s3Address is where a source points to.
type s3Address struct {
	bucket, key, region string
	endpoint            string // of a store other than AWS; "" is AWS
}

var amazonHost = sync.OnceValue(func() *regexp.Regexp {
	return regexp.MustCompile(`^(?:(.+)\.)?s3(?:[.-]([a-z0-9-]+))?\.amazonaws\.com(?:\.cn)?$`)
})

// parseS3 reads the address forms that Nomad knows: BUCKET.s3.amazonaws.com/KEY and s3.amazonaws.com/BUCKET/KEY, both
// with "s3.REGION" or "s3-REGION" as well. Any other host is a compatible store with the bucket in the path.
func parseS3(u *url.URL) (addr s3Address, amazon, ok bool) {
	p := strings.TrimPrefix(u.Path, "/")
	m := amazonHost().FindStringSubmatch(u.Host)
	if m != nil {
		addr.bucket, addr.region = m[1], m[2]
	} else {
		addr.endpoint = u.Scheme + "://" + u.Host
	}
	if addr.region == "external-1" {
		addr.region = "us-east-1"
	}
	addr.key = p
	if addr.bucket == "" {
		addr.bucket, addr.key, _ = strings.Cut(p, "/")
	}
	return addr, m != nil, addr.bucket != "" && u.Host != ""
}

// s3Getter is what fetches from S3, for sources that go there: those that say so (forced), Amazon's addresses without a
// scheme, and those whose bucket is in the agent's own store. Other https addresses of Amazon are plain downloads, as in
// Nomad.
func (d *download) s3Getter(u *url.URL, forced bool) (getter.Getter, string, bool) {
	src := u.String()
	if u.Scheme == "" {
		withScheme, err := url.Parse("https://" + src)
		if err != nil {
			return nil, "", false
		}
		u = withScheme
	}
	addr, amazon, ok := parseS3(u)
	if !ok || !amazon && !forced {
		return nil, "", false
	}
	g := &s3Getter{addr: addr, limits: d.limits}
	if d.bucket != nil && amazon {
		if own, isOwn := d.bucket(addr.bucket); isOwn {
			g.own = &own
		}
	}
	if !forced && g.own == nil && u.String() == src {
		return nil, "", false
	}
	return g, u.String(), true
}

// An s3Getter fetches one object, or all below a prefix.
type s3Getter struct {
	addr   s3Address
	limits FetchLimits
	own    *S3Endpoint // the agent's own store, whose keys count whatever the options say
}

// Detect implements getter.Getter: the choice has been made.
func (g *s3Getter) Detect(*getter.Request) (bool, error) { return true, nil }

// client builds the S3 client that the options of u ask for.
func (g *s3Getter) client(ctx context.Context, u *url.URL) (*s3.Client, error) {
	if g.own != nil {
		return s3.New(s3.Options{
			BaseEndpoint: &g.own.URL,
			UsePathStyle: true,
			Region:       "us-east-1",
			Logger:       logging.Nop{},
			Credentials:  credentials.NewStaticCredentialsProvider(g.own.AccessKey, g.own.SecretKey, ""),
		}), nil
	}
	query := u.Query()
	opts := []func(*config.LoadOptions) error{config.WithLogger(logging.Nop{})}
	if id := query.Get("aws_access_key_id"); id != "" {
		static := credentials.NewStaticCredentialsProvider(id, query.Get("aws_access_key_secret"), query.Get("aws_access_token"))
		opts = append(opts, config.WithCredentialsProvider(static))
	}
	if profile := query.Get("aws_profile"); profile != "" {
		opts = append(opts, config.WithSharedConfigProfile(profile))
	}
	for _, region := range []string{query.Get("region"), g.addr.region} {
		if region != "" {
			opts = append(opts, config.WithRegion(region))
			break
		}
	}
	conf, err := config.LoadDefaultConfig(ctx, opts...)
	if err != nil {
		return nil, fmt.Errorf("load the AWS configuration: %w", err)
	}
	if conf.Region == "" {
		conf.Region = "us-east-1"
	}
	return s3.NewFromConfig(conf, func(o *s3.Options) {
		if g.addr.endpoint != "" {
			o.BaseEndpoint = &g.addr.endpoint
		}
		o.UsePathStyle = o.UsePathStyle || o.BaseEndpoint != nil || strings.Contains(g.addr.bucket, ".")
	}), nil
}

// Mode implements getter.Getter: an object that exists is a file, anything else a folder if something is in it.
func (g *s3Getter) Mode(ctx context.Context, u *url.URL) (getter.Mode, error) {
	client, err := g.client(ctx, u)
	if err != nil {
		return getter.ModeFile, err
	}
	if _, err := client.HeadObject(ctx, &s3.HeadObjectInput{Bucket: &g.addr.bucket, Key: &g.addr.key}); err == nil {
		return getter.ModeFile, nil
	}
	list, err := client.ListObjectsV2(ctx, &s3.ListObjectsV2Input{
		Bucket: &g.addr.bucket, Prefix: new(g.prefix()), MaxKeys: new(int32(1)),
	})
	if err == nil && len(list.Contents) > 0 {
		return getter.ModeDir, nil
	}
	return getter.ModeFile, nil // whose download says what is wrong
}

func (g *s3Getter) prefix() string {
	if g.addr.key == "" {
		return ""
	}
	return strings.TrimSuffix(g.addr.key, "/") + "/"
}

// GetFile implements getter.Getter.
func (g *s3Getter) GetFile(ctx context.Context, req *getter.Request) error {
	client, err := g.client(ctx, req.URL())
	if err != nil {
		return err
	}
	in := &s3.GetObjectInput{Bucket: &g.addr.bucket, Key: &g.addr.key}
	if version := req.URL().Query().Get("version"); version != "" {
		in.VersionId = &version
	}
	return g.getObject(ctx, client, in, req.Dst)
}

// Get implements getter.Getter: it fetches all objects below a prefix.
func (g *s3Getter) Get(ctx context.Context, req *getter.Request) error {
	client, err := g.client(ctx, req.URL())
	if err != nil {
		return err
	}
	pages := s3.NewListObjectsV2Paginator(client, &s3.ListObjectsV2Input{Bucket: &g.addr.bucket, Prefix: new(g.prefix())})
	files := 0
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return s3Error(err)
		}
		for _, object := range page.Contents {
			rel := filepath.FromSlash(strings.TrimPrefix(aws.ToString(object.Key), g.prefix()))
			if rel == "" || strings.HasSuffix(aws.ToString(object.Key), "/") {
				continue // a console's marker of an empty folder
			}
			if !filepath.IsLocal(rel) {
				return fmt.Errorf("the name of an object leads out of its folder: %q", rel)
			}
			if files++; g.limits.UnpackFiles > 0 && files > g.limits.UnpackFiles {
				return fmt.Errorf("more than %d objects are below %s", g.limits.UnpackFiles, g.prefix())
			}
			in := &s3.GetObjectInput{Bucket: &g.addr.bucket, Key: object.Key}
			if err := g.getObject(ctx, client, in, filepath.Join(req.Dst, rel)); err != nil {
				return err
			}
		}
	}
	return os.MkdirAll(req.Dst, 0o755)
}

func (g *s3Getter) getObject(ctx context.Context, client *s3.Client, in *s3.GetObjectInput, dst string) error {
	out, err := client.GetObject(ctx, in)
	if err != nil {
		return s3Error(err)
	}
	defer out.Body.Close()
	if err := os.MkdirAll(filepath.Dir(dst), 0o755); err != nil {
		return err
	}
	f, err := os.OpenFile(dst, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o666)
	if err != nil {
		return err
	}
	body := io.Reader(out.Body)
	if most := g.limits.HTTPBytes; most > 0 {
		body = &boundedBody{ReadCloser: out.Body, most: most}
	}
	n, err := io.Copy(f, body)
	if err == nil && out.ContentLength != nil && n != *out.ContentLength {
		err = io.ErrUnexpectedEOF
	}
	return errors.Join(err, f.Close())
}

// s3Error says what the store answered in the words of the other downloads.
func s3Error(err error) error {
	response, ok := errors.AsType[*awshttp.ResponseError](err)
	if !ok {
		return err
	}
	text := fmt.Sprintf("bad response code: %d", response.HTTPStatusCode())
	if apiErr, ok := errors.AsType[smithy.APIError](err); ok {
		text += fmt.Sprintf(" (%s: %s)", apiErr.ErrorCode(), apiErr.ErrorMessage())
	}
	if response.HTTPStatusCode() == http.StatusMovedPermanently {
		text += "; is the region right?"
	}
	return errors.New(text)
}
