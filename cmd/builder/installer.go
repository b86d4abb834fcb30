package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"

	"github.com/meteor-zone/meteor-operator/internal/build"
	"github.com/meteor-zone/meteor-operator/internal/failure"
	"github.com/meteor-zone/meteor-operator/internal/layer"
	"github.com/meteor-zone/meteor-operator/internal/python"
	"github.com/meteor-zone/meteor-operator/internal/text"
)

// installer is what resolving and installing have in common: pip, or uv where the base image has no pip. Both steps
// run in the base image and are not trusted.
type installer struct {
	python, work, lock *string
	cas                []string
	index              python.Index
	uv                 string
	env                []string
}

func (e *env) installer() *installer {
	i := &installer{
		python: e.flags.String("python", "python3", "the base image's Python"),
		work:   e.flags.String("work", os.TempDir(), "folder for reports, logs and what is downloaded, outside the image"),
		lock:   e.flags.String("lock", "", "the lock"),
	}
	e.flags.StringVar(&i.index.URL, "index-url", "", "the package index; as the base image has it if empty")
	e.flags.StringVar(&i.index.Via, "index-via", "", "address of the forwarder that asks the indexes; empty for none")
	e.list(&i.cas, "index-ca", "file of certificates that the index may have, besides the public ones; may be absent; can be repeated")
	e.array(&i.index.ExtraURLs, "extra-index-urls", "other indexes")
	e.array(&i.index.TrustedHosts, "trusted-hosts", "hosts whose certificates are not checked")
	return i
}

// setUp finds out what the base image has, and makes the folders that the installer needs.
func (i *installer) setUp(ctx context.Context) error {
	if _, err := exec.LookPath(*i.python); err != nil {
		return failure.New(failure.ImageInvalid, "The base image has no Python to install packages with: %s", err)
	}
	if uv, err := exec.LookPath("uv"); err == nil && exec.CommandContext(ctx, *i.python, "-c", "import pip").Run() != nil {
		i.uv = uv
	}
	// The home folder is a place of its own: a notebook's volume would hide what lands in the real one.
	i.env = []string{"PIP_CACHE_DIR=" + i.path("cache"), "UV_CACHE_DIR=" + i.path("uv"), "TMPDIR=" + i.path("tmp"), "HOME=" + i.path("home")}
	for _, name := range []string{"cache", "uv", "tmp", "home"} {
		if err := os.MkdirAll(i.path(name), 0o755); err != nil {
			return fmt.Errorf("cannot make folder: %w", err)
		}
	}
	if i.index.URL != "" {
		// What the base image says of indexes is not what the admin says.
		i.env = append(i.env, "PIP_CONFIG_FILE="+os.DevNull)
	}
	if i.index.Via != "" {
		none := strings.Trim(os.Getenv("NO_PROXY")+",127.0.0.1,localhost", ",")
		i.env = append(i.env, "NO_PROXY="+none, "no_proxy="+none)
	}
	return i.trust(ctx)
}

func (i *installer) path(name string) string { return filepath.Join(*i.work, name) }

// bundles are where systems keep the certificate authorities that they trust.
var bundles = []string{
	"/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt", "/etc/ssl/ca-bundle.pem", "/etc/ssl/cert.pem",
}

// trust puts the admin's certificates and the base image's into one file, since installers take but one.
func (i *installer) trust(ctx context.Context) error {
	var all bytes.Buffer
	for _, file := range i.cas {
		data, err := os.ReadFile(file)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return fmt.Errorf("cannot read certificates: %w", err)
		}
		all.Write(append(data, '\n'))
	}
	if all.Len() == 0 {
		return nil
	}
	for _, file := range bundles {
		if data, err := os.ReadFile(file); err == nil {
			all.Write(data)
			break
		}
	}
	const own = "import sys, pip._vendor.certifi as c; sys.stdout.write(open(c.where()).read())"
	if data, err := exec.CommandContext(ctx, *i.python, "-c", own).Output(); err == nil {
		all.Write(data)
	}
	i.index.CA = i.path("ca.crt")
	if err := os.WriteFile(i.index.CA, all.Bytes(), 0o644); err != nil {
		return fmt.Errorf("cannot write certificates: %w", err)
	}
	i.env = append(i.env, "PIP_CERT="+i.index.CA)
	return nil
}

// resolve leaves a lock of what requirements come to.
func (i *installer) resolve(ctx context.Context, requirements []string) error {
	report, log := i.path("report.json"), i.path("resolve.log")
	command := append([]string{*i.python}, python.ResolveArgs(report, log, i.index, requirements...)...)
	if i.uv != "" {
		command = append([]string{i.uv}, python.UVResolveArgs(*i.python, i.path("uv.lock"), i.index, requirements...)...)
	}
	if err := i.run(ctx, log, func(out io.Writer) error {
		return build.Run(ctx, build.Options{Commands: [][]string{command}, Env: i.environment(false), Output: out})
	}); err != nil {
		return err
	}
	lock, err := i.readResolved(report)
	if err != nil {
		return err
	}
	if err := os.WriteFile(*i.lock, lock.Requirements(), 0o644); err != nil {
		return fmt.Errorf("cannot write lock: %w", err)
	}
	return nil
}

