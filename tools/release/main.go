// Command release builds ostro for all platforms, into a folder with checksums, the
// bill of materials of each binary, and the man pages. The same commit gives the same
// bytes, wherever it is built.
package main

import (
	"crypto/sha256"
	"flag"
	"fmt"
	"io"
	"log"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
)

func main() {
	log.SetFlags(0)
	root := flag.String("root", ".", "the repository")
	out := flag.String("out", "dist/release", "the folder to write to")
	version := flag.String("version", "0.1.0", "the version")
	platforms := flag.String("platforms", "linux/amd64,linux/arm64,darwin/amd64,darwin/arm64,windows/amd64", "what to build for")
	flag.Parse()
	if err := release(*root, *out, *version, strings.Split(*platforms, ",")); err != nil {
		log.Fatal("release: ", err)
	}
}

func release(root, out, version string, platforms []string) error {
	out, err := filepath.Abs(out)
	if err != nil {
		return err
	}
	if err := os.RemoveAll(out); err != nil {
		return err
	}
	if err := os.MkdirAll(out, 0o755); err != nil {
		return err
	}
	for _, platform := range platforms {
		system, architecture, ok := strings.Cut(platform, "/")
		if !ok {
			return fmt.Errorf("%q is no platform: want OS/ARCHITECTURE", platform)
		}
		path := filepath.Join(out, fmt.Sprintf("ostro_%s_%s_%s", version, system, architecture))
		if system == "windows" {
			path += ".exe"
		}
		log.Printf("building %s", filepath.Base(path))
		if err := build(root, path, version, system, architecture); err != nil {
			return err
		}
		if err := writeMaterials(path, version); err != nil {
			return err
		}
		if system == runtime.GOOS && architecture == runtime.GOARCH {
			if err := run(exec.Command(path, "man", filepath.Join(out, "man"))); err != nil {
				return err
			}
		}
	}
	return writeChecksums(out)
}

// build leaves out what depends on the machine: its paths, its C compiler, and the
// linker's build ID. The commit comes from git.
func build(root, path, version, system, architecture string) error {
	command := exec.Command("go", "build", "-trimpath", "-buildvcs=true", "-tags", "urfave_cli_no_docs",
		"-ldflags", "-s -w -buildid= -X main.release="+version, "-o", path, "./cmd/ostro")
	command.Dir = root
	command.Env = append(os.Environ(), "CGO_ENABLED=0", "GOFLAGS=", "GOAMD64=v1", "GOOS="+system, "GOARCH="+architecture)
	return run(command)
}

func run(command *exec.Cmd) error {
	command.Stdout, command.Stderr = os.Stderr, os.Stderr
	if err := command.Run(); err != nil {
		return fmt.Errorf("%s: %w", strings.Join(command.Args, " "), err)
	}
	return nil
}

// writeChecksums writes SHA256SUMS, as sha256sum -c reads it.
func writeChecksums(dir string) error {
	var names []string
	err := filepath.WalkDir(dir, func(path string, entry os.DirEntry, err error) error {
		if err == nil && entry.Type().IsRegular() {
			name, relErr := filepath.Rel(dir, path)
			names, err = append(names, filepath.ToSlash(name)), relErr
		}
		return err
	})
	if err != nil {
		return err
	}
	slices.Sort(names)
	var sums strings.Builder
	for _, name := range names {
		file, err := os.Open(filepath.Join(dir, name))
		if err != nil {
			return err
		}
		digest := sha256.New()
		_, err = io.Copy(digest, file)
		file.Close()
		if err != nil {
			return err
		}
		fmt.Fprintf(&sums, "%x  %s\n", digest.Sum(nil), name)
	}
	return os.WriteFile(filepath.Join(dir, "SHA256SUMS"), []byte(sums.String()), 0o644)
}
