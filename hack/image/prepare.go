package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime/debug"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/mutate"

	"github.com/meteor-zone/meteor-operator/test/cluster/pack"
)

const (
	user   = "65532:65532"
	passwd = "root:x:0:0:root:/:/sbin/nologin\nnonroot:x:65532:65532:nonroot:/:/sbin/nologin\n"
	group  = "root:x:0:\nnonroot:x:65532:\n"
)

// part is the image for one platform.
type part struct {
	platform v1.Platform
	image    v1.Image
	// bill is the image's bill of materials.
	bill []byte
}

// content builds what the image of a platform holds into dir: path in the image to file on this machine. The modules are
// those that it is made of.
func content(ctx context.Context, dir string, platform v1.Platform) (map[string]string, []debug.Module, error) {
	trusted, roots, err := authorities(dir)
	if err != nil {
		return nil, nil, err
	}
	files := map[string]string{certificates: trusted, "/licenses/LICENSE": "LICENSE"}
	for to, text := range map[string]string{"/etc/passwd": passwd, "/etc/group": group} {
		from := filepath.Join(dir, filepath.Base(to))
		if err := os.WriteFile(from, []byte(text), 0o644); err != nil {
			return nil, nil, fmt.Errorf("cannot write %s: %w", to, err)
		}
		files[to] = from
	}
	var binaries []string
	for _, name := range []string{"manager", "builder"} {
		binary := filepath.Join(dir, name)
		if err := build(ctx, "./cmd/"+name, binary, platform); err != nil {
			return nil, nil, err
		}
		files["/"+name] = binary
		binaries = append(binaries, binary)
	}
	modules, err := compiledIn(binaries)
	if err != nil {
		return nil, nil, err
	}
	modules = append(modules, roots)
	return files, modules, addLicences(ctx, modules, files)
}

// prepare packs the image of a platform.
func prepare(ctx context.Context, dir string, platform v1.Platform, o options) (part, error) {
	files, modules, err := content(ctx, dir, platform)
	if err != nil {
		return part{}, err
	}
	img, err := image(files, platform, o.version)
	if err != nil {
		return part{}, err
	}
	bill, err := billOfMaterials(img, platform, o.version, modules)
	return part{platform: platform, image: img, bill: bill}, err
}

// lay puts files into a folder as they are in the image.
func lay(files map[string]string, dir string) error {
	for to, from := range files {
		info, err := os.Stat(from)
		if err != nil {
			return fmt.Errorf("cannot copy %s: %w", to, err)
		}
		content, err := os.ReadFile(from)
		if err != nil {
			return fmt.Errorf("cannot copy %s: %w", to, err)
		}
		to = filepath.Join(dir, to)
		if err := os.MkdirAll(filepath.Dir(to), 0o755); err != nil {
			return fmt.Errorf("cannot make %s: %w", filepath.Dir(to), err)
		}
		mode := os.FileMode(0o644)
		if info.Mode()&0o111 != 0 {
			mode = 0o755
		}
		if err := os.WriteFile(to, content, mode); err != nil {
			return fmt.Errorf("cannot copy %s: %w", to, err)
		}
	}
	return nil
}

func image(files map[string]string, platform v1.Platform, version string) (v1.Image, error) {
	img, err := pack.Image(pack.Spec{
		Files:      files,
		Entrypoint: []string{"/manager"},
		User:       user,
		Labels: map[string]string{
			"org.opencontainers.image.title":       "Meteor Operator",
			"org.opencontainers.image.description": "Notebook images from existing images, lists of packages and git repositories",
			"org.opencontainers.image.source":      "https://github.com/meteor-zone/meteor-operator",
			"org.opencontainers.image.vendor":      "Meteor Operator contributors",
			"org.opencontainers.image.licenses":    "Apache-2.0",
			"org.opencontainers.image.version":     version,
		},
	})
	if err != nil {
		return nil, err
	}
	config, err := img.ConfigFile()
	if err != nil {
		return nil, fmt.Errorf("cannot read the image's configuration: %w", err)
	}
	config = config.DeepCopy()
	config.OS, config.Architecture, config.Variant = platform.OS, platform.Architecture, platform.Variant
	return mutate.ConfigFile(img, config)
}

// build builds a static binary from the module in the current directory.
func build(ctx context.Context, from, to string, platform v1.Platform) error {
	cmd := exec.CommandContext(ctx, "go", "build", "-trimpath", "-buildvcs=false", "-ldflags", "-s -w", "-o", to, from)
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "GOOS="+platform.OS, "GOARCH="+platform.Architecture, "GOAMD64=v1", "GOARM64=v8.0", "GOWORK=off")
	cmd.Stdout, cmd.Stderr = os.Stderr, os.Stderr
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("cannot build %s: %w", from, err)
	}
	return nil
}
