package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/meteor-zone/meteor-operator/internal/probe"
	"github.com/meteor-zone/meteor-operator/internal/results"
	"github.com/meteor-zone/meteor-operator/internal/validate"
)

// doomedTimeout is how long a notebook may take whose image has failed already: its answer is told beside the
// rest, and nobody should wait long for it.
const doomedTimeout = 5 * time.Second

func runProbe(ctx context.Context, e *env) error {
	opts := probe.DefaultOptions()
	e.resultsFlag()
	e.flags.StringVar(&opts.Base, "base", opts.Base, "scheme, host and port of the notebook")
	e.flags.StringVar(&opts.Prefix, "prefix", "", "what the notebook serves under ($NB_PREFIX)")
	e.flags.DurationVar(&opts.Timeout, "startup-timeout", opts.Timeout, "how long the notebook may take to answer")
	minimum := e.flags.String("minimum-python", "", "oldest Python that will do; empty for any")
	warnings := e.flags.String("warnings", "", "comma-separated checks that only warn")
	answer := e.flags.String("answer", "", "file in which placing noted the notebook's first answer")
	if err := e.parse(); err != nil {
		return err
	}
	policy, err := newPolicy(opts, *minimum, *warnings)
	if err != nil {
		return &usageError{err}
	}
	if *answer != "" {
		if opts.Before, err = fileAt(*answer).read(); err != nil {
			return err
		}
	}
	return judge(ctx, e.dir(), policy, opts)
}

func newPolicy(opts probe.Options, minimum, warnings string) (*validate.Policy, error) {
	switch {
	case opts.Prefix != "" && !strings.HasPrefix(opts.Prefix, "/"), strings.HasSuffix(opts.Prefix, "/"):
		return nil, fmt.Errorf("--prefix %q has to start with a slash and end without one", opts.Prefix)
	case opts.Timeout <= 0:
		return nil, errors.New("--startup-timeout has to be positive")
	case minimum != "" && !validate.ValidVersion(minimum):
		return nil, fmt.Errorf("--minimum-python %q is not a version", minimum)
	}
	checks, err := validate.ParseWarnings(warnings)
	return &validate.Policy{MinimumPython: minimum, Warnings: checks, Prefix: opts.Prefix, StartupTimeout: opts.Timeout}, err
}

// judge gathers both looks, leaves the results and returns the failure that they amount to.
func judge(ctx context.Context, out results.Dir, policy *validate.Policy, opts probe.Options) error {
	look, why := readLook(out)
	findings := policy.Inside(look, why)
	if validate.Failure(findings) != nil {
		opts.Timeout = min(opts.Timeout, doomedTimeout)
	}
	seen, err := probe.Run(ctx, opts)
	if err != nil {
		return fmt.Errorf("cannot go on probing: %w", err)
	}
	findings = append(findings, policy.Outside(seen)...)
	// What the look left goes: this step's last words have no room for it a second time, and it has been read.
	if err := errors.Join(out.Remove("look"), out.WriteJSON("checks", nonNil(findings)), out.WriteJSON("probe", seen)); err != nil {
		return err
	}
	if failed := validate.Failure(findings); failed != nil {
		return failed
	}
	return nil
}

// readLook returns what the step in the image left, or why that cannot be used.
func readLook(out results.Dir) (*validate.Look, string) {
	data, err := out.Read("look", validate.MaxLookBytes)
	if errors.Is(err, results.ErrMissing) {
		return nil, "the step that runs in the image left no result"
	}
	if err != nil {
		return nil, err.Error()
	}
	look, err := validate.ParseLook(data)
	if err != nil {
		return nil, err.Error()
	}
	return look, ""
}

// nonNil makes no findings an empty list instead of null.
func nonNil(findings []validate.Finding) []validate.Finding {
	if findings == nil {
		return []validate.Finding{}
	}
	return findings
}
