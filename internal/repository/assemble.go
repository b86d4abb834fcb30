package repository

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"

	"github.com/meteor-zone/meteor-operator/internal/failure"
	"github.com/meteor-zone/meteor-operator/internal/python"
	"github.com/meteor-zone/meteor-operator/internal/text"
)

// s2iSource is where source-to-image's programs look for what they build from.
const s2iSource = "/tmp/src"

// Assembler changes the image that it runs in to what a request wants. It is not trusted: what it runs is the
// repository's and its packages' own.
type Assembler struct {
	// Request is what is wanted, Dir the folder that it was loaded from.
	Request *Request
	Dir     string
	// Work is a folder for what is not part of the image.
	Work string
	// Python is the base image's.
	Python string
	// Index is where packages come from.
	Index python.Index
	// Lock is the file of what is installed first; empty if there is nothing.
	Lock string
	// Install is the command that installs it, Compile the one that makes its byte code, and InstallLocal the one that
	// installs a path, which is added to it.
	Install, Compile, InstallLocal []string
	// InstallLog and LocalLog are where pip writes what it does; without them its output tells.
	InstallLog, LocalLog string
	// Classify says why an installer failed, from its log or output.
	Classify func(io.Reader) *failure.Failure
	// Home is the image's own home folder.
	Home string
	// Output takes what the programs print.
	Output io.Writer
}

// Local is where a copy of the content is that may be written to, for projects that are built in it.
func Local(work string) string { return filepath.Join(work, "source") }

// Run does everything, in this order: locked packages, projects of the repository, conda's environment or s2i's own
// program, the content, and last what the repository wants to be run.
func (a *Assembler) Run(ctx context.Context) error {
	for _, step := range []func(context.Context) error{a.installLock, a.installLocals, a.installConda, a.runS2I} {
		if err := step(ctx); err != nil {
			return err
		}
	}
	p, err := findPlaces(ctx, a.Python)
	if err != nil {
		return err
	}
	content, err := p.putContent(Content(a.Dir), a.Request.Name)
	if err != nil {
		return err
	}
	if err := p.putExtension(content); err != nil {
		return err
	}
	return a.runPostBuild(ctx, content)
}

func (a *Assembler) installLock(ctx context.Context) error {
	if a.Lock == "" {
		return nil
	}
	if err := a.pip(ctx, a.InstallLog, a.Install); err != nil {
		return err
	}
	said, err := a.run(ctx, "", nil, a.Compile)
	return a.explain("Compiling the packages", said, err)
}

// installLocals builds projects in a copy, since building leaves files behind.
func (a *Assembler) installLocals(ctx context.Context) error {
	if len(a.Request.Wishes.Locals) == 0 || a.Request.Plan.S2I {
		return nil
	}
	if err := CopyFresh(Content(a.Dir), Local(a.Work)); err != nil {
		return err
	}
	for _, local := range a.Request.Wishes.Locals {
		if err := a.pip(ctx, a.LocalLog, append(a.InstallLocal[:len(a.InstallLocal):len(a.InstallLocal)], LocalPath(a.Work, local))); err != nil {
			return err
		}
	}
	return nil
}

// CopyFresh copies into a folder that is emptied first.
func CopyFresh(from, to string) error {
	if err := os.RemoveAll(to); err != nil {
		return fmt.Errorf("cannot copy repository: %w", err)
	}
	return Copy(from, to)
}

// LocalPath is the path of a project in the copy, as an installer takes it.
func LocalPath(work, local string) string {
	p, extras, has := strings.Cut(local, "[")
	p = filepath.Join(Local(work), p)
	if has {
		return p + "[" + extras
	}
	return p
}

// pip runs an installer and says why it failed.
func (a *Assembler) pip(ctx context.Context, log string, command []string) error {
	said, err := a.run(ctx, "", nil, command)
	var exit *exec.ExitError
	if err == nil || !errors.As(err, &exit) {
		return err
	}
	if killed(exit) {
		return failure.New(failure.BuildFailed, "The installer was killed, which happens when all memory of the build is used up")
	}
	if log == "" {
		return a.Classify(bytes.NewReader(said.data))
	}
	f, openErr := os.OpenFile(log, os.O_RDONLY|syscall.O_NOFOLLOW|syscall.O_NONBLOCK, 0)
	if openErr != nil {
		return failure.New(failure.ImageInvalid, "The base image's Python has no pip, or pip does not start: %s", exit)
	}
	defer f.Close()
	return a.Classify(f)
}

// CondaPrograms are those that can make an environment, the first that is there is used.
var CondaPrograms = []string{"mamba", "micromamba", "conda"}

