package artifact

import (
	"cmp"
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"regexp"
	"sync"
	"syscall"

	smithy "github.com/aws/smithy-go"
	smithyhttp "github.com/aws/smithy-go/transport/http"
)

// bucketError is one sentence about what went wrong with a bucket and what to do about it. The SDK's own error,
// which is several lines of request IDs and wrapped names, stays behind it for errors.Is and errors.As.
type bucketError struct {
	sentence string
	kind     error // ErrNotFound, ErrDenied, errRace, errUnexplained, or nil
	err      error
}

func (e *bucketError) Error() string { return e.sentence }

func (e *bucketError) Unwrap() []error {
	if e.kind == nil {
		return []error{e.err}
	}
	return []error{e.kind, e.err}
}

// errUnexplained is wrapped when the answer to a HEAD, which has no body, leaves open what is wrong.
var errUnexplained = errors.New("refused without a reason")

// explain turns an error of the SDK into a sentence. doing is a verb, such as "upload".
func (b *Bucket) explain(doing, key string, err error) error {
	sentence, kind := b.diagnose(key, err)
	if sentence == "" {
		sentence = err.Error()
	}
	return &bucketError{fmt.Sprintf("cannot %s %s: %s", doing, cmp.Or(key, "the bucket "+b.cfg.Name), sentence), kind, err}
}

// explainCredentials is about an error of whoever hands out the credentials.
func explainCredentials(err error) error {
	operation, ok := errors.AsType[*smithy.OperationError](err)
	if !ok || operation.ServiceID != "STS" {
		return fmt.Errorf("no AWS credentials were found: set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_PROFILE (%w)", err)
	}
	why := "it does not answer"
	if refused, ok := errors.AsType[smithy.APIError](err); ok {
		why = fmt.Sprintf("%s (%s)", refused.ErrorMessage(), refused.ErrorCode())
	}
	return &bucketError{
		fmt.Sprintf("AWS STS gives no credentials for the role %s: %s: check the role's trust policy, and that the token in AWS_WEB_IDENTITY_TOKEN_FILE is of this run", os.Getenv("AWS_ROLE_ARN"), why),
		ErrDenied, err,
	}
}

func (b *Bucket) diagnose(key string, err error) (sentence string, kind error) {
	if sentence := b.diagnoseConnection(err); sentence != "" {
		return sentence, nil
	}
	if region, wrong := b.wrongRegion(err); wrong {
		return fmt.Sprintf("bucket %s is in %s, not in %s: set AWS_REGION or the bucket's region", b.cfg.Name, region, b.cfg.Region), nil
	}
	switch code := apiCode(err); code {
	case "NoSuchBucket":
		return fmt.Sprintf("bucket %s does not exist at %s: create it, or name another with -bucket", b.cfg.Name, b.host()), nil
	case "InvalidAccessKeyId":
		return fmt.Sprintf("%s does not know the access key: check AWS_ACCESS_KEY_ID or the profile", b.host()), ErrDenied
	case "SignatureDoesNotMatch":
		return "the secret key does not belong to the access key: check AWS_SECRET_ACCESS_KEY or the profile", ErrDenied
	case "RequestTimeTooSkewed", "RequestExpired":
		return fmt.Sprintf("this machine's clock and the clock of %s are too far apart: set the clock, for instance with NTP", b.host()), ErrDenied
	case "ExpiredToken", "ExpiredTokenException", "InvalidToken", "TokenRefreshRequired":
		return "the session token has expired or is not valid: get new credentials", ErrDenied
	case "NotFound", "NoSuchKey":
		return fmt.Sprintf("there is none in bucket %s", b.cfg.Name), ErrNotFound
	case "PreconditionFailed", "ConditionalRequestConflict", "NoSuchUpload":
		return fmt.Sprintf("the key was taken meanwhile in bucket %s", b.cfg.Name), errRace
	}
	return b.diagnoseStatus(key, err)
}

