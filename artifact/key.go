package artifact

import (
	"cmp"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"unicode"
)

// DefaultKey is the key template that an empty one stands for.
const DefaultKey = "{name}_{commit}.zip"

// maxKey is the longest key that S3 takes, in bytes.
const maxKey = 1024

// Key is the object's key: the template with {name} and {commit} replaced. An empty template is [DefaultKey].
// The template must contain {commit}, else two commits would share one object. Name and commit may hold
// letters, digits, '.', '_' and '-', so that neither can move the object to another folder or need escaping.
func Key(template, name, commit string) (string, error) {
	template = cmp.Or(template, DefaultKey)
	for _, part := range []struct{ what, value string }{{"artifact name", name}, {"commit", commit}} {
		if err := checkTag(part.what, part.value); err != nil {
			return "", err
		}
	}
	if !strings.Contains(template, "{commit}") {
		return "", fmt.Errorf("key template %q has no {commit}: without it each commit would overwrite the last one", template)
	}
	key := strings.NewReplacer("{name}", name, "{commit}", commit).Replace(template)
	if i := strings.IndexAny(key, "{}"); i >= 0 {
		return "", fmt.Errorf("key template %q has an unknown placeholder: only {name} and {commit} are replaced", template)
	}
	return key, checkKey(key)
}

func checkTag(what, value string) error {
	if value == "" {
		return fmt.Errorf("the %s is empty", what)
	}
	for _, r := range value {
		if !unicode.IsLetter(r) && !unicode.IsDigit(r) && !strings.ContainsRune("._-", r) {
			return fmt.Errorf("the %s %q contains %q: only letters, digits, '.', '_' and '-' may stand in a key", what, value, r)
		}
	}
	return nil
}

func checkKey(key string) error {
	switch {
	case len(key) > maxKey:
		return fmt.Errorf("the key is %d bytes long: S3 takes %d", len(key), maxKey)
	case strings.HasPrefix(key, "/"), strings.HasSuffix(key, "/"):
		return fmt.Errorf("the key %q begins or ends with a slash", key)
	case strings.ContainsFunc(key, unicode.IsControl):
		return fmt.Errorf("the key %q contains a control character", key)
	}
	for segment := range strings.SplitSeq(key, "/") {
		if segment == "" || segment == "." || segment == ".." {
			return fmt.Errorf("the key %q has an empty, '.' or '..' part", key)
		}
	}
	return nil
}

// URL is the address under which a job file names the object. On AWS it is https://BUCKET.s3.amazonaws.com/KEY,
// with the region in the host when that is neither empty nor us-east-1. A bucket name with dots gets a
// path-style address, since AWS's certificate covers one label only. With an endpoint it is
// ENDPOINT/BUCKET/KEY.
func URL(bucket, region, endpoint, key string) string {
	path := escapePath(key)
	if endpoint != "" {
		if !strings.Contains(endpoint, "://") {
			endpoint = "https://" + endpoint
		}
		return strings.TrimRight(endpoint, "/") + "/" + bucket + "/" + path
	}
	host := "s3.amazonaws.com"
	if region != "" && region != "us-east-1" {
		host = "s3." + region + ".amazonaws.com"
		if strings.HasPrefix(region, "cn-") {
			host += ".cn"
		}
	}
	if strings.Contains(bucket, ".") {
		return "https://" + host + "/" + bucket + "/" + path
	}
	return "https://" + bucket + "." + host + "/" + path
}

func escapePath(key string) string {
	segments := strings.Split(key, "/")
	for i, s := range segments {
		segments[i] = strings.ReplaceAll(url.PathEscape(s), "+", "%2B")
	}
	return strings.Join(segments, "/")
}

// ParseBucket takes a bucket as people write it, "NAME" or "s3://NAME", and gives its name. A path behind the
// name is an error: the key template is the place for it.
func ParseBucket(s string) (string, error) {
	name := strings.TrimSuffix(strings.TrimPrefix(s, "s3://"), "/")
	switch {
	case name == "":
		return "", errors.New("the bucket's name is empty")
	case strings.Contains(name, "/"):
		return "", fmt.Errorf("%q is not a bucket's name: put the folder into the key template, as in %q", s, "folder/"+DefaultKey)
	}
	return name, nil
}
