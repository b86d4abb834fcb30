package repository

import (
	"path"
	"strings"

	"sigs.k8s.io/yaml"

	"github.com/meteor-zone/meteor-operator/internal/text"
)

// aicoeConfig is the part of AICoE-CI's configuration that is about the image.
type aicoeConfig struct {
	Build       aicoeBuild `json:"build"`
	OverlaysDir string     `json:"overlays_dir"`
	Overlays    []struct {
		Name  string     `json:"name"`
		Build aicoeBuild `json:"build"`
	} `json:"overlays"`
}

type aicoeBuild struct {
	BaseImage string `json:"base-image"`
	// Strategy is spelled as AICoE-CI spells it.
	Strategy       string `json:"build-stratergy"`
	DockerfilePath string `json:"dockerfile-path"`
}

// fromSource says that a Containerfile is not what is to be built.
func (b *aicoeBuild) fromSource() bool { return strings.EqualFold(b.Strategy, "Source") }

// aicoe reads AICoE-CI's configuration. Of many overlays, each an image of its own, the one for notebooks is taken.
func (r *Repository) aicoe() (*aicoeBuild, error) {
	if !r.isFile(aicoeFile) {
		return &aicoeBuild{}, nil
	}
	data, err := r.read(aicoeFile)
	if err != nil {
		return nil, err
	}
	var config aicoeConfig
	if err := yaml.Unmarshal(data, &config); err != nil {
		return nil, unsupported("%q is no configuration of AICoE-CI: %s", aicoeFile, text.Line(err.Error(), 200))
	}
	build := &config.Build
	if build.BaseImage == "" && len(config.Overlays) > 0 {
		chosen := 0
		for i, o := range config.Overlays {
			if isNotebook(o.Name) || isNotebook(o.Build.BaseImage) {
				chosen = i
				break
			}
		}
		o := &config.Overlays[chosen]
		build = &o.Build
		if dir := path.Join("/", config.OverlaysDir, o.Name)[1:]; config.OverlaysDir != "" && r.isDir(dir) {
			r.overlay = dir
		}
		if len(config.Overlays) > 1 {
			r.ignore("%s: of %d overlays, %q is used", aicoeFile, len(config.Overlays), o.Name)
		}
	}
	r.Base, r.BaseFile = strings.TrimSpace(build.BaseImage), aicoeFile
	return build, nil
}

func isNotebook(name string) bool {
	return strings.Contains(name, "notebook") || strings.Contains(name, "jupyter")
}
