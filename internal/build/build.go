// Package build runs an installer in the image that it is to change, and packs what it changed. It runs in the
// untrusted step of a build: what it leaves is checked by whoever uses it.
package build

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"time"

	"github.com/meteor-zone/meteor-operator/internal/layer"
)

// Options say what to run and where the layer goes.
type Options struct {
	// Commands are run one after the other, until one fails.
	Commands [][]string
	// Env is added to the environment.
	Env []string
	// Dir is where the commands run.
	Dir string
	// Output takes what they print.
	Output io.Writer
	// Layer says what belongs to the file system. Mounts are found without being listed.
	Layer layer.Options
	// Out is the file that the layer is written to. It must not be part of the file system that is packed.
	Out string
}

// Report is how long the parts took, and what came of them.
type Report struct {
	layer.Summary
	// Files is how many files there were before.
	Files int `json:"files"`
	// Note, Run and Pack are how long each took, in seconds.
	Note float64 `json:"note"`
	Run  float64 `json:"run"`
	Pack float64 `json:"pack"`
}

// Layer notes the file system, runs the commands and packs what they changed. A command that fails gives an
// *exec.ExitError. No process that they started is left when the file system is packed.
func Layer(ctx context.Context, o Options) (*Report, error) {
	mounts, err := layer.Mounts(o.Layer.Root)
	if err != nil {
		return nil, err
	}
	o.Layer.Mounts = append(mounts, o.Layer.Mounts...)
	report, clock := &Report{}, stopwatch(time.Now())
	before, err := layer.Note(o.Layer)
	if err != nil {
		return nil, err
	}
	report.Files, report.Note = before.Entries, clock.lap()
	if err := Run(ctx, o); err != nil {
		return nil, err
	}
	report.Run = clock.lap()
	if report.Summary, err = pack(o, before); err != nil {
		return nil, err
	}
	report.Pack = clock.lap()
	return report, nil
}

// Run runs the commands, and nothing more. No process that they started is left.
func Run(ctx context.Context, o Options) error {
	if err := adopt(); err != nil {
		return err
	}
	for _, command := range o.Commands {
		if err := errors.Join(run(ctx, o, command), reap()); err != nil {
			return err
		}
	}
	return nil
}

func run(ctx context.Context, o Options, command []string) error {
	cmd := exec.CommandContext(ctx, command[0], command[1:]...)
	cmd.Env, cmd.Dir = append(os.Environ(), o.Env...), o.Dir
	cmd.Stdout, cmd.Stderr = o.Output, o.Output
	// A process that was left behind may hold the output open.
	cmd.WaitDelay = time.Second
	if err := cmd.Run(); err != nil && !errors.Is(err, exec.ErrWaitDelay) {
		return fmt.Errorf("cannot run %q: %w", command[0], err)
	}
	return nil
}

func pack(o Options, before *layer.Tree) (layer.Summary, error) {
	f, err := os.OpenFile(o.Out, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o644)
	if err != nil {
		return layer.Summary{}, fmt.Errorf("cannot create layer: %w", err)
	}
	w := layer.NewHoleWriter(f)
	summary, err := layer.Pack(w, o.Layer, before)
	return summary, errors.Join(err, w.Close())
}

type stopwatch time.Time

// lap returns the seconds since the last time.
func (s *stopwatch) lap() float64 {
	now := time.Now()
	took := now.Sub(time.Time(*s)).Milliseconds()
	*s = stopwatch(now)
	return float64(took) / 1000
}
