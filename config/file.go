package config

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
)

// FileName is the name that Load looks for in a folder.
const FileName = "ostro.hcl"

// File is one ostro.hcl that has no mistake in it.
type File struct {
	// Path is the file as the user named it; Dir is its folder, the base of
	// every relative path in it.
	Path, Dir string
	// Source is the text of the file, for messages that show a line of it.
	Source []byte
	// Commit is what the name commit stands for in expressions. The caller sets
	// it, once known, before Select and the methods of an Artifact.
	Commit string

	// Jobs are in the order of the file; Select puts them into that of their
	// dependencies.
	Jobs      []Job
	Artifacts []Artifact
	// Environments are by name, each with what its own block says, unmerged.
	// What hangs on an unset env() or on the commit is empty here: see Select.
	Environments map[string]*Environment
	// Settings is what the top level says, under the same reserve.
	Settings

	body   *hclsyntax.Body
	getenv func(string) string
}

// Job is a job block: a template to deploy.
type Job struct {
	Name          string         `hcl:",label"`
	Template      string         `hcl:"template,path,required"`
	VariableFiles []string       `hcl:"variable_files,path"`
	Variables     map[string]any `hcl:"variables,block"`
	DependsOn     []string       `hcl:"depends_on"`
	Range         hcl.Range
}

// Environment is an environment block.
type Environment struct {
	Name string `hcl:",label"`
	// Protected environments take neither a dirty tree nor a commit that Requires
	// does not vouch for.
	Protected bool `hcl:"protected"`
	// Requires names an environment in which the commit must be stable already.
	Requires string `hcl:"requires"`
	Settings
	Range hcl.Range
}

// Settings are what the top level and an environment can both say. Relative
// paths are joined with File.Dir, and a leading ~ is $HOME.
type Settings struct {
	// How to reach Nomad. An environment that names one way (standalone, or
	// address and ssh) drops the top level's other way.
	Address       string `hcl:"address" kind:"url"`
	Namespace     string `hcl:"namespace"`
	Region        string `hcl:"region"`
	Token         string `hcl:"token"`
	CACert        string `hcl:"ca_cert,path"`
	CAPath        string `hcl:"ca_path,path"`
	ClientCert    string `hcl:"client_cert,path"`
	ClientKey     string `hcl:"client_key,path"`
	TLSServerName string `hcl:"tls_server_name"`
	TLSSkipVerify bool   `hcl:"tls_skip_verify"`
	Standalone    bool   `hcl:"standalone"`
	SSH           SSH    `hcl:"ssh,block"` // or ssh = "USER@HOST"

	// Where artifacts go. Endpoint is for S3-compatible stores; empty means AWS.
	Bucket       string `hcl:"bucket"`
	BucketRegion string `hcl:"bucket_region"`
	Endpoint     string `hcl:"endpoint" kind:"url"`
	Upload       Upload `hcl:"upload,block"`
	// Presign is how long the address that artifactURL and artifactSource give can be used without
	// keys; zero is a plain address.
	Presign time.Duration `hcl:"presign"`

	// How a deployment is judged.
	Promote         string        `hcl:"promote" oneof:"healthy wait detach"`
	PromoteCheck    string        `hcl:"promote_check" kind:"url"`
	RevertOnFailure bool          `hcl:"revert_on_failure"`
	Timeout         time.Duration `hcl:"timeout"`
	WaitForCapacity time.Duration `hcl:"wait_for_capacity"`
	OnInterrupt     string        `hcl:"on_interrupt" oneof:"detach fail"`
	Parallel        int           `hcl:"parallel"`
	// CommitMeta is the name of the job's meta in which the history finds its
	// commit; empty means git_sha.
	CommitMeta string `hcl:"commit_meta"`

	// Variables go into the templates; maps merge deeply. Strings, booleans,
	// numbers, []any, map[string]any and nil.
	Variables     map[string]any `hcl:"variables,block"`
	VariableFiles []string       `hcl:"variable_files,path"`
	// Secrets are the names of variables whose values are never shown. The
	// environment's add to the top level's.
	Secrets []string `hcl:"secrets"`
	Hooks   Hooks    `hcl:"hooks,block"`
}

// SSH is the way to a Nomad that only an SSH server can reach.
type SSH struct {
	Host          string   `hcl:"host"` // [USER@]HOST[:PORT]
	Remote        string   `hcl:"remote"`
	IdentityFiles []string `hcl:"identity_files,path"`
	HostKey       string   `hcl:"host_key"`
}

