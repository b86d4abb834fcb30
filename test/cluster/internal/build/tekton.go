package build

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/layout"

	"github.com/meteor-zone/meteor-operator/test/cluster/pack"
)

const tektonModule = "github.com/tektoncd/pipeline"

// tektonPrograms are the commands of the module that its manifests refer to.
var tektonPrograms = []string{"controller", "entrypoint", "events", "nop", "resolvers", "sidecarlogresults", "webhook", "workingdirinit"}

// tektonManifests are the module's manifests in the order in which they can be
// applied. What is in config/resolvers has a namespace of its own.
var tektonManifests = []string{
	"config/100-namespace/*.yaml", "config/[0-9]*.yaml", "config/300-crds/*.yaml", "config/[a-z]*.yaml", "config/resolvers/*.yaml",
}

// Tekton is a build of Tekton Pipelines.
type Tekton struct {
	// Version is the module's version, the one that go.mod requires.
	Version string
	// Dir holds the images and the manifests.
	Dir string
}

// Tekton builds the version of Tekton Pipelines that the operator is compiled
// against.
func (b *Builder) Tekton(ctx context.Context) (Tekton, error) {
	version, err := required(filepath.Join(b.Checkout, "go.mod"), tektonModule)
	if err != nil {
		return Tekton{}, err
	}
	flags := smaller + " -X " + tektonModule + "/pkg/version.PipelineVersion=" + version
	k, err := key(filepath.Join(b.Checkout, "test/cluster/pack"), version, flags)
	if err != nil {
		return Tekton{}, err
	}
	dir, err := b.once("tekton", k, func(dir string) error {
		source, err := download(ctx, tektonModule+"@"+version)
		if err != nil {
			return err
		}
		if err := concatenate(source, tektonManifests, filepath.Join(dir, "manifests.yaml")); err != nil {
			return err
		}
		return b.tektonImages(ctx, source, dir, flags)
	})
	return Tekton{Version: version, Dir: dir}, err
}

// tektonImages compiles inside the module's own directory of the module cache:
// there its go.mod is the main one and its replacements hold.
func (b *Builder) tektonImages(ctx context.Context, source, dir, flags string) error {
	bin := filepath.Join(dir, "bin")
	args := []string{"-tags", "disable_gcp", "-ldflags", flags, "-o", bin + "/"}
	for _, name := range tektonPrograms {
		args = append(args, "./cmd/"+name)
	}
	if err := os.Mkdir(bin, 0o755); err != nil {
		return err
	}
	if err := b.compile(ctx, source, args...); err != nil {
		return err
	}
	for _, name := range tektonPrograms {
		path := "/ko-app/" + name
		img, err := pack.Image(pack.Spec{
			Files:      map[string]string{path: filepath.Join(bin, name)},
			Entrypoint: []string{path},
			User:       "65532:65532",
		})
		if err != nil {
			return fmt.Errorf("cannot pack %s: %w", name, err)
		}
		if err := keepImage(filepath.Join(dir, "images", name), img); err != nil {
			return err
		}
	}
	return os.RemoveAll(bin)
}

// Images are the programs' images by name.
func (t Tekton) Images() (map[string]v1.Image, error) {
	all := map[string]v1.Image{}
	for _, name := range tektonPrograms {
		img, err := keptImage(filepath.Join(t.Dir, "images", name))
		if err != nil {
			return nil, err
		}
		all[name] = img
	}
	return all, nil
}

// Manifests are the module's own, with images that are still to be filled in.
func (t Tekton) Manifests() ([]byte, error) {
	return os.ReadFile(filepath.Join(t.Dir, "manifests.yaml"))
}

func keepImage(dir string, img v1.Image) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	path, err := layout.Write(dir, empty.Index)
	if err != nil {
		return fmt.Errorf("cannot keep an image in %s: %w", dir, err)
	}
	if err := path.AppendImage(img); err != nil {
		return fmt.Errorf("cannot keep an image in %s: %w", dir, err)
	}
	return nil
}

func keptImage(dir string) (v1.Image, error) {
	index, err := layout.ImageIndexFromPath(dir)
	if err != nil {
		return nil, fmt.Errorf("cannot read the image in %s: %w", dir, err)
	}
	manifest, err := index.IndexManifest()
	if err != nil || len(manifest.Manifests) != 1 {
		return nil, fmt.Errorf("%s does not hold one image: %w", dir, err)
	}
	return index.Image(manifest.Manifests[0].Digest)
}

func download(ctx context.Context, module string) (string, error) {
	cmd := exec.CommandContext(ctx, "go", "mod", "download", "-json", module)
	// Outside of any module: whether go.sum knows it is the checksum database's question.
	cmd.Dir = os.TempDir()
	out, err := cmd.Output()
	var got struct{ Dir, Error string }
	if jsonErr := json.Unmarshal(out, &got); jsonErr != nil || got.Error != "" {
		return "", fmt.Errorf("cannot download %s: %s %w", module, got.Error, err)
	}
	return got.Dir, nil
}

// concatenate joins the YAML files that patterns name into one stream.
func concatenate(dir string, patterns []string, to string) error {
	var all bytes.Buffer
	for _, pattern := range patterns {
		files, err := filepath.Glob(filepath.Join(dir, pattern))
		if err != nil {
			return err
		}
		if len(files) == 0 {
			return fmt.Errorf("the module has no %s", pattern)
		}
		for _, file := range files {
			content, err := os.ReadFile(file)
			if err != nil {
				return err
			}
			all.WriteString(strings.TrimSpace(string(content)) + "\n---\n")
		}
	}
	return os.WriteFile(to, all.Bytes(), 0o644)
}
