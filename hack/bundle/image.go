package bundle

import (
	"archive/tar"
	"bytes"
	"context"
	"fmt"
	"maps"
	"path"
	"slices"
	"strings"

	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/static"
	"github.com/google/go-containerregistry/pkg/v1/types"
	"sigs.k8s.io/yaml"

	packing "github.com/meteor-zone/meteor-operator/test/cluster/pack"
)

// Image packs a bundle as bundle.Dockerfile does. The layer is not compressed, so that its digest, which the catalogue
// says, follows from the files alone and not from a version of a compressor.
func Image(files Files) (v1.Image, error) {
	layer, err := pack(files, "bundle/", "/")
	if err != nil {
		return nil, err
	}
	var metadata struct {
		Annotations map[string]string `json:"annotations"`
	}
	if err := yaml.Unmarshal(files["bundle/metadata/annotations.yaml"], &metadata); err != nil {
		return nil, fmt.Errorf("cannot read the bundle's annotations: %w", err)
	}
	return image(layer, v1.Config{Labels: metadata.Annotations})
}

// Push pushes a bundle's image to a repository beside the operator's, with the operator's tag, and returns its reference
// by digest.
func Push(ctx context.Context, files Files, operator string) (string, error) {
	beside, err := name.NewTag(operator, name.Insecure)
	if err != nil {
		return "", fmt.Errorf("cannot push beside %q: %w", operator, err)
	}
	img, err := Image(files)
	if err != nil {
		return "", err
	}
	to := beside.Context().Name() + besideOperator + ":" + beside.TagStr()
	return packing.PushImage(ctx, to, img, remote.WithAuthFromKeychain(authn.DefaultKeychain))
}

// pack makes a layer of the files below a folder.
func pack(files Files, from, to string) (v1.Layer, error) {
	var content bytes.Buffer
	w := tar.NewWriter(&content)
	made := map[string]bool{}
	for _, file := range slices.Sorted(maps.Keys(files)) {
		rest, below := strings.CutPrefix(file, from)
		if !below {
			continue
		}
		name := strings.TrimPrefix(path.Join(to, rest), "/")
		for _, dir := range parents(name) {
			if made[dir] {
				continue
			}
			made[dir] = true
			if err := w.WriteHeader(&tar.Header{Typeflag: tar.TypeDir, Name: dir + "/", Mode: 0o755}); err != nil {
				return nil, fmt.Errorf("cannot pack %s: %w", dir, err)
			}
		}
		if err := w.WriteHeader(&tar.Header{Typeflag: tar.TypeReg, Name: name, Mode: 0o644, Size: int64(len(files[file]))}); err != nil {
			return nil, fmt.Errorf("cannot pack %s: %w", name, err)
		}
		if _, err := w.Write(files[file]); err != nil {
			return nil, fmt.Errorf("cannot pack %s: %w", name, err)
		}
	}
	if err := w.Close(); err != nil {
		return nil, fmt.Errorf("cannot end a layer: %w", err)
	}
	return static.NewLayer(content.Bytes(), types.OCIUncompressedLayer), nil
}

// parents are the folders that a file is in, outermost first.
func parents(name string) []string {
	var out []string
	for dir := path.Dir(name); dir != "."; dir = path.Dir(dir) {
		out = append([]string{dir}, out...)
	}
	return out
}

// image is of one layer, and for any platform: it holds no program.
func image(layer v1.Layer, config v1.Config) (v1.Image, error) {
	base := mutate.ConfigMediaType(mutate.MediaType(empty.Image, types.OCIManifestSchema1), types.OCIConfigJSON)
	img, err := mutate.AppendLayers(base, layer)
	if err != nil {
		return nil, fmt.Errorf("cannot add the layer: %w", err)
	}
	file, err := img.ConfigFile()
	if err != nil {
		return nil, fmt.Errorf("cannot read the image's configuration: %w", err)
	}
	file = file.DeepCopy()
	file.OS, file.Architecture, file.Config = "linux", "amd64", config
	return mutate.ConfigFile(img, file)
}

// Catalogue makes an image that serves a file-based catalogue, from one that holds opm.
func Catalogue(opm v1.Image, catalogue []byte) (v1.Image, error) {
	layer, err := pack(Files{"catalog.yaml": catalogue}, "", "/configs/"+Package)
	if err != nil {
		return nil, err
	}
	img, err := mutate.AppendLayers(opm, layer)
	if err != nil {
		return nil, fmt.Errorf("cannot add the catalogue: %w", err)
	}
	file, err := img.ConfigFile()
	if err != nil {
		return nil, fmt.Errorf("cannot read the image's configuration: %w", err)
	}
	file = file.DeepCopy()
	file.Config.Entrypoint = []string{"/bin/opm"}
	file.Config.Cmd = []string{"serve", "/configs"}
	file.Config.Labels = map[string]string{"operators.operatorframework.io.index.configs.v1": "/configs"}
	return mutate.ConfigFile(img, file)
}
