// Command images builds the test images, or lists them with their digests and sizes.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"syscall"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"

	"github.com/meteor-zone/meteor-operator/test/cluster"
	"github.com/meteor-zone/meteor-operator/test/cluster/images"
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
	if len(args) != 1 || (args[0] != "build" && args[0] != "list") {
		return errors.New("usage: images build|list")
	}
	cache, err := cluster.CacheDir()
	if err != nil {
		return err
	}
	begin := time.Now()
	built, err := images.Ensure(ctx, cache, func(text string) {
		fmt.Fprintf(os.Stderr, "%6.1f s  %s\n", time.Since(begin).Seconds(), text)
	})
	if err != nil || args[0] == "build" {
		return err
	}
	for _, name := range images.Names() {
		if err := show(name, built[name]); err != nil {
			return err
		}
	}
	return nil
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
