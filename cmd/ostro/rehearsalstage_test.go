package main

import (
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"ostro/artifact"
	"ostro/orchestrator/blob"
)

const (
	rehearsalKey    = "AKIAREHEARSAL000"
	rehearsalSecret = "rehearsal-secret-that-no-log-may-show"
	rehearsalBucket = "artifacts"
	rehearsalRole   = "arn:aws:iam::1:role/pipeline"
	rehearsalToken  = "token-of-the-step"
	rehearsalPort   = "7070"
)

// A stage is the world of a pipeline: hosts in network namespaces around a switch.
// Staging and production have an agent on their loopback interface and an sshd; the
// store is an S3 server; the runner is where the steps run.
type stage struct {
	dir    string
	subnet string
	sts    string // the endpoint of what gives keys for a token
}

// hostNames are the hosts by the last number of their addresses; this machine has
// the first one.
func hostNames() []string { return []string{"", "", "runner", "staging", "production", "store"} }

func newStage(t *testing.T) *stage {
	t.Helper()
	for _, program := range []string{"ip", sshdPath, "ssh-keygen", "git", "bash"} {
		if _, err := exec.LookPath(program); err != nil {
			t.Skipf("there is no %s for the rehearsal of the pipeline", program)
		}
	}
	if os.Getuid() != 0 {
		t.Skip("the rehearsal of the pipeline needs root for its network namespaces")
	}
	s := &stage{dir: t.TempDir(), subnet: fmt.Sprintf("198.19.%d.", 240+os.Getpid()%15)}
	s.wire(t)
	s.startStore(t)
	s.startSTS(t)
	s.keys(t)
	for _, host := range []string{"staging", "production"} {
		s.startAgent(t, host)
		s.startSSHD(t, host)
	}
	return s
}

func (s *stage) space(host string) string { return fmt.Sprintf("ostro%d-%s", os.Getpid(), host) }

func (s *stage) address(host string) string {
	for i, name := range hostNames() {
		if name == host {
			return s.subnet + fmt.Sprint(i)
		}
	}
	panic("there is no host " + host)
}

// in is a command that runs in a host.
func (s *stage) in(host string, argv ...string) *exec.Cmd {
	return exec.Command("ip", append([]string{"netns", "exec", s.space(host)}, argv...)...)
}

// wire makes the hosts and the switch, which is in a namespace as well, out of reach
// of this machine's packet filters.
func (s *stage) wire(t *testing.T) {
	t.Helper()
	ip := func(line string, args ...any) {
		t.Helper()
		words := strings.Fields(fmt.Sprintf(line, args...))
		if out, err := exec.Command("ip", words...).CombinedOutput(); err != nil {
			t.Skipf("network namespaces are not to be had here: ip %s: %v\n%s", strings.Join(words, " "), err, out)
		}
	}
	add := func(host string) {
		ip("netns add %s", s.space(host))
		t.Cleanup(func() { exec.Command("ip", "netns", "del", s.space(host)).Run() }) // its links go with it
		ip("-n %s link set lo up", s.space(host))
	}
	add("switch")
	ip("-n %s link add br0 type bridge", s.space("switch"))
	ip("-n %s link set br0 up", s.space("switch"))
	for i, host := range hostNames()[1:] {
		port := fmt.Sprintf("port%d", i)
		if host == "" {
			name := fmt.Sprintf("o%d", os.Getpid())
			ip("link add %s type veth peer name %s netns %s", name, port, s.space("switch"))
			ip("addr add %s1/24 dev %s", s.subnet, name)
			ip("link set %s up", name)
		} else {
			add(host)
			ip("-n %s link add eth0 type veth peer name %s netns %s", s.space(host), port, s.space("switch"))
			ip("-n %s addr add %s/24 dev eth0", s.space(host), s.address(host))
			ip("-n %s link set eth0 up", s.space(host))
		}
		ip("-n %s link set %s master br0", s.space("switch"), port)
		ip("-n %s link set %s up", s.space("switch"), port)
	}
	ip("netns exec %s true", s.space("runner"))
}

