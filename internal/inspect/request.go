package inspect

import (
	"slices"
	"strings"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/types"

	"github.com/meteor-zone/meteor-operator/internal/failure"
)

// maxIndex is more than any index of platforms needs.
const maxIndex = 1000

// request is one inspection under way.
type request struct {
	Options
	ref     name.Reference
	wire    *wire
	options []remote.Option
}

func (r *request) run() (*Report, error) {
	desc, err := remote.Get(r.ref, r.options...)
	if err != nil {
		return nil, r.classify(err)
	}
	image, architectures, err := r.choose(desc)
	if err != nil {
		return nil, err
	}
	manifest, config, err := r.read(image)
	if err != nil {
		return nil, err
	}
	if err := r.check(config); err != nil {
		return nil, err
	}
	if len(architectures) == 0 && config.Architecture != "" {
		architectures = []string{config.Architecture}
	}
	return &Report{
		URL:        customary(r.ref.Name()),
		Image:      customary(r.ref.Context().Digest(desc.Digest.String()).Name()),
		Digest:     desc.Digest.String(),
		Inspection: newInspection(desc, manifest, config, architectures),
	}, nil
}

// customary gives Docker Hub the name under which people and container runtimes know it.
func customary(ref string) string {
	if rest, ok := strings.CutPrefix(ref, name.DefaultRegistry+"/"); ok {
		return "docker.io/" + rest
	}
	return ref
}

// choose returns the image for the platform, and all architectures that an index has.
func (r *request) choose(desc *remote.Descriptor) (v1.Image, []string, error) {
	switch {
	case desc.MediaType.IsImage():
		image, err := desc.Image()
		if err != nil {
			return nil, nil, r.classify(err)
		}
		return image, nil, nil
	case desc.MediaType.IsIndex():
		return r.chooseFromIndex(desc)
	case desc.MediaType.IsSchema1():
		return nil, nil, failure.New(failure.ImageInvalid, "Image %q is in the format of Docker schema 1, which container runtimes no longer run: push it again with a current tool", r.Image)
	default:
		return nil, nil, failure.New(failure.ImageInvalid, "%q is not an image: its type is %s", r.Image, desc.MediaType)
	}
}

func (r *request) chooseFromIndex(desc *remote.Descriptor) (v1.Image, []string, error) {
	index, err := desc.ImageIndex()
	if err != nil {
		return nil, nil, r.classify(err)
	}
	manifest, err := index.IndexManifest()
	if err != nil {
		return nil, nil, r.classify(err)
	}
	if len(manifest.Manifests) > maxIndex {
		return nil, nil, failure.New(failure.ImageInvalid, "Image %q is an index of %d entries, more than %d", r.Image, len(manifest.Manifests), maxIndex)
	}
	var chosen *v1.Hash
	var architectures, platforms []string
	for _, m := range manifest.Manifests {
		if m.Platform == nil || m.Platform.OS == "unknown" || !m.MediaType.IsImage() {
			continue
		}
		platforms = append(platforms, m.Platform.OS+"/"+m.Platform.Architecture)
		if m.Platform.OS == r.Platform.OS {
			architectures = append(architectures, m.Platform.Architecture)
		}
		if chosen == nil && m.Platform.OS == r.Platform.OS && m.Platform.Architecture == r.Platform.Architecture {
			chosen = &m.Digest
		}
	}
	if chosen == nil {
		return nil, nil, r.wrongPlatform(platforms)
	}
	image, err := index.Image(*chosen)
	if err != nil {
		return nil, nil, r.classify(err)
	}
	slices.Sort(architectures)
	return image, slices.Compact(architectures), nil
}

// read fetches manifest and configuration.
func (r *request) read(image v1.Image) (*v1.Manifest, *v1.ConfigFile, error) {
	manifest, err := image.Manifest()
	if err != nil {
		return nil, nil, r.classify(err)
	}
	switch manifest.Config.MediaType {
	case types.DockerConfigJSON, types.OCIConfigJSON:
	default:
		return nil, nil, failure.New(failure.ImageInvalid, "%q is not an image: its configuration is of type %s", r.Image, manifest.Config.MediaType)
	}
	config, err := image.ConfigFile()
	if err != nil {
		return nil, nil, r.classify(err)
	}
	return manifest, config, nil
}

// check says whether what was found can be run here.
func (r *request) check(config *v1.ConfigFile) error {
	foreign := config.OS != "" && config.OS != r.Platform.OS ||
		config.Architecture != "" && config.Architecture != r.Platform.Architecture
	if foreign {
		return r.wrongPlatform([]string{config.OS + "/" + config.Architecture})
	}
	if len(config.Config.Entrypoint) == 0 && len(config.Config.Cmd) == 0 {
		return failure.New(failure.ImageInvalid, "Image %q has neither an entry point nor a command: there is nothing to start", r.Image)
	}
	return nil
}

func (r *request) wrongPlatform(platforms []string) error {
	slices.Sort(platforms)
	platforms = slices.Compact(platforms)
	there := "no platform at all"
	if len(platforms) > 0 {
		there = strings.Join(platforms[:min(len(platforms), 10)], ", ")
	}
	return failure.New(failure.ImagePlatformUnsupported, "Image %q is for %s, this cluster needs %s/%s",
		r.Image, there, r.Platform.OS, r.Platform.Architecture)
}
