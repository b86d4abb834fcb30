// Command images builds the test images, or lists them with their digests and sizes.
package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"

	"github.com/meteor-zone/meteor-operator/test/cluster/images"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "images:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string) error {
	if len(args) != 1 || (args[0] != "build" && args[0] != "list") {
		return fmt.Errorf("usage: images build|list")
	}
	cache, err := cacheRoot()
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

func cacheRoot() (string, error) {
	if dir := os.Getenv("METEOR_CACHE"); dir != "" {
		return dir, nil
	}
	dir, err := os.UserCacheDir()
	if err != nil {
		return "", err
	}
	return filepath.Join(dir, "meteor-operator"), nil
}
