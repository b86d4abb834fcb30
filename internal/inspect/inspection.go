package inspect

import (
	"encoding/json"
	"maps"
	"slices"
	"strings"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/remote"

	"github.com/meteor-zone/meteor-operator/internal/text"
)

// maxInspection is the size that an encoded Inspection keeps within.
const maxInspection = 1 << 10

// Inspection is what an image says of itself, cut to what fits into a result.
type Inspection struct {
	// MediaType is the type of what the reference names: an index or a manifest.
	MediaType string `json:"mediaType"`
	// Architecture lists the architectures that the image is there for.
	Architecture []string `json:"architecture,omitempty"`
	// Size is what has to be pulled, compressed, in bytes.
	Size int64 `json:"size"`
	// Created is when the image was built, if it says so.
	Created *time.Time `json:"created,omitempty"`
	// Entrypoint and Cmd are what starts.
	Entrypoint []string `json:"entrypoint,omitempty"`
	Cmd        []string `json:"cmd,omitempty"`
	// User is the user that the image asks for. Clusters choose their own.
	User string `json:"user,omitempty"`
	// Env holds PATH and HOME.
	Env map[string]string `json:"env,omitempty"`
	// Labels holds a few well-known labels.
	Labels map[string]string `json:"labels,omitempty"`
}

var wantedEnv = []string{"PATH", "HOME"}

var wantedLabels = []string{
	"io.k8s.display-name",
	"org.opencontainers.image.revision",
	"org.opencontainers.image.source",
	"org.opencontainers.image.title",
	"org.opencontainers.image.version",
	"io.openshift.s2i.scripts-url",
}

func newInspection(desc *remote.Descriptor, manifest *v1.Manifest, config *v1.ConfigFile, architectures []string) Inspection {
	i := Inspection{
		MediaType:    string(desc.MediaType),
		Architecture: lines(architectures, 16, 24),
		Size:         manifest.Config.Size,
		Entrypoint:   lines(config.Config.Entrypoint, 8, 80),
		Cmd:          lines(config.Config.Cmd, 8, 80),
		User:         text.Line(config.Config.User, 64),
		Env:          map[string]string{},
		Labels:       map[string]string{},
	}
	for _, layer := range manifest.Layers {
		i.Size += layer.Size
	}
	if created := config.Created.UTC().Truncate(time.Second); created.Year() >= 1970 && created.Year() <= 9999 {
		i.Created = &created
	}
	for _, pair := range config.Config.Env {
		if key, value, _ := strings.Cut(pair, "="); slices.Contains(wantedEnv, key) {
			i.Env[key] = text.Line(value, 200)
		}
	}
	for _, key := range wantedLabels {
		if value := text.Line(config.Config.Labels[key], 120); value != "" {
			i.Labels[key] = value
		}
	}
	return i.fit()
}

// fit leaves out what matters least until the rest keeps within the bounds.
func (i Inspection) fit() Inspection {
	for _, key := range slices.Backward(slices.Sorted(maps.Keys(i.Labels))) {
		if i.fits() {
			return i
		}
		delete(i.Labels, key)
	}
	for _, drop := range []func(){
		func() { delete(i.Env, "PATH") },
		func() { i.Cmd = nil },
		func() { i.Entrypoint = lines(i.Entrypoint, 2, 40) },
		func() { i.Env = nil },
	} {
		if i.fits() {
			return i
		}
		drop()
	}
	return i
}

func (i Inspection) fits() bool {
	// Texts, numbers and a time with a four-digit year can always be encoded.
	data, _ := json.Marshal(i)
	return len(data) <= maxInspection
}

func lines(in []string, most, each int) []string {
	var out []string
	for _, s := range in[:min(len(in), most)] {
		out = append(out, text.Line(s, each))
	}
	return out
}
