// Command image builds the operator's two binaries and packs them as the operator's image, with no container engine.
// The content is that of the Dockerfile, and the same sources give the same digest. It also makes the image with buildah
// that Containerfile builds run in, from Debian's packages; that takes root on a Debian machine.
//
//	go run ./hack/image --push REGISTRY/REPOSITORY:TAG
//	go run ./hack/image --of buildah --push REGISTRY/REPOSITORY:TAG
//
// It prints the image's reference by digest.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"

	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/v1/remote"

	"github.com/meteor-zone/meteor-operator/test/cluster"
	"github.com/meteor-zone/meteor-operator/test/cluster/images"
	"github.com/meteor-zone/meteor-operator/test/cluster/pack"
)

const (
	user   = "65532:65532"
	passwd = "root:x:0:0:root:/:/sbin/nologin\nnonroot:x:65532:65532:nonroot:/:/sbin/nologin\n"
	group  = "root:x:0:\nnonroot:x:65532:\n"
	// bundle is where Go looks for certificate authorities, in the image as on most machines.
	bundle = "/etc/ssl/certs/ca-certificates.crt"
)

func main() {
	ref := flag.String("push", "", "where to push the image: registry/repository:tag")
	version := flag.String("version", "", "value of the image's version label")
	certs := flag.String("certs", bundle, "the certificate authorities that the image trusts, in PEM")
	of := flag.String("of", "operator", "which image: operator or buildah")
	flag.Parse()
	digest, err := run(context.Background(), *of, *ref, *version, *certs)
	if err != nil {
		fmt.Fprintln(os.Stderr, "image:", err)
		os.Exit(1)
	}
	fmt.Println(digest)
}

func run(ctx context.Context, of, ref, version, certs string) (string, error) {
	switch {
	case ref == "":
		return "", errors.New("-push is not set")
	case of == "buildah":
		return buildah(ctx, ref)
	case of != "operator":
		return "", fmt.Errorf("there is no image %q", of)
	}
	dir, err := os.MkdirTemp("", "meteor-image-")
	if err != nil {
		return "", fmt.Errorf("cannot make a directory to work in: %w", err)
	}
	defer os.RemoveAll(dir)
	spec, err := prepare(ctx, dir, version, certs)
	if err != nil {
		return "", err
	}
	return pack.Push(ctx, ref, spec, remote.WithAuthFromKeychain(authn.DefaultKeychain))
}

// buildah builds the image from its recipe, or finds it in the local cluster's cache.
func buildah(ctx context.Context, ref string) (string, error) {
	cache, err := cluster.CacheDir()
	if err != nil {
		return "", err
	}
	img, err := images.One(ctx, cache, "buildah", func(line string) { fmt.Fprintln(os.Stderr, line) })
	if err != nil {
		return "", err
	}
	return pack.PushImage(ctx, ref, img, remote.WithAuthFromKeychain(authn.DefaultKeychain))
}

// prepare builds what the image holds into dir.
func prepare(ctx context.Context, dir, version, certs string) (pack.Spec, error) {
	files := map[string]string{bundle: certs}
	for to, content := range map[string]string{"/etc/passwd": passwd, "/etc/group": group} {
		from := filepath.Join(dir, filepath.Base(to))
		if err := os.WriteFile(from, []byte(content), 0o644); err != nil {
			return pack.Spec{}, fmt.Errorf("cannot write %s: %w", to, err)
		}
		files[to] = from
	}
	for _, name := range []string{"manager", "builder"} {
		files["/"+name] = filepath.Join(dir, name)
		if err := build(ctx, "./cmd/"+name, files["/"+name]); err != nil {
			return pack.Spec{}, err
		}
	}
	return pack.Spec{
		Files:      files,
		Entrypoint: []string{"/manager"},
		User:       user,
		Labels: map[string]string{
			"org.opencontainers.image.title":    "Meteor Operator",
			"org.opencontainers.image.source":   "https://github.com/meteor-zone/meteor-operator",
			"org.opencontainers.image.licenses": "Apache-2.0",
			"org.opencontainers.image.version":  version,
		},
	}, nil
}

// build builds a static binary from the module in the current directory.
func build(ctx context.Context, from, to string) error {
	cmd := exec.CommandContext(ctx, "go", "build", "-trimpath", "-buildvcs=false", "-ldflags", "-s -w", "-o", to, from)
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "GOOS=linux", "GOARCH=amd64")
	cmd.Stdout, cmd.Stderr = os.Stderr, os.Stderr
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("cannot build %s: %w", from, err)
	}
	return nil
}
