package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"

	"github.com/meteor-zone/meteor-operator/internal/build"
	"github.com/meteor-zone/meteor-operator/internal/failure"
	"github.com/meteor-zone/meteor-operator/internal/layer"
	"github.com/meteor-zone/meteor-operator/internal/python"
)

// pipFlags are what resolving and installing have in common. Both run in the base image and are not trusted.
type pipFlags struct {
	python, work, lock *string
	index              python.Index
}

func (e *env) pip() *pipFlags {
	f := &pipFlags{
		python: e.flags.String("python", "python3", "the base image's Python"),
		work:   e.flags.String("work", os.TempDir(), "folder for reports and logs, outside the image"),
		lock:   e.flags.String("lock", "", "the lock"),
	}
	e.flags.StringVar(&f.index.URL, "index-url", "", "the package index; as the base image has it if empty")
	e.flags.StringVar(&f.index.CA, "index-ca", "", "file of certificates that the index may have")
	e.list(&f.index.ExtraURLs, "extra-index-url", "another index; can be repeated")
	e.list(&f.index.TrustedHosts, "trusted-host", "a host whose certificate is not checked; can be repeated")
	return f
}

// list declares a flag that can be repeated. Empty values, as unset params of a pipeline give them, are left out.
func (e *env) list(into *[]string, name, usage string) {
	e.flags.Func(name, usage, func(value string) error {
		if value != "" {
			*into = append(*into, value)
		}
		return nil
	})
}

func runResolve(ctx context.Context, e *env) error {
	e.resultsFlag()
	f := e.pip()
	requirements := e.flags.String("requirements", "", "the file of requirements")
	if err := e.parse(); err != nil {
		return err
	}
	report, log := filepath.Join(*f.work, "report.json"), filepath.Join(*f.work, "resolve.log")
	cmd := exec.CommandContext(ctx, *f.python, python.ResolveArgs(*requirements, report, log, f.index)...)
	cmd.Env = append(os.Environ(), python.Env(false)...)
	cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr
	if err := cmd.Run(); err != nil {
		return explain(err, log)
	}
	file, err := openPlain(report)
	if err != nil {
		return fmt.Errorf("cannot open pip's report: %w", err)
	}
	lock, err := python.ParseReport(file)
	if err = errors.Join(err, file.Close()); err != nil {
		return err
	}
	if err := os.WriteFile(*f.lock, lock.Requirements(), 0o644); err != nil {
		return fmt.Errorf("cannot write lock: %w", err)
	}
	return nil
}

func runInstall(ctx context.Context, e *env) error {
	e.resultsFlag()
	f := e.pip()
	out := e.flags.String("layer", "", "the file that the layer is written to, outside the image")
	root := e.flags.String("root", "/", "the root of the image")
	if err := e.parse(); err != nil {
		return err
	}
	lock, err := readLock(*f.lock)
	if err != nil {
		return err
	}
	log := filepath.Join(*f.work, "install.log")
	report, err := build.Layer(ctx, build.Options{
		Commands: [][]string{append([]string{*f.python}, python.InstallArgs(*f.lock, log, f.index)...)},
		Env:      python.Env(lock.FromSource()),
		Output:   os.Stdout,
		Layer:    layer.Options{Root: *root},
		Out:      *out,
	})
	if err != nil {
		return explain(err, log)
	}
	return e.dir().WriteJSON("timings", report)
}

// explain says why pip failed, by its log if it came so far.
func explain(err error, log string) error {
	var refused *layer.RefusedError
	var exit *exec.ExitError
	switch {
	case errors.As(err, &refused):
		return failure.New(failure.UnsupportedFile, "%s", refused)
	case errors.Is(err, exec.ErrNotFound), errors.Is(err, os.ErrNotExist):
		return failure.New(failure.ImageInvalid, "The base image has no Python to install packages with: %s", err)
	case !errors.As(err, &exit):
		return err
	}
	f, openErr := openPlain(log)
	if openErr != nil {
		// pip writes its log from the start, so it was not pip that failed.
		return failure.New(failure.ImageInvalid, "The base image's Python has no pip, or pip does not start: %s", exit)
	}
	return errors.Join(python.Classify(f), f.Close())
}
