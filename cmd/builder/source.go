package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/meteor-zone/meteor-operator/internal/build"
	"github.com/meteor-zone/meteor-operator/internal/failure"
	"github.com/meteor-zone/meteor-operator/internal/layer"
	"github.com/meteor-zone/meteor-operator/internal/place"
	"github.com/meteor-zone/meteor-operator/internal/python"
	"github.com/meteor-zone/meteor-operator/internal/repository"
	"github.com/meteor-zone/meteor-operator/internal/results"
)

const maxFailure = 8 << 10

// runSource is the first step of a build from a repository. What it writes, later steps can only read.
func runSource(ctx context.Context, e *env) error {
	e.resultsFlag()
	f := e.git()
	to := e.flags.String("to", "", "path of the copy of this program")
	dir := e.flags.String("source", "", "empty folder for the repository and what is wanted of it")
	commit := e.flags.String("commit", "", "the commit that the reference stood for")
	encoded := e.flags.String("plan", "", "the plan that was made for it")
	index := e.flags.String("index-url", "", "the package index that is set up")
	var extra []string
	e.array(&extra, "extra-index-urls", "other indexes that are")
	if err := e.parse(); err != nil {
		return err
	}
	if *to == "" || *dir == "" || *commit == "" {
		return &usageError{errors.New("--to, --source or --commit is missing")}
	}
	plan, err := repository.ParsePlan(*encoded)
	if err != nil {
		return &usageError{fmt.Errorf("cannot read plan: %w", err)}
	}
	got, found, err := f.clone(ctx, *commit, *dir)
	if err != nil {
		return err
	}
	defer found.Close()
	wishes := &repository.Wishes{}
	if !plan.S2I {
		if wishes, err = found.Wishes(); err == nil {
			err = wishes.CheckIndexes(append(extra, *index)...)
		}
		if err != nil {
			return err
		}
	}
	request := &repository.Request{
		Name: repository.NameOf(*f.url), URL: *f.url, Commit: got.Commit, Plan: plan, Wishes: wishes, PostBuild: found.PostBuild,
	}
	if err := request.Save(*dir); err != nil {
		return err
	}
	return place.Self(*to)
}

// runResolveRepository is runResolve for a repository.
func runResolveRepository(ctx context.Context, e *env) error {
	e.resultsFlag()
	e.kept = []string{}
	i := e.installer()
	dir := e.flags.String("source", "", "the folder of the request")
	if err := e.parse(); err != nil {
		return err
	}
	request, err := repository.Load(*dir)
	if err != nil {
		return err
	}
	if err := i.setUp(ctx); err != nil {
		return err
	}
	if conda := request.Wishes.Conda; conda != "" {
		if _, err := repository.FindConda(conda); err != nil {
			return err
		}
	}
	files, err := i.requirementFiles(request, *dir)
	if err != nil {
		return err
	}
	if len(files) == 0 {
		if err := os.WriteFile(*i.lock, nil, 0o644); err != nil {
			return fmt.Errorf("cannot write lock: %w", err)
		}
		return nil
	}
	return i.resolve(ctx, files)
}

// requirementFiles are what is resolved: packages of the index, and projects of the repository for the sake of what
// they need. Where every file has to have a hash, projects cannot be among them; their lock is complete without.
func (i *installer) requirementFiles(request *repository.Request, dir string) ([]string, error) {
	var files []string
	w := request.Wishes
	if len(w.Requirements) > 0 {
		files = append(files, filepath.Join(dir, "requirements.txt"))
	}
	if len(w.Locals) == 0 || w.Hashed {
		return files, nil
	}
	i.index.Local = repository.Local(*i.work)
	if err := repository.CopyFresh(repository.Content(dir), i.index.Local); err != nil {
		return nil, err
	}
	var list strings.Builder
	for _, local := range w.Locals {
		list.WriteString(repository.LocalPath(*i.work, local) + "\n")
	}
	locals := i.path("locals.txt")
	if err := os.WriteFile(locals, []byte(list.String()), 0o644); err != nil {
		return nil, fmt.Errorf("cannot write requirements: %w", err)
	}
	return append(files, locals), nil
}

