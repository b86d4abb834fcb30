// Package build makes the programs that the cluster runs. What it makes lies in
// a cache outside the checkout, in a directory that is named after what it was
// made from, so that it is made once.
package build

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"

	"golang.org/x/sys/unix"
)

// Builder builds programs from a checkout into a cache.
type Builder struct {
	// Checkout is the root of the main module.
	Checkout string
	// Cache is the cache's root.
	Cache string
	// Log takes what there is to say, and the output of the compiler.
	Log io.Writer
}

// once returns the directory of an artefact and lets fill make it when it is
// not there.
func (b *Builder) once(name, key string, fill func(dir string) error) (string, error) {
	root := filepath.Join(b.Cache, "build")
	dir := filepath.Join(root, name+"-"+key)
	if isDir(dir) {
		return dir, nil
	}
	if err := os.MkdirAll(root, 0o755); err != nil {
		return "", fmt.Errorf("cannot make the cache: %w", err)
	}
	unlock, err := lock(filepath.Join(root, "."+name+".lock"))
	if err != nil {
		return "", err
	}
	defer unlock()
	if isDir(dir) {
		return dir, nil
	}
	fmt.Fprintf(b.Log, "building %s (kept in %s)\n", name, dir)
	unfinished := filepath.Join(root, "."+name+".unfinished")
	if err := os.RemoveAll(unfinished); err != nil {
		return "", fmt.Errorf("cannot remove an unfinished build: %w", err)
	}
	if err := os.MkdirAll(unfinished, 0o755); err != nil {
		return "", fmt.Errorf("cannot make the cache: %w", err)
	}
	if err := fill(unfinished); err != nil {
		return "", fmt.Errorf("cannot build %s: %w", name, err)
	}
	if err := os.Rename(unfinished, dir); err != nil {
		return "", fmt.Errorf("cannot keep what was built: %w", err)
	}
	return dir, nil
}

func lock(file string) (unlock func(), err error) {
	f, err := os.OpenFile(file, os.O_CREATE|os.O_RDWR, 0o644)
	if err != nil {
		return nil, fmt.Errorf("cannot lock the cache: %w", err)
	}
	if err := unix.Flock(int(f.Fd()), unix.LOCK_EX); err != nil {
		return nil, errors.Join(fmt.Errorf("cannot lock %s: %w", file, err), f.Close())
	}
	return func() { _ = f.Close() }, nil
}

// compile runs go build, always with the same flags: with others the compiler
// would do all of its work again.
func (b *Builder) compile(ctx context.Context, dir string, args ...string) error {
	cmd := exec.CommandContext(ctx, "go", append([]string{"build", "-mod=readonly", "-trimpath"}, args...)...)
	cmd.Dir, cmd.Stdout, cmd.Stderr = dir, b.Log, b.Log
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "GOOS=linux", "GOWORK=off", "PWD="+dir)
	return cmd.Run()
}

// key hashes the compiler's version, any strings, and the files of a directory
// that a build depends on.
func key(dir string, extra ...string) (string, error) { return keyOf(dir, isSource, extra...) }

// keyOf is a key of those files of a directory that count.
func keyOf(dir string, counts func(path string) bool, extra ...string) (string, error) {
	h := sha256.New()
	fmt.Fprintln(h, runtime.Version(), runtime.GOARCH, strings.Join(extra, "\n"))
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || !counts(path) {
			return err
		}
		content, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		fmt.Fprintf(h, "%s %d\n%s", strings.TrimPrefix(path, dir), len(content), content)
		return nil
	})
	if err != nil {
		return "", fmt.Errorf("cannot read the sources in %s: %w", dir, err)
	}
	return hex.EncodeToString(h.Sum(nil))[:12], nil
}

func isSource(path string) bool {
	switch filepath.Base(path) {
	case "go.mod", "go.sum":
		return true
	}
	return filepath.Ext(path) == ".go" && !strings.HasSuffix(path, "_test.go")
}

func isNoTest(path string) bool { return !strings.HasSuffix(path, "_test.go") }

func isDir(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.IsDir()
}
