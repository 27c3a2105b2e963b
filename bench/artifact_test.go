package bench

import (
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"ostro/nomadtest/freeport"
)

// BenchmarkPush takes the time that 150 MB of program need to be in a bucket, and
// again when they are there already, and what zip and the aws command line need
// for the same, on the same S3 server, versitygw.
func BenchmarkPush(b *testing.B) {
	ostro := buildOstro(b)
	endpoint := startStore(b)
	env := storeEnv(b, endpoint)
	dir := b.TempDir()
	file := filepath.Join(dir, "app")
	size := writeProgram(b, file, ostro, 150_000_000)
	ours := &program{path: ostro, env: env, dir: dir}
	zip, aws := peer(b, "zip", env, dir), peer(b, "aws", env, dir)
	var peak, archive, zipped int64
	again := &program{path: ostro, env: env, dir: dir}
	for n := 0; b.Loop(); n++ {
		args := []string{"artifact", "push", "-bucket", "bench", "-commit", fmt.Sprint("c", n), "-artifact", "app=app"}
		ours.args, again.args = args, args
		peak = max(peak, ours.run(b))
		again.run(b)
		if zip != nil && aws != nil {
			zip.args = []string{"-q", "-r", "app.zip", "app"}
			zip.run(b)
			zipped = fileSize(b, filepath.Join(dir, "app.zip"))
			aws.args = []string{"s3", "cp", "--only-show-errors", "--endpoint-url", endpoint, "app.zip", fmt.Sprintf("s3://bench/zip-%d.zip", n)}
			aws.run(b)
			if err := os.Remove(filepath.Join(dir, "app.zip")); err != nil {
				b.Fatal(err)
			}
		}
	}
	build := &program{path: ostro, env: env, dir: dir, args: []string{"artifact", "build", "-commit", "size", "-artifact", "app=app"}}
	build.run(b)
	archive = fileSize(b, filepath.Join(dir, "app_size.zip"))
	b.ReportMetric(float64(size)/float64(ours.median().Microseconds()), "MB/s")
	b.ReportMetric(float64(again.median())/float64(ours.median()), "again-ratio-to-first")
	b.ReportMetric(float64(peak)/mib, "peak-MiB")
	if zip != nil && aws != nil {
		b.ReportMetric(float64(ours.median())/float64(zip.median()+aws.median()), "ratio-to-zip-and-aws")
		b.ReportMetric(float64(archive)/float64(zipped), "size-ratio-to-zip")
	}
}

// BenchmarkArchive compares the sizes of archives of several kinds of files with
// zip's.
func BenchmarkArchive(b *testing.B) {
	ostro := buildOstro(b)
	dir := b.TempDir()
	zip := peer(b, "zip", os.Environ(), dir)
	if zip == nil {
		b.Skip("there is no zip to compare with")
	}
	source := filepath.Join(goroot(b), "src", "net")
	kinds := map[string]string{"program": ostro, "source": source, "images": filepath.Join(goroot(b), "src", "image")}
	for b.Loop() {
		for kind, path := range kinds {
			ours := &program{path: ostro, env: os.Environ(), dir: dir, args: []string{"artifact", "build", "-commit", "size", "-artifact", kind + "=" + path}}
			ours.run(b)
			zip.args = []string{"-q", "-r", kind + ".zip", path}
			zip.run(b)
			b.ReportMetric(float64(fileSize(b, filepath.Join(dir, kind+"_size.zip")))/float64(fileSize(b, filepath.Join(dir, kind+".zip"))), kind+"-size-ratio-to-zip")
			if err := os.Remove(filepath.Join(dir, kind+".zip")); err != nil {
				b.Fatal(err)
			}
		}
	}
}

// peer is another program, nil where it is not on PATH.
func peer(b *testing.B, name string, env []string, dir string) *program {
	path, err := exec.LookPath(name)
	if err != nil {
		b.Logf("%s is not on PATH: there is nothing to compare with", name)
		return nil
	}
	return &program{path: path, env: env, dir: dir}
}

func fileSize(b *testing.B, path string) int64 {
	info, err := os.Stat(path)
	if err != nil {
		b.Fatal(err)
	}
	return info.Size()
}

// writeProgram fills a file with programs, the first ones of Go's own tools, until
// it has about size bytes.
func writeProgram(b *testing.B, file, first string, size int64) int64 {
	tools, err := filepath.Glob(filepath.Join(goroot(b), "pkg", "tool", runtime.GOOS+"_"+runtime.GOARCH, "*"))
	if err != nil {
		b.Fatal(err)
	}
	out, err := os.Create(file)
	if err != nil {
		b.Fatal(err)
	}
	defer out.Close()
	written := int64(0)
	for _, path := range append(append([]string{first}, tools...), tools...) {
		in, err := os.Open(path)
		if err != nil {
			b.Fatal(err)
		}
		n, err := io.CopyN(out, in, size-written)
		in.Close()
		if written += n; err != io.EOF && err != nil {
			b.Fatal(err)
		}
		if written == size {
			break
		}
	}
	return written
}

// goroot is where Go stands, whose files everybody has.
func goroot(b *testing.B) string {
	out, err := exec.Command("go", "env", "GOROOT").Output()
	if err != nil {
		b.Fatal(err)
	}
	return strings.TrimSpace(string(out))
}

// startStore runs an S3 server on loopback with a bucket "bench".
func startStore(b *testing.B) (endpoint string) {
	path, err := exec.LookPath("versitygw")
	if err != nil {
		b.Skip("versitygw is not on PATH: there is no S3 server for both")
	}
	root, address := b.TempDir(), freeport.Address()
	if err := os.Mkdir(filepath.Join(root, "bench"), 0o755); err != nil {
		b.Fatal(err)
	}
	server := exec.Command(path, "--access", accessKey, "--secret", secretKey, "--port", address, "posix", "--sidecar", b.TempDir(), root)
	if err := server.Start(); err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { server.Process.Kill(); server.Wait() })
	awaitListener(b, address)
	return "http://" + address
}

const accessKey, secretKey = "bench-access", "bench-secret"

// storeEnv leads any S3 client to the server, past what the user has configured.
func storeEnv(b *testing.B, endpoint string) []string {
	return append(os.Environ(), "HOME="+b.TempDir(), "TMPDIR="+b.TempDir(), "AWS_ENDPOINT_URL_S3="+endpoint, "AWS_CONFIG_FILE=/nonexistent",
		"AWS_ACCESS_KEY_ID="+accessKey, "AWS_SECRET_ACCESS_KEY="+secretKey, "AWS_REGION=us-east-1", "AWS_EC2_METADATA_DISABLED=true")
}

func awaitListener(b *testing.B, address string) {
	for deadline := time.Now().Add(30 * time.Second); ; time.Sleep(5 * time.Millisecond) {
		conn, err := net.Dial("tcp", address)
		if err == nil {
			conn.Close()
			return
		}
		if time.Now().After(deadline) {
			b.Fatalf("nothing listens at %s: %v", address, err)
		}
	}
}