// runInstallRepository notes the file system, lets another process of this program do everything that the
// repository wants, and packs what that changed.
func runInstallRepository(ctx context.Context, e *env) error {
	e.resultsFlag()
	e.kept = []string{timings}
	i := e.installer()
	dir := e.flags.String("source", "", "the folder of the request")
	out := e.flags.String("layer", "", "the file that the layer is written to, outside the image")
	root := e.flags.String("root", "/", "the root of the image")
	if err := e.parse(); err != nil {
		return err
	}
	self, err := os.Executable()
	if err != nil {
		return fmt.Errorf("cannot find this program: %w", err)
	}
	request, err := repository.Load(*dir)
	if err != nil {
		return err
	}
	lock, err := readLock(*i.lock)
	if err != nil {
		return err
	}
	home := os.Getenv("HOME")
	if err := i.setUp(ctx); err != nil {
		return err
	}
	done := i.path("assembled")
	if err := errors.Join(os.RemoveAll(done), os.Mkdir(done, 0o755)); err != nil {
		return fmt.Errorf("cannot make folder: %w", err)
	}
	command := append([]string{self, "assemble"}, e.args...)
	report, err := build.Layer(ctx, build.Options{
		Commands: [][]string{append(command, "--results="+done, "--home="+home)},
		Env:      i.environment(lock.FromSource() || len(request.Wishes.Locals) > 0), Output: os.Stdout,
		Layer: layer.Options{Root: *root}, Out: *out,
	})
	if err != nil {
		return assembled(results.Dir(done), err)
	}
	return e.dir().WriteJSON(timings, report)
}

// assembled says why the other process failed, in its own words if it left some.
func assembled(left results.Dir, err error) error {
	var refused *layer.RefusedError
	var exit *exec.ExitError
	switch {
	case errors.As(err, &refused):
		return failure.New(failure.UnsupportedFile, "%s", refused)
	case !errors.As(err, &exit):
		return err
	}
	if data, readErr := left.Read("failure", maxFailure); readErr == nil {
		if f, parseErr := failure.Parse(data); parseErr == nil {
			return f
		}
	}
	if killed(exit) {
		return failure.New(failure.BuildFailed, "The build was killed, which happens when all memory of the build is used up")
	}
	return err
}

// runAssemble changes the image that it runs in to what a repository wants.
func runAssemble(ctx context.Context, e *env) error {
	e.resultsFlag()
	i := e.installer()
	dir := e.flags.String("source", "", "the folder of the request")
	home := e.flags.String("home", "", "the image's own home folder")
	e.flags.String("layer", "", "not used: this takes the flags of install-repository too")
	e.flags.String("root", "/", "not used")
	if err := e.parse(); err != nil {
		return err
	}
	request, err := repository.Load(*dir)
	if err != nil {
		return err
	}
	if err := i.setUp(ctx); err != nil {
		return err
	}
	a := &repository.Assembler{
		Request: request, Dir: *dir, Work: *i.work, Python: *i.python, Index: i.index, Home: *home, Output: os.Stdout,
		InstallLog: i.path("install.log"), LocalLog: i.path("local.log"),
		Classify: func(r io.Reader) *failure.Failure { return python.Classify(r, i.index) },
	}
	a.Install = append([]string{*i.python}, python.InstallArgs(*i.lock, a.InstallLog, i.index)...)
	a.InstallLocal = append([]string{*i.python}, python.LocalArgs(a.LocalLog, i.index)...)
	a.Compile = append([]string{*i.python}, python.CompileArgs(*i.lock)...)
	if i.uv != "" {
		a.Install = append([]string{i.uv}, python.UVInstallArgs(*i.python, *i.lock, i.index)...)
		a.InstallLocal = append([]string{i.uv}, python.UVLocalArgs(*i.python, i.index)...)
		a.InstallLog, a.LocalLog = "", ""
		a.Classify = func(r io.Reader) *failure.Failure { return python.ClassifyUV(r, i.index) }
	}
	lock, err := readLock(*i.lock)
	if err != nil {
		return err
	}
	if len(lock.Packages) > 0 {
		a.Lock = *i.lock
	}
	return a.Run(ctx)
}