func (b *Bucket) diagnoseStatus(key string, err error) (string, error) {
	status := httpStatus(err)
	switch {
	case status == 403:
		return fmt.Sprintf("the credentials may not do that in bucket %s: they need s3:PutObject, s3:GetObject, s3:ListBucket and s3:AbortMultipartUpload for %s", b.cfg.Name, key), ErrDenied
	case status == 400 && apiCode(err) == "BadRequest":
		return fmt.Sprintf("%s refused it without saying why", b.host()), errUnexplained
	case status == 503 || status == 500 || status == 429:
		return fmt.Sprintf("%s is overloaded or failing (%d %s), also when asked again: try later", b.host(), status, apiCode(err)), nil
	}
	if api, ok := errors.AsType[smithy.APIError](err); ok {
		return fmt.Sprintf("%s refused it: %s (%s)", b.host(), api.ErrorMessage(), api.ErrorCode()), nil
	}
	return "", nil
}

// diagnoseConnection handles the errors that come before an answer.
func (b *Bucket) diagnoseConnection(err error) string {
	if _, answered := errors.AsType[smithy.APIError](err); answered {
		return ""
	}
	if _, ok := errors.AsType[*stallError](err); ok {
		return fmt.Sprintf("the connection to %s stalled, nothing moved for %s: check the network, then try again", b.host(), stallAfter)
	}
	if dns, ok := errors.AsType[*net.DNSError](err); ok && dns.IsTimeout {
		return fmt.Sprintf("no name server answers where %s is looked up (%s): check the network, then try again", dns.Name, dns.Server)
	} else if ok {
		return fmt.Sprintf("the host %s is not known: check the region, the endpoint and the bucket's name", dns.Name)
	}
	if _, ok := errors.AsType[x509.UnknownAuthorityError](err); ok {
		return fmt.Sprintf("the certificate of %s is signed by an unknown authority: name its file in AWS_CA_BUNDLE", b.host())
	}
	switch {
	case errors.Is(err, context.Canceled):
		return "it was interrupted"
	case errors.Is(err, context.DeadlineExceeded):
		return fmt.Sprintf("%s did not answer in time: try again", b.host())
	case errors.Is(err, syscall.ECONNREFUSED):
		return fmt.Sprintf("nothing listens at %s: is the store running, and is the endpoint right?", b.host())
	case errors.Is(err, syscall.ECONNRESET), errors.Is(err, syscall.EPIPE), isSendError(err):
		return fmt.Sprintf("the connection to %s broke, more than once: check the network, then try again", b.host())
	}
	return ""
}

func isSendError(err error) bool {
	_, ok := errors.AsType[*smithyhttp.RequestSendError](err)
	return ok
}

var expectedRegion = sync.OnceValue(func() *regexp.Regexp {
	return regexp.MustCompile(`expecting '([a-z0-9-]+)'`)
})

// wrongRegion finds the region that S3 says the bucket is in.
func (b *Bucket) wrongRegion(err error) (string, bool) {
	if r, ok := errors.AsType[*smithyhttp.ResponseError](err); ok && r.Response != nil {
		if region := r.Response.Header.Get("X-Amz-Bucket-Region"); region != "" && region != b.cfg.Region {
			return region, true
		}
	}
	switch apiCode(err) {
	case "PermanentRedirect", "TemporaryRedirect", "AuthorizationHeaderMalformed", "IllegalLocationConstraintException", "MovedPermanently":
		if m := expectedRegion().FindStringSubmatch(err.Error()); m != nil {
			return m[1], true
		}
		return "another region", true
	}
	return "", false
}

// host is where requests go, for messages.
func (b *Bucket) host() string {
	if b.cfg.Endpoint == "" {
		return "AWS S3"
	}
	if u, err := url.Parse(b.cfg.Endpoint); err == nil && u.Host != "" {
		return u.Host
	}
	return b.cfg.Endpoint
}

func apiCode(err error) string {
	if api, ok := errors.AsType[smithy.APIError](err); ok {
		return api.ErrorCode()
	}
	return ""
}

func httpStatus(err error) int {
	if r, ok := errors.AsType[*smithyhttp.ResponseError](err); ok {
		return r.HTTPStatusCode()
	}
	return 0
}
