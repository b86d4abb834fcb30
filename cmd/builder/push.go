package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"runtime"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"

	"github.com/meteor-zone/meteor-operator/internal/credentials"
	"github.com/meteor-zone/meteor-operator/internal/failure"
	"github.com/meteor-zone/meteor-operator/internal/image"
	"github.com/meteor-zone/meteor-operator/internal/layer"
	"github.com/meteor-zone/meteor-operator/internal/python"
	"github.com/meteor-zone/meteor-operator/internal/text"
)

// installed is how an image's history tells of the layer.
const installed = "RUN pip install --no-deps --require-hashes --requirement requirements.lock"

// built is what the push tells of the image, besides its names.
type built struct {
	layer.Summary
	// LayerSize is what was added to the image, compressed.
	LayerSize int64 `json:"layerSize"`
	// Packages counts those of the lock.
	Packages int `json:"packages"`
	// Lock and SBOM are the digests of what was attached to the image.
	Lock string `json:"lock,omitempty"`
	SBOM string `json:"sbom,omitempty"`
	// NotAttached says why something was not. The image is whole without.
	NotAttached string `json:"notAttached,omitempty"`
}

type pushFlags struct {
	layer, lock, scratch, platform, createdBy *string
	timeout                                   *time.Duration
	base, target                              sideFlags
	trust                                     *trustFlags
	origin                                    originFlags
}

type sideFlags struct {
	image, config, secret *string
	insecure              *insecureFlags
}

func (e *env) side(prefix, what string) sideFlags {
	return sideFlags{
		image:    e.flags.String(prefix, "", what),
		config:   e.flags.String(prefix+"-docker-config", "", "folder of a mounted secret with the credentials; may be absent or empty"),
		secret:   e.flags.String(prefix+"-secret-name", "", "name of that secret, for messages"),
		insecure: e.insecure(prefix + "-"),
	}
}

func (s sideFlags) side(trust *trustFlags) (image.Side, error) {
	if *s.secret == noSecret {
		*s.secret = ""
	}
	store, err := credentials.Load(*s.config)
	if err != nil {
		return image.Side{}, fmt.Errorf("secret %q cannot be used: %w", *s.secret, err)
	}
	roots, err := trust.roots()
	if err != nil {
		return image.Side{}, err
	}
	if store, err = trust.add(store, *s.image); err != nil {
		return image.Side{}, err
	}
	return image.Side{Image: *s.image, Credentials: store, SecretName: *s.secret, Insecure: s.insecure.of(*s.image), Roots: roots}, nil
}

func runPush(ctx context.Context, e *env) error {
	e.resultsFlag()
	f := pushFlags{
		layer:     e.flags.String("layer", "", "the layer that the build left"),
		lock:      e.flags.String("lock", "", "the lock that was installed; attached to the image"),
		scratch:   e.flags.String("scratch", os.TempDir(), "folder for the compressed layer, which no other step can write to"),
		platform:  e.flags.String("platform", "linux/"+runtime.GOARCH, "the platform of the base image"),
		createdBy: e.flags.String("created-by", installed, "what the image's history says of the layer"),
		timeout:   e.flags.Duration("timeout", 20*time.Minute, "how long everything may take"),
		base:      e.side("base", "the base image, with its digest"),
		target:    e.side("target", "the name that the image gets"),
		trust:     e.trust(),
		origin:    e.origin(),
	}
	e.kept = []string{"image", "IMAGE_URL", "IMAGE_DIGEST", "built"}
	if err := e.parse(); err != nil {
		return err
	}
	platform, err := v1.ParsePlatform(*f.platform)
	if err != nil {
		return &usageError{fmt.Errorf("cannot read platform %q: %w", *f.platform, err)}
	}
	ctx, cancel := context.WithTimeout(ctx, *f.timeout)
	defer cancel()
	return f.run(ctx, e, *platform)
}

func (f pushFlags) run(ctx context.Context, e *env, platform v1.Platform) error {
	base, err := f.base.side(f.trust)
	if err != nil {
		return because(err, failure.ImagePullUnauthorized, "The pull")
	}
	target, err := f.target.side(f.trust)
	if err != nil {
		return because(err, failure.RegistryPushUnauthorized, "The push")
	}
	options := image.Options{Base: base, Target: target, Platform: platform, CreatedBy: *f.createdBy}
	if err := f.origin.describe(&options); err != nil {
		return err
	}
	pusher, err := image.NewPusher(options)
	if err != nil {
		return err
	}
	lock, err := readLock(*f.lock)
	if err != nil {
		return err
	}
	l, err := image.Prepare(*f.layer, *f.scratch, layer.Limits{})
	if err != nil {
		return err
	}
	pushed, err := pusher.Push(ctx, l)
	if err = errors.Join(err, l.Close()); err != nil {
		return err
	}
	told := built{Summary: l.Summary, LayerSize: pushed.LayerSize, Packages: len(lock.Packages)}
	attach(ctx, pusher, pushed, lock, &told)
	return errors.Join(
		e.dir().WriteText("image", pushed.Image), e.dir().WriteText("IMAGE_URL", pushed.URL),
		e.dir().WriteText("IMAGE_DIGEST", pushed.Digest), e.dir().WriteJSON("built", told))
}

// because makes an error of the credentials a failure, if it is none yet.
func because(err error, reason failure.Reason, which string) error {
	var f *failure.Failure
	if errors.As(err, &f) {
		return f
	}
	return failure.New(reason, "%s %s", which, err)
}

// readLock reads a lock that an untrusted step left. Without a file it is empty.
func readLock(path string) (*python.Lock, error) {
	if path == "" {
		return &python.Lock{}, nil
	}
	f, err := openPlain(path)
	if err != nil {
		return nil, fmt.Errorf("cannot open lock: %w", err)
	}
	lock, err := python.ParseRequirements(f)
	if err = errors.Join(err, f.Close()); err != nil {
		return nil, failure.New(failure.UnsupportedFile, "The lock cannot be used: %s", err)
	}
	return lock, nil
}

// attach attaches the lock and the bill of materials. A registry that takes the image and not these is told of, and
// does not make the build fail.
func attach(ctx context.Context, p *image.Pusher, to *image.Result, lock *python.Lock, told *built) {
	if len(lock.Packages) == 0 {
		return
	}
	sbom, err := lock.SBOM(to.URL)
	if err != nil {
		told.NotAttached = text.Line(err.Error(), 200)
		return
	}
	if told.Lock, err = p.Attach(ctx, to, image.Artifact{Type: image.TypeLock, Title: "requirements.lock", Data: lock.Requirements()}); err == nil {
		told.SBOM, err = p.Attach(ctx, to, image.Artifact{Type: image.TypeSBOM, Title: "sbom.cdx.json", Data: sbom})
	}
	if err != nil {
		told.NotAttached = text.Line(failure.From(err).Message, 200)
	}
}