// FindConda looks on the path and where images keep it.
func FindConda(file string) (string, error) {
	for _, name := range CondaPrograms {
		if found, err := exec.LookPath(name); err == nil {
			return found, nil
		}
		for _, dir := range []string{"/opt/conda/bin", "/opt/conda/condabin", "/opt/mambaforge/bin", "/opt/miniforge3/bin"} {
			if found, err := exec.LookPath(filepath.Join(dir, name)); err == nil {
				return found, nil
			}
		}
	}
	return "", unsupported("%q needs conda or mamba, which the base image does not have: use one that has it, or a requirements.txt", shown(file))
}

func (a *Assembler) installConda(ctx context.Context) error {
	file := a.Request.Wishes.Conda
	if file == "" || a.Request.Plan.S2I {
		return nil
	}
	conda, err := FindConda(file)
	if err != nil {
		return err
	}
	p, err := findPlaces(ctx, a.Python)
	if err != nil {
		return err
	}
	env := append(a.indexes(), "CONDA_PKGS_DIRS="+filepath.Join(a.Work, "conda"), "CI=1", "MAMBA_NO_BANNER=1")
	command := []string{conda, "env", "update", "--prefix", p.Prefix, "--file", filepath.Join(Content(a.Dir), file)}
	if filepath.Base(conda) == "micromamba" {
		command = []string{conda, "install", "--yes", "--prefix", p.Prefix, "--file", filepath.Join(Content(a.Dir), file)}
	}
	said, err := a.run(ctx, Content(a.Dir), env, command)
	return a.explain(fmt.Sprintf("Installing %q", shown(file)), said, err)
}

// indexes tell programs that start an installer themselves where packages come from.
func (a *Assembler) indexes() []string {
	if a.Index.URL == "" {
		return nil
	}
	return a.Index.Environment()
}

// runS2I runs the base image's own program, where source-to-image would run it.
func (a *Assembler) runS2I(ctx context.Context) error {
	if !a.Request.Plan.S2I {
		return nil
	}
	if err := CopyFresh(Content(a.Dir), s2iSource); err != nil {
		return err
	}
	assemble := filepath.Join(a.Request.Plan.Scripts, "assemble")
	if _, err := exec.LookPath(assemble); err != nil {
		return failure.New(failure.ImageInvalid, "The base image says that it builds with %q, and does not have that", text.Line(assemble, 200))
	}
	env := append(a.indexes(), "HOME="+a.Home)
	said, err := a.run(ctx, "", env, []string{assemble})
	return a.explain("The base image's assemble", said, err)
}

func (a *Assembler) runPostBuild(ctx context.Context, content string) error {
	if !a.Request.PostBuild {
		return nil
	}
	env := append(a.indexes(), "HOME="+a.Home, "REPO_DIR="+content)
	said, err := a.run(ctx, content, env, []string{filepath.Join(content, postBuild)})
	if errors.Is(err, syscall.ENOEXEC) {
		return unsupported("%q cannot be run: it needs a first line that names an interpreter, such as #!/bin/sh", postBuild)
	}
	if errors.Is(err, os.ErrNotExist) {
		return unsupported("%q cannot be run: the base image does not have the interpreter that its first line names", postBuild)
	}
	return a.explain("The repository's "+postBuild, said, err)
}

// explain makes a failure of a program that ended badly, with its last lines.
func (a *Assembler) explain(what string, said *tail, err error) error {
	var exit *exec.ExitError
	switch {
	case err == nil:
		return nil
	case !errors.As(err, &exit):
		return failure.New(failure.BuildFailed, "%s could not be run: %s", what, err)
	case killed(exit):
		return failure.New(failure.BuildFailed, "%s was killed, which happens when all memory of the build is used up", what)
	}
	last := a.Index.Original(python.Redact(said.last(8)))
	if last == "" {
		last = "it printed nothing"
	}
	return failure.New(failure.BuildFailed, "%s ended with exit code %d: %s", what, exit.ExitCode(), last)
}

func killed(exit *exec.ExitError) bool {
	status, ok := exit.Sys().(syscall.WaitStatus)
	return ok && status.Signaled() && status.Signal() == syscall.SIGKILL
}

func (a *Assembler) run(ctx context.Context, dir string, env, command []string) (*tail, error) {
	said := &tail{}
	cmd := exec.CommandContext(ctx, command[0], command[1:]...)
	cmd.Dir, cmd.Env = dir, append(os.Environ(), env...)
	out := io.MultiWriter(a.Output, said)
	cmd.Stdout, cmd.Stderr = out, out
	// What it left behind may hold the output open, and is ended by whoever started this.
	cmd.WaitDelay = outputDelay
	if err := cmd.Run(); err != nil && !errors.Is(err, exec.ErrWaitDelay) {
		return said, fmt.Errorf("cannot run %q: %w", command[0], err)
	}
	return said, nil
}
