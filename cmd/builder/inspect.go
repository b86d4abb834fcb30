package main

import (
	"context"
	"fmt"
	"runtime"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"

	"github.com/meteor-zone/meteor-operator/internal/credentials"
	"github.com/meteor-zone/meteor-operator/internal/failure"
	"github.com/meteor-zone/meteor-operator/internal/inspect"
	"github.com/meteor-zone/meteor-operator/internal/results"
)

// noSecret is the pipelines' default name of the pull secret, which says that there is none.
const noSecret = "meteor-no-secret"

func runInspect(ctx context.Context, e *env) error {
	e.resultsFlag()
	image := e.flags.String("image", "", "the image to inspect")
	config := e.flags.String("docker-config", "", "folder of a mounted pull secret; may be absent or empty")
	secret := e.flags.String("secret-name", "", "name of the pull secret, for messages")
	insecure := e.insecure("")
	platform := e.flags.String("platform", "linux/"+runtime.GOARCH, "the platform that the image has to run on")
	timeout := e.flags.Duration("timeout", time.Minute, "how long the registry has to answer everything")
	trust := e.trust()
	if err := e.parse(); err != nil {
		return err
	}
	roots, err := trust.roots()
	if err != nil {
		return err
	}
	wanted, err := v1.ParsePlatform(*platform)
	if err != nil {
		return &usageError{fmt.Errorf("cannot read platform %q: %w", *platform, err)}
	}
	if *secret == noSecret {
		*secret = ""
	}
	found, err := inspectImage(ctx, *config, trust, inspect.Options{
		Image: *image, Platform: *wanted, Insecure: insecure.of(*image), Roots: roots, SecretName: *secret, Timeout: *timeout,
	})
	if err != nil {
		return err
	}
	return writeReport(e.dir(), found)
}

func inspectImage(ctx context.Context, config string, trust *trustFlags, opts inspect.Options) (*inspect.Report, error) {
	store, err := credentials.Load(config)
	if err != nil {
		return nil, failure.New(failure.ImagePullUnauthorized, "The pull secret %q cannot be used: %s", opts.SecretName, err)
	}
	if opts.Credentials, err = trust.add(store, opts.Image); err != nil {
		return nil, err
	}
	return inspect.Image(ctx, opts)
}

func writeReport(out results.Dir, r *inspect.Report) error {
	for name, value := range map[string]string{"image": r.Image, "IMAGE_URL": r.URL, "IMAGE_DIGEST": r.Digest} {
		if err := out.WriteText(name, value); err != nil {
			return err
		}
	}
	return out.WriteJSON("inspection", r.Inspection)
}
