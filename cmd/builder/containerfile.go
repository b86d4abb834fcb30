package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"runtime"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"

	"github.com/meteor-zone/meteor-operator/internal/containerfile"
	"github.com/meteor-zone/meteor-operator/internal/credentials"
	"github.com/meteor-zone/meteor-operator/internal/failure"
	"github.com/meteor-zone/meteor-operator/internal/git"
	"github.com/meteor-zone/meteor-operator/internal/image"
	"github.com/meteor-zone/meteor-operator/internal/layer"
	"github.com/meteor-zone/meteor-operator/internal/place"
)

// pulls says how the images that a Containerfile names are got.
type pulls struct {
	config, secret *string
	insecure       *insecureFlags
	trust          *trustFlags
}

func (e *env) pulls() *pulls {
	return &pulls{
		config:   e.flags.String("docker-config", "", "folder of a mounted pull secret; may be absent or empty"),
		secret:   e.flags.String("secret-name", "", "name of the pull secret, for messages"),
		insecure: e.insecure(""),
		trust:    e.trust(),
	}
}

// sides returns what knows the way to each image.
func (p *pulls) sides() (func(string) image.Side, error) {
	if *p.secret == noSecret {
		*p.secret = ""
	}
	store, err := credentials.Load(*p.config)
	if err != nil {
		return nil, failure.New(failure.ImagePullUnauthorized, "The pull secret %q cannot be used: %s", *p.secret, err)
	}
	roots, err := p.trust.roots()
	if err != nil {
		return nil, err
	}
	if store, err = p.trust.add(store, *p.trust.tokenFor); err != nil {
		return nil, err
	}
	return func(name string) image.Side {
		return image.Side{Image: name, Credentials: store, SecretName: *p.secret, Insecure: p.insecure.of(name), Roots: roots}
	}, nil
}

// runContainerfilePrepare is the trusted first step: it alone has credentials for the repository and for images.
func runContainerfilePrepare(ctx context.Context, e *env) error {
	e.resultsFlag()
	to := e.flags.String("to", "", "path of the copy of this program")
	source := e.flags.String("source", "", "empty folder for the repository")
	bases := e.flags.String("bases", "", "folder for the images that are needed")
	plan := e.flags.String("plan", "", "folder for the plan")
	file := e.flags.String("file", "", "the Containerfile's path in the repository; looked for at its root if empty")
	var repository git.Options
	e.flags.StringVar(&repository.URL, "url", "", "the repository")
	e.flags.StringVar(&repository.Ref, "ref", "", "the branch or tag that the commit was found by")
	e.flags.StringVar(&repository.Commit, "commit", "", "the commit")
	e.flags.StringVar(&repository.Secret, "git-secret", "", "folder of a mounted git secret; may be absent or empty")
	e.flags.StringVar(&repository.SecretName, "git-secret-name", "", "name of the git secret, for messages")
	e.flags.StringVar(&repository.CA, "git-ca", "", "file of certificates that the git server may have; may be absent")
	e.flags.StringVar(&repository.Scratch, "scratch", "", "folder for what is downloaded")
	pulls := e.pulls()
	timeout := e.flags.Duration("timeout", 20*time.Minute, "how long everything may take")
	if err := e.parse(); err != nil {
		return err
	}
	if repository.SecretName == noSecret {
		repository.SecretName = ""
	}
	ctx, cancel := context.WithTimeout(ctx, *timeout)
	defer cancel()
	if err := place.Self(*to); err != nil {
		return err
	}
	if _, err := git.Clone(ctx, *source, repository); err != nil {
		return err
	}
	side, err := pulls.sides()
	if err != nil {
		return err
	}
	return fetchFor(ctx, *source, *file, *bases, *plan, side)
}

func fetchFor(ctx context.Context, source, file, bases, plan string, side func(string) image.Side) error {
	root, err := os.OpenRoot(source)
	if err != nil {
		return fmt.Errorf("cannot open repository: %w", err)
	}
	name, content, err := containerfile.Find(root, file)
	if err = errors.Join(err, root.Close()); err != nil {
		return err
	}
	platform := v1.Platform{OS: "linux", Architecture: runtime.GOARCH}
	parsed, err := containerfile.Parse(name, content, platform)
	if err != nil {
		return err
	}
	_, err = containerfile.Fetch(ctx, parsed, platform, bases, plan, side)
	return err
}

// runContainerfileBuild is the step that runs the user's commands.
func runContainerfileBuild(ctx context.Context, e *env) error {
	e.resultsFlag()
	o := containerfile.Options{Output: os.Stdout}
	e.flags.StringVar(&o.Buildah, "buildah", "buildah", "the program")
	e.flags.StringVar(&o.Context, "source", "", "folder of the repository")
	e.flags.StringVar(&o.Bases, "bases", "", "folder of the images that are needed")
	e.flags.StringVar(&o.Plan, "plan", "", "folder of the plan")
	e.flags.StringVar(&o.Work, "work", "", "folder for buildah's storage")
	e.flags.StringVar(&o.Out, "out", "", "folder that the image is left in")
	if err := e.parse(); err != nil {
		return err
	}
	report, err := containerfile.Build(ctx, o)
	if err != nil {
		return err
	}
	return e.dir().WriteJSON("timings", report)
}

// runContainerfilePush is the trusted last step.
func runContainerfilePush(ctx context.Context, e *env) error {
	e.resultsFlag()
	plan := e.flags.String("plan", "", "folder of the plan")
	bases := e.flags.String("bases", "", "folder of the images that were fetched")
	out := e.flags.String("out", "", "folder that the build left the image in")
	timeout := e.flags.Duration("timeout", 20*time.Minute, "how long everything may take")
	target, trust := e.side("target", "the name that the image gets"), e.trust()
	e.kept = []string{"image", "IMAGE_URL", "IMAGE_DIGEST", "built"}
	if err := e.parse(); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, *timeout)
	defer cancel()
	read, err := containerfile.ReadPlan(*plan)
	if err != nil {
		return err
	}
	to, err := target.side(trust)
	if err != nil {
		return because(err, failure.RegistryPushUnauthorized, "The push")
	}
	output, err := containerfile.Open(read, *bases, *out, layer.Limits{})
	if err != nil {
		return err
	}
	pushed, err := image.PushBuilt(ctx, to, read.Platform, output.Image)
	if err != nil {
		return err
	}
	return errors.Join(
		e.dir().WriteText("image", pushed.Image), e.dir().WriteText("IMAGE_URL", pushed.URL),
		e.dir().WriteText("IMAGE_DIGEST", pushed.Digest), e.dir().WriteJSON("built", output.Built))
}
