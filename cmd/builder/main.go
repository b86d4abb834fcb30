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

	"github.com/meteor-zone/meteor-operator/internal/failure"
	"github.com/meteor-zone/meteor-operator/internal/results"
)

const (
	exitFailed = 1
	exitUsage  = 2
)

// env is what a subcommand gets from around it.
type env struct {
	flags          *flag.FlagSet
	args           []string
	stdout, stderr io.Writer
}

type command struct {
	summary string
	run     func(ctx context.Context, e *env) error
}

var commands = map[string]command{
	"inspect": {"ask the registry about an image", runInspect},
	"place":   {"copy this program to where other steps can run it", runPlace},
	"look":    {"look at the image that this runs in, from inside", runLook},
	"probe":   {"look at the notebook beside this, from outside, and judge it", runProbe},
}

// order is how the commands are listed: as a pipeline runs them.
var order = []string{"inspect", "place", "look", "probe"}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	code := run(ctx, os.Args[1:], os.Stdout, os.Stderr)
	stop()
	os.Exit(code)
}

func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	if len(args) == 0 {
		usage(stderr)
		return exitUsage
	}
	cmd, ok := commands[args[0]]
	if !ok {
		usage(stderr)
		return exitUsage
	}
	flags := flag.NewFlagSet(args[0], flag.ContinueOnError)
	flags.SetOutput(stderr)
	err := cmd.run(ctx, &env{flags: flags, args: args[1:], stdout: stdout, stderr: stderr})
	var bad *usageError
	switch {
	case err == nil, errors.Is(err, flag.ErrHelp):
		return 0
	case errors.As(err, &bad):
		fmt.Fprintf(stderr, "builder %s: %s\n", args[0], bad)
		return exitUsage
	}
	fmt.Fprintf(stderr, "builder %s: %s\n", args[0], failure.From(err))
	return exitFailed
}

func usage(w io.Writer) {
	fmt.Fprintln(w, "Usage: builder COMMAND [FLAGS]")
	for _, name := range order {
		fmt.Fprintf(w, "  %-8s %s\n", name, commands[name].summary)
	}
}

// usageError is a mistake in the arguments.
type usageError struct{ error }

// parse reads the flags, which are all that there may be.
func (e *env) parse() error {
	if err := e.flags.Parse(e.args); err != nil {
		if errors.Is(err, flag.ErrHelp) {
			return err
		}
		return &usageError{err}
	}
	if e.flags.NArg() > 0 {
		return &usageError{fmt.Errorf("unexpected argument %q", e.flags.Arg(0))}
	}
	return nil
}

func (e *env) resultsFlag() *string {
	return e.flags.String("results", "/tekton/results", "folder that results are written to")
}

// report leaves a failure as a result too. It returns the error to end with.
func report(dir results.Dir, err error) error {
	if err == nil {
		return dir.Remove("failure")
	}
	return errors.Join(err, dir.WriteJSON("failure", failure.From(err)))
}
