package artifact

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"testing"
)

// A step's token is exchanged for the keys of the role, unless there are keys already.
func TestStepIdentity(t *testing.T) {
	sts := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.FormValue("Action") != "AssumeRoleWithWebIdentity" || r.FormValue("RoleArn") != "arn:aws:iam::1:role/deploy" || r.FormValue("WebIdentityToken") != "the-token" {
			http.Error(w, "not what was meant", http.StatusBadRequest)
			return
		}
		fmt.Fprint(w, `<AssumeRoleWithWebIdentityResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><AssumeRoleWithWebIdentityResult><Credentials>
<AccessKeyId>ASIA1</AccessKeyId><SecretAccessKey>secret</SecretAccessKey><SessionToken>session</SessionToken><Expiration>2099-01-01T00:00:00Z</Expiration>
</Credentials></AssumeRoleWithWebIdentityResult></AssumeRoleWithWebIdentityResponse>`)
	}))
	defer sts.Close()
	for name, value := range map[string]string{
		"AWS_ENDPOINT_URL_STS": sts.URL, "AWS_ROLE_ARN": "arn:aws:iam::1:role/deploy", "BITBUCKET_STEP_OIDC_TOKEN": "the-token",
		"AWS_REGION": "eu-central-1", "AWS_ACCESS_KEY_ID": "", "AWS_SECRET_ACCESS_KEY": "", "AWS_SESSION_TOKEN": "", "AWS_WEB_IDENTITY_TOKEN_FILE": "",
		"AWS_CONFIG_FILE": "/nonexistent", "AWS_SHARED_CREDENTIALS_FILE": "/nonexistent", "AWS_CA_BUNDLE": "",
	} {
		t.Setenv(name, value)
	}
	keyOf := func() string {
		bucket, err := OpenBucket(t.Context(), BucketConfig{Name: "artifacts"})
		if err != nil {
			t.Fatal(err)
		}
		keys, err := bucket.client.Options().Credentials.Retrieve(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		return keys.AccessKeyID + " " + keys.SessionToken
	}
	if got := keyOf(); got != "ASIA1 session" {
		t.Errorf("the keys are %q, not those of the role", got)
	}
	t.Setenv("AWS_ACCESS_KEY_ID", "AKIA2")
	t.Setenv("AWS_SECRET_ACCESS_KEY", "own")
	if got := keyOf(); got != "AKIA2 " {
		t.Errorf("the keys are %q, not those of the environment", got)
	}
}
