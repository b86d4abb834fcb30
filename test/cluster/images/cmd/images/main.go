// Command images builds the test images, lists them with their digests and sizes, or pushes one. The image with buildah is
// the one that the operator ships, too.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"slices"
	"syscall"
	"time"

	"github.com/google/go-containerregistry/pkg/authn"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/remote"

	"github.com/meteor-zone/meteor-operator/test/cluster"
	"github.com/meteor-zone/meteor-operator/test/cluster/images"
	"github.com/meteor-zone/meteor-operator/test/cluster/pack"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, os.Args[1:])
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "images:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string) error {
	cache, err := cluster.CacheDir()
	if err != nil {
		return err
	}
	begin := time.Now()
	log := func(text string) { fmt.Fprintf(os.Stderr, "%6.1f s  %s\n", time.Since(begin).Seconds(), text) }
	switch {
	case slices.Equal(args, []string{"build"}):
		_, err := images.Ensure(ctx, cache, log)
		return err
	case slices.Equal(args, []string{"list"}):
		built, err := images.Ensure(ctx, cache, log)
		if err != nil {
			return err
		}
		for _, name := range images.Names() {
			if err := show(name, built[name]); err != nil {
				return err
			}
		}
		return nil
	case len(args) == 3 && args[0] == "push":
		img, err := images.One(ctx, cache, args[1], log)
		if err != nil {
			return err
		}
		pushed, err := pack.PushImage(ctx, args[2], img, remote.WithAuthFromKeychain(authn.DefaultKeychain))
		if err != nil {
			return err
		}
		_, err = fmt.Println(pushed)
		return err
	}
	return errors.New("usage: images build|list|push NAME REFERENCE")
}

func show(name string, img v1.Image) error {
	digest, err := img.Digest()
	if err != nil {
		return err
	}
	m, err := img.Manifest()
	if err != nil {
		return err
	}
	size := m.Config.Size
	for _, l := range m.Layers {
		size += l.Size
	}
	_, err = fmt.Printf("%-15s %s %6.1f MB in %d layers\n", name, digest, float64(size)/1e6, len(m.Layers))
	return err
}
