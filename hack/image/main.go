// Command image builds the operator's two binaries and packs them as the operator's image, with no container engine.
// The content is that of the Dockerfile, and the same sources give the same digest.
//
//	go run ./hack/image --push REGISTRY/REPOSITORY:TAG
//	go run ./hack/image --platforms linux/amd64,linux/arm64 --layout bin/images --pin
//	go run ./hack/image --platforms linux/amd64,linux/arm64 --check
//	go run ./hack/image --platforms linux/arm64 --files /out
//
// It prints the image's reference by digest. The licences of everything that is compiled in are in /licenses. What each
// image is made of is attached to it as a bill of materials (SPDX), as registries list it, and written beside a layout.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	v1 "github.com/google/go-containerregistry/pkg/v1"
)

// options are what the flags say.
type options struct {
	push, layout, files, version string
	platforms                    []v1.Platform
	pin, check                   bool
}

func main() {
	o, err := parse()
	var printed string
	if err == nil {
		printed, err = run(context.Background(), o)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "image:", err)
		os.Exit(1)
	}
	fmt.Println(printed)
}

func parse() (options, error) {
	var o options
	flag.StringVar(&o.push, "push", "", "where to push the image: registry/repository:tag")
	flag.StringVar(&o.layout, "layout", "", "a folder to write the image to, as an OCI layout with the bills of materials")
	flag.StringVar(&o.files, "files", "", "a folder to put what the image holds into, and no more: the Dockerfile packs it")
	flag.StringVar(&o.version, "version", "", "value of the image's version label")
	flag.BoolVar(&o.pin, "pin", false, "write the digest into config/manager")
	flag.BoolVar(&o.check, "check", false, "fail unless config/manager has the digest already")
	platforms := flag.String("platforms", "linux/amd64", "what to build for; several make an image index")
	flag.Parse()
	if o.push == "" && o.layout == "" && o.files == "" && !o.check {
		return o, errors.New("say where the image goes, --push, --layout or --files, or --check it")
	}
	for p := range strings.SplitSeq(*platforms, ",") {
		platform, err := v1.ParsePlatform(p)
		if err != nil {
			return o, fmt.Errorf("cannot use platform %q: %w", p, err)
		}
		o.platforms = append(o.platforms, *platform)
	}
	return o, nil
}

func run(ctx context.Context, o options) (string, error) {
	dir, err := os.MkdirTemp("", "meteor-image-")
	if err != nil {
		return "", fmt.Errorf("cannot make a directory to work in: %w", err)
	}
	defer os.RemoveAll(dir)
	var parts []part
	for _, platform := range o.platforms {
		in := filepath.Join(dir, platform.Architecture)
		if err := os.Mkdir(in, 0o755); err != nil {
			return "", fmt.Errorf("cannot make a directory to work in: %w", err)
		}
		if o.files != "" {
			if len(o.platforms) > 1 {
				return "", errors.New("--files is for one platform")
			}
			files, _, err := content(ctx, in, platform)
			if err != nil {
				return "", err
			}
			return o.files, lay(files, o.files)
		}
		made, err := prepare(ctx, in, platform, o)
		if err != nil {
			return "", err
		}
		parts = append(parts, made)
	}
	whole := join(parts)
	digest, err := whole.Digest()
	if err != nil {
		return "", fmt.Errorf("cannot compute the digest: %w", err)
	}
	printed := digest.String()
	if o.layout != "" {
		if err := write(o.layout, whole, parts); err != nil {
			return "", err
		}
	}
	if o.push != "" {
		if printed, err = push(ctx, o.push, whole, parts); err != nil {
			return "", err
		}
	}
	if o.check {
		return printed, compare(kustomization, digest.String())
	}
	if o.pin {
		return printed, pin(kustomization, digest.String())
	}
	return printed, nil
}