// start runs a server until the test ends, and waits until it is ready.
func (s *stage) start(t *testing.T, server *exec.Cmd, ready func(said string) bool) {
	t.Helper()
	said := &output{}
	server.Stdout, server.Stderr = said, said
	if err := server.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan struct{})
	go func() {
		server.Wait()
		close(ended)
	}()
	t.Cleanup(func() {
		server.Process.Signal(os.Interrupt) // an agent ends its tasks, an sshd nothing
		select {
		case <-ended:
		case <-time.After(time.Minute):
			server.Process.Kill()
			<-ended
		}
	})
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for deadline := time.After(2 * time.Minute); !ready(said.String()); {
		select {
		case <-deadline:
			t.Fatalf("%s does not come up:\n%s", server, said)
		case <-ended:
			t.Fatalf("%s ended:\n%s", server, said)
		case <-tick.C:
		}
	}
}

// startStore runs versitygw, or our own store where there is none, as a process of
// the host "store".
func (s *stage) startStore(t *testing.T) {
	t.Helper()
	data, sidecar := filepath.Join(s.dir, "store"), filepath.Join(s.dir, "sidecar")
	for _, dir := range []string{data, sidecar} {
		if err := os.MkdirAll(dir, 0o700); err != nil {
			t.Fatal(err)
		}
	}
	address := s.address("store") + ":" + rehearsalPort
	server := s.in("store", "blob-store", address, data)
	if _, err := exec.LookPath("versitygw"); err == nil {
		server = s.in("store", "versitygw", "--access", rehearsalKey, "--secret", rehearsalSecret, "--port", address, "posix", "--sidecar", sidecar, data)
	}
	server.Dir = s.dir
	s.start(t, server, func(string) bool { return answers(address) })
	bucket, err := artifact.OpenBucket(t.Context(), s.bucket())
	if err == nil {
		err = bucket.Create(t.Context())
	}
	if err != nil {
		t.Fatal(err)
	}
}

func answers(address string) bool {
	conn, err := net.DialTimeout("tcp", address, 5*time.Second)
	if err != nil {
		return false
	}
	conn.Close()
	return true
}

// blobStore is the program blob-store ADDRESS FOLDER: our own S3 server.
func blobStore() {
	store, err := blob.Open(blob.Config{Dir: os.Args[2], AccessKey: rehearsalKey, SecretKey: rehearsalSecret})
	if err == nil {
		err = http.ListenAndServe(os.Args[1], store.Handler())
	}
	fmt.Fprintln(os.Stderr, err)
	os.Exit(codeError)
}

func (s *stage) endpoint() string { return "http://" + s.address("store") + ":" + rehearsalPort }

func (s *stage) bucket() artifact.BucketConfig {
	return artifact.BucketConfig{
		Name: rehearsalBucket, Region: "us-east-1", Endpoint: s.endpoint(), PathStyle: true, AccessKey: rehearsalKey, SecretKey: rehearsalSecret,
	}
}

// variables are those of the repository, whose names the pipeline file tells: with
// keys of AWS, or with a role in their place.
func (s *stage) variables(role bool) []string {
	all := []string{
		"S3_BUCKET=" + rehearsalBucket, "AWS_REGION=us-east-1", "AWS_ENDPOINT_URL_S3=" + s.endpoint(),
		"STAGING_SSH=root@" + s.address("staging"), "PRODUCTION_SSH=root@" + s.address("production"),
	}
	if role {
		return append(all, "AWS_ROLE_ARN="+rehearsalRole, "AWS_ENDPOINT_URL_STS="+s.sts)
	}
	return append(all, "AWS_ACCESS_KEY_ID="+rehearsalKey, "AWS_SECRET_ACCESS_KEY="+rehearsalSecret)
}

