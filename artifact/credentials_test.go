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

// The keys come from where the SDK of AWS finds them: each source by itself lets an
// upload through.
func TestCredentialChain(t *testing.T) {
	for name, set := range map[string]func(t *testing.T){
		"environment": func(t *testing.T) {
			t.Setenv("AWS_ACCESS_KEY_ID", accessKey)
			t.Setenv("AWS_SECRET_ACCESS_KEY", secretKey)
		},
		"profile": func(t *testing.T) {
			t.Setenv("AWS_PROFILE", "deploy")
			t.Setenv("AWS_SHARED_CREDENTIALS_FILE", textFile(t, fmt.Sprintf("[default]\naws_access_key_id = other\naws_secret_access_key = other\n"+
				"[deploy]\naws_access_key_id = %s\naws_secret_access_key = %s\n", accessKey, secretKey)))
		},
		"role of the instance": func(t *testing.T) {
			t.Setenv("AWS_EC2_METADATA_DISABLED", "")
			t.Setenv("AWS_EC2_METADATA_SERVICE_ENDPOINT", metadataService(t, "deploy"))
		},
	} {
		t.Run(name, func(t *testing.T) {
			store := ownStore(t, nil)
			set(t)
			b, err := artifact.OpenBucket(t.Context(), artifact.BucketConfig{Name: bucket, Endpoint: store.endpoint})
			if err != nil {
				t.Fatal(err)
			}
			tree := gather(t, map[string]string{"app": "x"})
			if _, err := b.Push(t.Context(), tree, "k.zip", artifact.PushOptions{}); err != nil {
				t.Fatal(err)
			}
			if got := store.get(t, "k.zip"); string(got) != string(zipped(t, tree)) {
				t.Error("another archive arrived")
			}
		})
	}
}

// The region, too, is that of the profile.
func TestRegionOfTheProfile(t *testing.T) {
	isolate(t)
	t.Setenv("AWS_PROFILE", "deploy")
	t.Setenv("AWS_CONFIG_FILE", textFile(t, "[default]\nregion = eu-west-1\n[profile deploy]\nregion = eu-north-1\n"))
	b, err := artifact.OpenBucket(t.Context(), artifact.BucketConfig{Name: bucket, AccessKey: accessKey, SecretKey: secretKey})
	if err != nil {
		t.Fatal(err)
	}
	if got, want := b.URL("k.zip"), "https://artifacts.s3.eu-north-1.amazonaws.com/k.zip"; got != want {
		t.Errorf("the address is %s, want %s", got, want)
	}
}

func TestInstanceWithoutRole(t *testing.T) {
	isolate(t)
	t.Setenv("AWS_EC2_METADATA_DISABLED", "")
	t.Setenv("AWS_EC2_METADATA_SERVICE_ENDPOINT", metadataService(t, ""))
	_, err := artifact.OpenBucket(t.Context(), artifact.BucketConfig{Name: bucket})
	if err == nil || !strings.Contains(err.Error(), "no AWS credentials were found") {
		t.Errorf("%v", err)
	}
}

// metadataService is that of an EC2 instance, which answers nobody without a token
// that was asked for. (AWS: instance metadata service, version 2.)
func metadataService(t *testing.T, role string) (endpoint string) {
	t.Helper()
	const token, roles = "a-token", "/latest/meta-data/iam/security-credentials/"
	mux := http.NewServeMux()
	mux.HandleFunc("PUT /latest/api/token", func(w http.ResponseWriter, r *http.Request) {
		ttl := r.Header.Get("X-Aws-Ec2-Metadata-Token-Ttl-Seconds")
		if ttl == "" {
			w.WriteHeader(http.StatusBadRequest)
			return
		}
		w.Header().Set("X-Aws-Ec2-Metadata-Token-Ttl-Seconds", ttl)
		fmt.Fprint(w, token)
	})
	mux.HandleFunc("GET /", func(w http.ResponseWriter, r *http.Request) {
		switch {
		case r.Header.Get("X-Aws-Ec2-Metadata-Token") != token:
			w.WriteHeader(http.StatusUnauthorized)
		case role != "" && r.URL.Path == roles:
			fmt.Fprint(w, role)
		case role != "" && r.URL.Path == roles+role:
			fmt.Fprintf(w, `{"Code": "Success", "Type": "AWS-HMAC", "LastUpdated": "2026-01-01T00:00:00Z", "Expiration": "2999-01-01T00:00:00Z",
				"AccessKeyId": %q, "SecretAccessKey": %q, "Token": "for-an-hour"}`, accessKey, secretKey)
		default:
			w.WriteHeader(http.StatusNotFound)
		}
	})
	srv := httptest.NewServer(mux)
	t.Cleanup(srv.Close)
	return srv.URL
}

// textFile gives the path of a new file.
func textFile(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}
