package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"runtime"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"

	"github.com/meteor-zone/meteor-operator/internal/failure"
	"github.com/meteor-zone/meteor-operator/internal/git"
	"github.com/meteor-zone/meteor-operator/internal/inspect"
	"github.com/meteor-zone/meteor-operator/internal/repository"
)

// gitFlags say which commit of which repository, and how to get it.
type gitFlags struct {
	url, ref, secret, secretName, ca, scratch *string
	timeout                                   *time.Duration
}

func (e *env) git() *gitFlags {
	return &gitFlags{
		url:        e.flags.String("url", "", "the repository"),
		ref:        e.flags.String("ref", "", "branch, tag or commit; the default branch if empty"),
		secret:     e.flags.String("git-secret", "", "folder of a mounted Secret for the git server; may be absent or empty"),
		secretName: e.flags.String("git-secret-name", "", "name of that Secret, for messages"),
		ca:         e.flags.String("git-ca", "", "file of certificates that the git server may have, besides the public ones; may be absent"),
		scratch:    e.flags.String("scratch", os.TempDir(), "folder for what is downloaded, which no other step can write to"),
		timeout:    e.flags.Duration("git-timeout", 10*time.Minute, "how long the git server has to send everything"),
	}
}

// clone writes the repository's files into the folder of a request.
func (f *gitFlags) clone(ctx context.Context, commit, to string) (*git.Result, *repository.Repository, error) {
	if *f.secretName == noSecret {
		*f.secretName = ""
	}
	content := repository.Content(to)
	if err := os.Mkdir(content, 0o755); err != nil {
		return nil, nil, fmt.Errorf("cannot make folder: %w", err)
	}
	got, err := git.Clone(ctx, content, git.Options{
		URL: *f.url, Ref: *f.ref, Commit: commit, Secret: *f.secret, SecretName: *f.secretName, CA: *f.ca,
		Scratch: *f.scratch, Timeout: *f.timeout,
	})
	if err != nil {
		return nil, nil, err
	}
	found, err := repository.Look(content)
	if err != nil {
		return nil, nil, err
	}
	found.Ignored = append(found.Ignored, got.Ignored...)
	return got, found, nil
}

// baseFlags say which image is built on.
type baseFlags struct {
	image, defaultImage, config, secret, platform *string
	containerfiles                                *bool
	insecure                                      *insecureFlags
	trust                                         *trustFlags
}

func runFetch(ctx context.Context, e *env) error {
	e.resultsFlag()
	f := e.git()
	to := e.flags.String("to", "", "empty folder for the repository")
	b := baseFlags{
		image:          e.flags.String("base-image", "", "the image to build on, whatever the repository says"),
		defaultImage:   e.flags.String("default-image", "", "the image to build on if nobody names one"),
		config:         e.flags.String("docker-config", "", "folder of a mounted pull secret; may be absent or empty"),
		secret:         e.flags.String("secret-name", "", "name of the pull secret, for messages"),
		platform:       e.flags.String("platform", "linux/"+runtime.GOARCH, "the platform that the image has to run on"),
		insecure:       e.insecure(""),
		containerfiles: e.flags.Bool("containerfiles", true, "allow repositories with a Containerfile"),
		trust:          e.trust(),
	}
	e.kept = []string{"commit", "kind", "image", "containerfile", "plan"}
	if err := e.parse(); err != nil {
		return err
	}
	if *to == "" || *f.url == "" {
		return &usageError{errors.New("--to or --url is missing")}
	}
	got, found, err := f.clone(ctx, "", *to)
	if err != nil {
		return err
	}
	defer found.Close()
	if err := e.dir().WriteText("commit", got.Commit); err != nil {
		return err
	}
	plan, err := found.Decide(repository.Choice{Base: *b.image, Default: *b.defaultImage, Containerfiles: *b.containerfiles})
	if err != nil {
		return err
	}
	image, err := b.inspect(ctx, found, plan)
	if err != nil {
		return err
	}
	return errors.Join(
		e.dir().WriteText("kind", string(plan.Kind)), e.dir().WriteText("image", image),
		e.dir().WriteText("containerfile", found.Containerfile), e.dir().WriteText("plan", plan.Encode()))
}

// inspect finds the base image's digest, and completes the plan by what it says of itself.
func (b *baseFlags) inspect(ctx context.Context, found *repository.Repository, plan *repository.Plan) (string, error) {
	if plan.Kind != repository.Layer {
		return "", nil
	}
	roots, err := b.trust.roots()
	if err != nil {
		return "", err
	}
	platform, err := v1.ParsePlatform(*b.platform)
	if err != nil {
		return "", &usageError{fmt.Errorf("cannot read platform %q: %w", *b.platform, err)}
	}
	if *b.secret == noSecret {
		*b.secret = ""
	}
	report, err := inspectImage(ctx, *b.config, b.trust, inspect.Options{
		Image: plan.Base, Platform: *platform, Insecure: b.insecure.of(plan.Base), Roots: roots, SecretName: *b.secret, Timeout: time.Minute,
	})
	if err != nil {
		return "", inRepository(err, found, plan)
	}
	return report.Image, found.OnBase(plan, report.Inspection.Labels)
}

// inRepository says where a base image was named that cannot be had, if that was in the repository.
func inRepository(err error, found *repository.Repository, plan *repository.Plan) error {
	f := failure.From(err)
	if plan.Base != found.Base || f.Reason == failure.RegistryUnavailable {
		return f
	}
	return failure.New(f.Reason, "%s names a base image that cannot be used: %s", found.BaseFile, f.Message)
}
