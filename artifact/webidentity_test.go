package artifact_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"ostro/artifact"
)

// A pipeline has no keys but a token, for which AWS STS gives some for an hour.
func TestWebIdentity(t *testing.T) {
	store := ownStore(t, nil)
	token := filepath.Join(t.TempDir(), "token")
	sts := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/xml")
		if r.FormValue("Action") != "AssumeRoleWithWebIdentity" || r.FormValue("RoleArn") != "arn:aws:iam::1:role/deploy" || r.FormValue("WebIdentityToken") != "of-the-step" {
			w.WriteHeader(http.StatusForbidden)
			fmt.Fprint(w, "<ErrorResponse><Error><Code>AccessDenied</Code><Message>Not authorized to perform sts:AssumeRoleWithWebIdentity</Message></Error></ErrorResponse>")
			return
		}
		fmt.Fprintf(w, "<AssumeRoleWithWebIdentityResponse><AssumeRoleWithWebIdentityResult><Credentials><AccessKeyId>%s</AccessKeyId><SecretAccessKey>%s</SecretAccessKey>"+
			"<SessionToken>for-an-hour</SessionToken><Expiration>2999-01-01T00:00:00Z</Expiration></Credentials></AssumeRoleWithWebIdentityResult></AssumeRoleWithWebIdentityResponse>", accessKey, secretKey)
	}))
	defer sts.Close()
	for name, value := range map[string]string{
		"AWS_ROLE_ARN": "arn:aws:iam::1:role/deploy", "AWS_WEB_IDENTITY_TOKEN_FILE": token, "AWS_ENDPOINT_URL_STS": sts.URL, "AWS_REGION": "us-east-1", "AWS_MAX_ATTEMPTS": "1",
	} {
		t.Setenv(name, value)
	}
	open := func(text string) (*artifact.Bucket, error) {
		if err := os.WriteFile(token, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return artifact.OpenBucket(t.Context(), artifact.BucketConfig{Name: bucket, Endpoint: store.endpoint})
	}
	b, err := open("of-the-step")
	if err != nil {
		t.Fatal(err)
	}
	tree := gather(t, map[string]string{"app": "x"})
	if _, err := b.Push(t.Context(), tree, "k.zip", artifact.PushOptions{}); err != nil {
		t.Fatal(err)
	}
	if got, want := string(store.get(t, "k.zip")), string(zipped(t, tree)); got != want {
		t.Error("another archive arrived")
	}

	_, err = open("of-another-pipeline")
	for _, want := range []string{"arn:aws:iam::1:role/deploy", "Not authorized to perform", "trust policy"} {
		if err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "RequestID") {
			t.Errorf("a token that the role does not trust: %v, want a sentence with %q", err, want)
		}
	}
}