// Upload is what the store is told about each artifact. What is empty is left to
// the bucket.
type Upload struct {
	ACL          string         `hcl:"acl"` // a canned one
	StorageClass string         `hcl:"storage_class"`
	SSE          string         `hcl:"sse" oneof:"AES256 aws:kms aws:kms:dsse"`
	SSEKMSKeyID  string         `hcl:"sse_kms_key_id"`
	Tags         map[string]any `hcl:"tags,block"`
}

// Hooks are what to run around a deployment: commands, as argument lists, and the
// template of a batch job whose success is the condition for all other jobs.
type Hooks struct {
	BeforeDeploy []string `hcl:"before_deploy,command"` // prevents the deployment by failing
	Release      string   `hcl:"release,path"`
	AfterDeploy  []string `hcl:"after_deploy,command"` // the deployment was successful
	OnFailure    []string `hcl:"on_failure,command"`   // it was not
}

// Load reads path, or path/ostro.hcl where path is a folder. Mistakes in the
// file come back all at once as hcl.Diagnostics; a file that is not there is
// fs.ErrNotExist. getenv answers env() and the ~ of a path, and is asked for
// nothing else.
func Load(path string, getenv func(string) string) (*File, error) {
	if info, err := os.Stat(path); err == nil && info.IsDir() {
		path = filepath.Join(path, FileName)
	}
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("read the configuration: %w", err)
	}
	return Parse(path, text, getenv)
}

// Parse is Load for a text at hand; path stands in messages and is the base of
// relative paths.
func Parse(path string, text []byte, getenv func(string) string) (*File, error) {
	if d := tooMuch(path, text); d != nil {
		return nil, hcl.Diagnostics{d}
	}
	parsed, diags := hclsyntax.ParseConfig(text, path, hcl.InitialPos)
	if diags.HasErrors() {
		return nil, diags
	}
	f := &File{
		Path: path, Dir: filepath.Dir(path), Source: text, Environments: map[string]*Environment{},
		body: parsed.Body.(*hclsyntax.Body), getenv: getenv,
	}
	d := f.decoder(false)
	f.decode(d)
	if !d.diags.HasErrors() {
		f.check(d)
	}
	if d.diags.HasErrors() {
		return nil, sorted(d.diags)
	}
	return f, nil
}

// What the parser is given is bounded, as it recurses: without a bound, a file
// of brackets takes the whole stack and with it the process.
const (
	maxSize  = 128 << 10 // bytes
	maxDepth = 500       // brackets
)

// tooMuch also counts brackets in strings, of which no real file has that many.
func tooMuch(path string, text []byte) *hcl.Diagnostic {
	start := hcl.Range{Filename: path, Start: hcl.InitialPos, End: hcl.InitialPos}
	if len(text) > maxSize {
		return diagnostic(start, "keep large values in variable files", fmt.Sprintf("the file is larger than %d KiB", maxSize>>10))
	}
	depth := 0
	for i, c := range text {
		switch c {
		case '{', '[', '(':
			depth++
		case '}', ']', ')':
			depth = max(0, depth-1)
		}
		if depth > maxDepth {
			at := hcl.Pos{Line: 1 + bytes.Count(text[:i], []byte("\n")), Column: i - bytes.LastIndexByte(text[:i], '\n'), Byte: i}
			return diagnostic(hcl.Range{Filename: path, Start: at, End: at}, "", fmt.Sprintf("brackets nest more than %d deep", maxDepth))
		}
	}
	return nil
}

// decode reads every block, so that all mistakes show at once.
func (f *File) decode(d *decoder) {
	d.decode(f.body, &f.Settings, "ostro.hcl", "job", "artifact", "environment")
	labels := map[string]hcl.Range{}
	for _, b := range f.body.Blocks {
		switch b.Type {
		case "job", "artifact", "environment":
		default:
			continue // of the settings
		}
		name, ok := d.label(b, labels)
		if !ok {
			continue
		}
		where := fmt.Sprintf("%s %q", b.Type, name)
		switch b.Type {
		case "job":
			f.Jobs = append(f.Jobs, d.job(b, where))
		case "artifact":
			f.Artifacts = append(f.Artifacts, d.artifact(f, b, where))
		case "environment":
			f.Environments[name] = d.environment(b, where)
		}
	}
}

// EnvironmentNames lists the environments in alphabetical order.
func (f *File) EnvironmentNames() []string {
	names := make([]string, 0, len(f.Environments))
	for n := range f.Environments {
		names = append(names, n)
	}
	slices.Sort(names)
	return names
}
