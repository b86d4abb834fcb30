package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path"
	"runtime"
	"strings"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"

	"github.com/meteor-zone/meteor-operator/internal/book"
	"github.com/meteor-zone/meteor-operator/internal/failure"
	"github.com/meteor-zone/meteor-operator/internal/image"
	"github.com/meteor-zone/meteor-operator/internal/layer"
)

// siteUser is the user that a site is served as, where the platform chooses none.
const siteUser = "65532:65532"

type bookPushFlags struct {
	layer, report, scratch, url, commit *string
	timeout                             *time.Duration
	server, target                      sideFlags
	trust                               *trustFlags
}

// runBookPush puts a site on top of the image that serves it.
func runBookPush(ctx context.Context, e *env) error {
	e.resultsFlag()
	f := bookPushFlags{
		layer:   e.flags.String("layer", "", "the site that the build left"),
		report:  e.flags.String("report", "", "what the build says that it was built with"),
		scratch: e.flags.String("scratch", os.TempDir(), "folder for the compressed layer, which no other step can write to"),
		url:     e.flags.String("source-url", "", "the repository"),
		commit:  e.flags.String("commit-file", "", "the file in which the first step has left the commit"),
		timeout: e.flags.Duration("timeout", 20*time.Minute, "how long everything may take"),
		server:  e.side("server", "the image that serves sites: one with this program"),
		target:  e.side("target", "the name that the image gets"),
		trust:   e.trust(),
	}
	e.kept = []string{"image", "IMAGE_URL", "IMAGE_DIGEST", "book", "commit"}
	if err := e.parse(); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, *f.timeout)
	defer cancel()
	return f.run(ctx, e)
}

func (f bookPushFlags) run(ctx context.Context, e *env) error {
	commit, err := readCommit(*f.commit)
	if err != nil {
		return err
	}
	server, err := f.server.side(f.trust)
	if err != nil {
		return because(err, failure.ImagePullUnauthorized, "The pull")
	}
	target, err := f.target.side(f.trust)
	if err != nil {
		return because(err, failure.RegistryPushUnauthorized, "The push")
	}
	report, err := readSite(*f.layer, *f.report)
	if err != nil {
		return err
	}
	l, err := image.Prepare(*f.layer, *f.scratch, layer.Limits{})
	if err != nil {
		return err
	}
	options := image.Options{Base: server, Target: target, Platform: v1.Platform{OS: "linux", Architecture: runtime.GOARCH}}
	if err := f.describe(&options, l, commit); err != nil {
		return errors.Join(err, l.Close())
	}
	pushed, err := pushSite(ctx, options, l)
	if err = errors.Join(err, l.Close()); err != nil {
		return err
	}
	return errors.Join(
		e.dir().WriteText("commit", commit), e.dir().WriteJSON("book", report),
		e.dir().WriteText("image", pushed.Image), e.dir().WriteText("IMAGE_URL", pushed.URL), e.dir().WriteText("IMAGE_DIGEST", pushed.Digest))
}

// describe makes the image serve the site and nothing else. Browsers tell one version of the site from another by the
// layer's own hash.
func (f bookPushFlags) describe(o *image.Options, l *image.Layer, commit string) error {
	version, err := l.DiffID()
	if err != nil {
		return fmt.Errorf("cannot tell the site's version: %w", err)
	}
	told := map[string]string{"org.opencontainers.image.source": *f.url, "org.opencontainers.image.revision": commit}
	root := path.Join("/", book.Root)
	o.Annotations = told
	o.CreatedBy = fmt.Sprintf("COPY %s#%s %s", *f.url, commit, root)
	o.Edit = func(c *v1.Config) {
		c.Entrypoint = []string{"/builder", "serve"}
		c.Cmd = []string{"--root=" + root, fmt.Sprintf("--listen=:%d", book.Port), "--version=" + version.Hex[:16]}
		c.User, c.WorkingDir = siteUser, root
		c.ExposedPorts = map[string]struct{}{fmt.Sprintf("%d/tcp", book.Port): {}}
		c.Labels = told
	}
	return nil
}

func pushSite(ctx context.Context, o image.Options, l *image.Layer) (*image.Result, error) {
	p, err := image.NewPusher(o)
	if err != nil {
		return nil, err
	}
	return p.Push(ctx, l)
}

// readCommit reads what the first step left where no other step may write.
func readCommit(file string) (string, error) {
	data, err := os.ReadFile(file)
	if err != nil {
		return "", fmt.Errorf("cannot read the commit: %w", err)
	}
	return strings.TrimSpace(string(data)), nil
}
