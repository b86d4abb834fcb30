// Command builder is what all steps of the pipelines run. It takes arguments and files and nothing else, talks to
// no Kubernetes API, and leaves what it found as Tekton results. One of its subcommands runs inside users' images,
// so it is static, small and needs nothing around it.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/meteor-zone/meteor-operator/internal/failure"
	"github.com/meteor-zone/meteor-operator/internal/results"
)

const (
	exitFailed = 1
	exitUsage  = 2
)

// env is what a subcommand gets from around it.
type env struct {
	flags *flag.FlagSet
	args  []string
	// rest are the arguments after a double dash, if the command takes any.
	rest []string
	// lists are the flags that take all arguments up to the next flag.
	lists map[string]*[]string
	// results is where results go; nil for a command that leaves none.
	results *string
	// kept are the results that the command leaves, all others are taken away; nil if it does not know.
	kept []string
}

type command struct {
	summary string
	run     func(ctx context.Context, e *env) error
}

var commands = map[string]command{
	"inspect":            {"ask the registry about an image", runInspect},
	"place":              {"copy this program to where other steps can run it", runPlace},
	"look":               {"look at the image that this runs in, from inside", runLook},
	"probe":              {"look at the notebook beside this, from outside, and judge it", runProbe},
	"prepare":            {"place this program, and write down which packages are asked for", runPrepare},
	"forward":            {"ask a package index that wants credentials, for those who must not see them", runForward},
	"fetch":              {"find out what a repository wants to be, and what it is built on", runFetch},
	"source":             {"place this program, and get a repository for the steps that build from it", runSource},
	"resolve":            {"find the versions of packages in the base image that this runs in, and lock them", runResolve},
	"install":            {"install a lock in the base image that this runs in, and pack what that changed", runInstall},
	"resolve-repository": {"resolve what a repository wants in the base image", runResolveRepository},
	"install-repository": {"install what a repository wants in the base image, and pack what that changed", runInstallRepository},
	"assemble":           {"what install-repository runs", runAssemble},
	"push":               {"append the layer of a build to its base image, and push the result", runPush},

	"containerfile-prepare": {"fetch a repository and the images that its Containerfile needs", runContainerfilePrepare},
	"containerfile-build":   {"build the Containerfile with the buildah that this runs beside", runContainerfileBuild},
	"containerfile-push":    {"check what the build left, and push it", runContainerfilePush},

	"find-commit":  {"tell what a branch or tag of a repository stands for", runFindCommit},
	"book-prepare": {"place this program, and get a repository for the step that makes a book of it", runBookPrepare},
	"book-build":   {"make a site of a repository's book with the tools of the image that this runs in", runBookBuild},
	"book-push":    {"check the site that a build left, and push it on top of the image that serves it", runBookPush},
	"serve":        {"serve a site", runServe},
}

// order is how the commands are listed: as a pipeline runs them.
var order = []string{"inspect", "place", "fetch", "prepare", "source", "forward", "resolve", "install", "resolve-repository", "install-repository", "assemble", "push", "containerfile-prepare", "containerfile-build", "containerfile-push", "look", "probe", "find-commit", "book-prepare", "book-build", "book-push", "serve"}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	code := run(ctx, os.Args[1:], os.Stderr)
	stop()
	os.Exit(code)
}

func run(ctx context.Context, args []string, stderr io.Writer) int {
	if len(args) == 0 {
		usage(stderr)
		return exitUsage
	}
	cmd, ok := commands[args[0]]
	if !ok {
		usage(stderr)
		return exitUsage
	}
	e := &env{flags: flag.NewFlagSet(args[0], flag.ContinueOnError), args: args[1:]}
	e.flags.SetOutput(stderr)
	start := time.Now()
	err := cmd.run(ctx, e)
	if errors.Is(err, flag.ErrHelp) {
		return 0
	}
	err = e.leave(err)
	fmt.Fprintf(stderr, "builder %s: %s\n", args[0], used(time.Since(start)))
	if err == nil {
		return 0
	}
	fmt.Fprintf(stderr, "builder %s: %s\n", args[0], failure.From(err))
	var bad *usageError
	if errors.As(err, &bad) {
		return exitUsage
	}
	return exitFailed
}

// artifacts is another folder that Tekton shares among a pod's steps. No step of ours leaves anything there.
const artifacts = "/tekton/artifacts"

func usage(w io.Writer) {
	fmt.Fprintln(w, "Usage: builder COMMAND [FLAGS]")
	for _, name := range order {
		fmt.Fprintf(w, "  %-21s %s\n", name, commands[name].summary)
	}
}

// usageError is a mistake in the arguments.
type usageError struct{ error }

// resultsFlag declares that the command leaves results.
func (e *env) resultsFlag() {
	e.results = e.flags.String("results", "/tekton/results", "folder that results are written to")
}

// dir is where the command's results go.
func (e *env) dir() results.Dir {
	return results.Dir(*e.results)
}

// leave makes a failure a result too, and takes away one that is none of ours. It returns what to end with.
func (e *env) leave(err error) error {
	if e.results == nil {
		return err
	}
	if e.kept != nil {
		// Tekton reads both folders when the step has ended; what somebody left there could hold it up.
		err = errors.Join(err, e.dir().Sweep(e.kept...), results.Dir(artifacts).Sweep())
	}
	if err == nil {
		return e.dir().Remove("failure")
	}
	return errors.Join(err, e.dir().WriteJSON("failure", failure.From(err)))
}