func (i *installer) readResolved(report string) (*python.Lock, error) {
	if i.uv != "" {
		return i.readCompiled(i.path("uv.lock"))
	}
	file, err := openPlain(report)
	if err != nil {
		return nil, fmt.Errorf("cannot open pip's report: %w", err)
	}
	lock, err := python.ParseReport(file, i.index)
	return lock, errors.Join(err, file.Close())
}

// readCompiled reads a lock that uv wrote.
func (i *installer) readCompiled(name string) (*python.Lock, error) {
	if i.index.Local != "" {
		f, err := openPlain(name)
		if err != nil {
			return nil, fmt.Errorf("cannot open lock: %w", err)
		}
		data, err := io.ReadAll(io.LimitReader(f, maxCompiled))
		if err = errors.Join(err, f.Close()); err != nil {
			return nil, fmt.Errorf("cannot read lock: %w", err)
		}
		if err := os.WriteFile(name, i.index.WithoutLocal(data), 0o644); err != nil {
			return nil, fmt.Errorf("cannot write lock: %w", err)
		}
	}
	return readLock(name)
}

// install installs the lock and packs what that changed.
func (i *installer) install(ctx context.Context, root, out string) (*build.Report, error) {
	lock, err := readLock(*i.lock)
	if err != nil {
		return nil, err
	}
	log := i.path("install.log")
	command := append([]string{*i.python}, python.InstallArgs(*i.lock, log, i.index)...)
	if i.uv != "" {
		command = append([]string{i.uv}, python.UVInstallArgs(*i.python, *i.lock, i.index)...)
	}
	options := build.Options{Env: i.environment(lock.FromSource()), Layer: layer.Options{Root: root}, Out: out}
	if len(lock.Packages) > 0 {
		options.Commands = [][]string{command, append([]string{*i.python}, python.CompileArgs(*i.lock)...)}
	}
	var report *build.Report
	err = i.run(ctx, log, func(output io.Writer) error {
		options.Output = output
		report, err = build.Layer(ctx, options)
		return err
	})
	return report, err
}

func (i *installer) environment(fromSource bool) []string {
	env := append(python.Env(fromSource), i.env...)
	if i.uv != "" {
		env = append(env, python.UVEnv(i.index)...)
	}
	return env
}

// run runs the installer and says why it failed, by its log if it came so far.
func (i *installer) run(ctx context.Context, log string, do func(out io.Writer) error) error {
	said := &tail{}
	err := do(io.MultiWriter(os.Stdout, said))
	var refused *layer.RefusedError
	var exit *exec.ExitError
	switch {
	case err == nil:
		return nil
	case ctx.Err() != nil:
		return failure.New(failure.BuildFailed, "The build was ended before it was done")
	case errors.As(err, &refused):
		return failure.New(failure.UnsupportedFile, "%s", refused)
	case errors.Is(err, exec.ErrNotFound), errors.Is(err, os.ErrNotExist):
		return failure.New(failure.ImageInvalid, "The base image has no Python to install packages with: %s", err)
	case !errors.As(err, &exit):
		return err
	case killed(exit):
		return failure.New(failure.BuildFailed, "The installer was killed, which happens when all memory of the build is used up")
	case i.uv != "":
		return python.ClassifyUV(bytes.NewReader(said.data), i.index)
	}
	f, openErr := openPlain(log)
	if openErr != nil {
		// pip writes its log from the start, so it was not pip that failed.
		return failure.New(failure.ImageInvalid, "The base image's Python has no pip, or pip does not start: %s", exit)
	}
	defer f.Close()
	failed := python.Classify(f, i.index)
	failed.Message = named(failed.Message)
	return failed
}

var lineOf = regexp.MustCompile(`-r (\S+) \(line (\d+)\)`)

// named puts what was asked for in the place of where that stands.
func named(message string) string {
	return lineOf.ReplaceAllStringFunc(message, func(where string) string {
		m := lineOf.FindStringSubmatch(where)
		data, err := os.ReadFile(m[1])
		n, _ := strconv.Atoi(m[2])
		lines := strings.Split(string(data), "\n")
		if err != nil || n < 1 || n > len(lines) {
			return where
		}
		return text.Line(lines[n-1], 100)
	})
}

func killed(exit *exec.ExitError) bool {
	status, ok := exit.Sys().(syscall.WaitStatus)
	return ok && status.Signaled() && status.Signal() == syscall.SIGKILL
}

// maxCompiled is more than a lock needs.
const maxCompiled = 16 << 20

// tail keeps the end of what was written to it.
type tail struct{ data []byte }

// Write implements io.Writer.
func (t *tail) Write(p []byte) (int, error) {
	const most = 64 << 10
	t.data = append(t.data, p...)
	if len(t.data) > 2*most {
		t.data = append(t.data[:0], t.data[len(t.data)-most:]...)
	}
	return len(p), nil
}