// startSTS gives the keys of the role for the token of a step, as AWS does. It has
// no session token with them, which versitygw would not take.
func (s *stage) startSTS(t *testing.T) {
	t.Helper()
	listener, err := net.Listen("tcp", s.subnet+"1:0")
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/xml")
		if r.FormValue("Action") != "AssumeRoleWithWebIdentity" || r.FormValue("RoleArn") != rehearsalRole || r.FormValue("WebIdentityToken") != rehearsalToken {
			w.WriteHeader(http.StatusForbidden)
			fmt.Fprint(w, "<ErrorResponse><Error><Code>AccessDenied</Code></Error></ErrorResponse>")
			return
		}
		fmt.Fprintf(w, "<AssumeRoleWithWebIdentityResponse><AssumeRoleWithWebIdentityResult><Credentials><AccessKeyId>%s</AccessKeyId><SecretAccessKey>%s</SecretAccessKey>"+
			"<SessionToken></SessionToken><Expiration>2999-01-01T00:00:00Z</Expiration></Credentials></AssumeRoleWithWebIdentityResult></AssumeRoleWithWebIdentityResponse>",
			rehearsalKey, rehearsalSecret)
	}))
	server.Listener.Close()
	server.Listener = listener
	server.Start()
	t.Cleanup(server.Close)
	s.sts = server.URL
}

// keys makes the keys of the hosts and that of the repository's SSH settings.
func (s *stage) keys(t *testing.T) {
	t.Helper()
	ssh := filepath.Join(s.dir, "ssh")
	if err := os.MkdirAll(ssh, 0o700); err != nil {
		t.Fatal(err)
	}
	var known strings.Builder
	for _, key := range []string{filepath.Join(ssh, "id_ed25519"), filepath.Join(s.dir, "staging"), filepath.Join(s.dir, "production")} {
		if out, err := exec.Command("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", key).CombinedOutput(); err != nil {
			t.Fatalf("ssh-keygen: %v\n%s", err, out)
		}
		public, err := os.ReadFile(key + ".pub")
		if err != nil {
			t.Fatal(err)
		}
		if host := filepath.Base(key); host != "id_ed25519" {
			fmt.Fprintf(&known, "%s %s", s.address(host), public)
		}
	}
	if err := os.WriteFile(filepath.Join(ssh, "known_hosts"), []byte(known.String()), 0o600); err != nil {
		t.Fatal(err)
	}
}

// startSSHD runs a server that lets the pipeline's key through to Nomad, and to
// nothing else, as docs/agent.md says.
func (s *stage) startSSHD(t *testing.T, host string) {
	t.Helper()
	public, err := os.ReadFile(filepath.Join(s.dir, "ssh", "id_ed25519.pub"))
	if err != nil {
		t.Fatal(err)
	}
	allowed := append([]byte(`restrict,port-forwarding,permitopen="127.0.0.1:4646" `), public...)
	if err := os.WriteFile(filepath.Join(s.dir, host+".keys"), allowed, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.MkdirAll("/run/sshd", 0o755); err != nil {
		t.Skipf("sshd needs /run/sshd: %v", err)
	}
	conf := filepath.Join(s.dir, host+".sshd")
	text := fmt.Sprintf("Port 22\nHostKey %s\nPidFile none\nAuthorizedKeysFile %s.keys\nStrictModes no\nUsePAM no\nPermitRootLogin yes\n"+
		"PasswordAuthentication no\nKbdInteractiveAuthentication no\n", filepath.Join(s.dir, host), filepath.Join(s.dir, host))
	if err := os.WriteFile(conf, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	s.start(t, s.in(host, sshdPath, "-D", "-e", "-f", conf), func(string) bool { return answers(s.address(host) + ":22") })
}

// startAgent runs an agent that only its own host reaches. Its node has a right of
// its own to read the bucket.
func (s *stage) startAgent(t *testing.T, host string) {
	t.Helper()
	home := filepath.Join(s.dir, host+"-home")
	agent := s.in(host, "ostro", "agent", "-dev", "-listen", "127.0.0.1:4646", "-data-dir", filepath.Join(s.dir, host+"-agent"))
	agent.Dir = s.dir
	agent.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + home, "AWS_ENDPOINT_URL_S3=" + s.endpoint(), "AWS_REGION=us-east-1",
		"AWS_ACCESS_KEY_ID=" + rehearsalKey, "AWS_SECRET_ACCESS_KEY=" + rehearsalSecret}
	if err := os.MkdirAll(home, 0o700); err != nil {
		t.Fatal(err)
	}
	s.start(t, agent, func(said string) bool { return strings.Contains(said, "the agent runs at") })
	if answers(s.address(host) + ":4646") {
		t.Fatalf("the API of %s can be reached without SSH", host)
	}
}
