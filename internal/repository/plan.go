package repository

import (
	"bytes"
	"encoding/json"
	"slices"
	"strings"

	"github.com/meteor-zone/meteor-operator/internal/text"
)

// maxPlan is the size that an encoded Plan keeps within.
const maxPlan = 1 << 10

// Plan says how an image is built. It travels as a result from the step that decides to those that build.
type Plan struct {
	// Kind is how.
	Kind Kind `json:"kind"`
	// Files are those that decide what is in the image.
	Files []string `json:"files"`
	// Base is the image that is built on, as it is named; empty where a Containerfile says it.
	Base string `json:"base,omitempty"`
	// S2I says that the base image brings the program that builds, in the folder Scripts.
	S2I     bool   `json:"s2i"`
	Scripts string `json:"scripts,omitempty"`
	// Ignored says what was found and is not used.
	Ignored []string `json:"ignored,omitempty"`
}

// Choice is what others than the repository say.
type Choice struct {
	// Base is the image that the user named, Default the one that is used if nobody names one.
	Base, Default string
	// Containerfiles says whether they may be built.
	Containerfiles bool
}

// Decide makes a plan. What the base image brings is yet to be found out: OnBase adds it.
func (r *Repository) Decide(c Choice) (*Plan, error) {
	p := &Plan{Kind: Layer, Files: []string{}, Ignored: r.Ignored}
	if r.Containerfile != "" {
		if !c.Containerfiles {
			return nil, unsupported("%q cannot be built: builds of Containerfiles are switched off here; an admin can allow them in CNBiConfig, spec.build.containerfiles", r.Containerfile)
		}
		p.Kind, p.Files = Containerfile, []string{r.Containerfile}
		for _, image := range []string{c.Base} {
			if image != "" {
				p.ignore("builderImage " + image + ": " + r.Containerfile + " says what to build on")
			}
		}
		if r.Packages != "" {
			p.ignore(r.Packages + ": " + r.Containerfile + " is used")
		}
		if r.PostBuild {
			p.ignore(postBuild + ": " + r.Containerfile + " is used")
		}
		return p, nil
	}
	if len(r.unsupported) > 0 {
		return nil, unsupported("%q cannot be honoured: %s", r.unsupported[0], Unsupported[r.unsupported[0]])
	}
	switch {
	case c.Base != "":
		p.Base = c.Base
		if r.Base != "" && r.Base != c.Base {
			p.ignore(r.BaseFile + ": base image " + r.Base + ", since another was chosen")
		}
	case r.Base != "":
		p.Base, p.Files = r.Base, append(p.Files, r.BaseFile)
	case c.Default != "":
		p.Base = c.Default
	default:
		return nil, unsupported("The repository does not say what to build on: name a builderImage or a runtimeEnvironment, or add a Containerfile, or %s with a base-image", aicoeFile)
	}
	if err := r.checkPostBuild(); err != nil {
		return nil, err
	}
	return p, nil
}

func (r *Repository) checkPostBuild() error {
	if !r.PostBuild {
		return nil
	}
	info, err := r.root.Stat(postBuild)
	if err == nil && info.Mode()&0o111 == 0 {
		return unsupported("%q is not executable: mark it with git update-index --chmod=+x %s", postBuild, postBuild)
	}
	return err
}

// OnBase completes the plan by what the base image says of itself, and checks that the files can be honoured.
func (r *Repository) OnBase(p *Plan, labels map[string]string) error {
	if p.Kind != Layer {
		return nil
	}
	for _, key := range []string{"io.openshift.s2i.scripts-url", "io.s2i.scripts-url"} {
		if dir, ok := strings.CutPrefix(labels[key], "image://"); ok && strings.HasPrefix(dir, "/") {
			p.S2I, p.Scripts = true, dir
		}
	}
	if r.Packages != "" {
		p.Files = append(p.Files, r.Packages)
	}
	if r.PostBuild {
		p.Files = append(p.Files, postBuild)
	}
	if p.S2I {
		if strings.HasPrefix(r.Packages, "environment.y") {
			return unsupported("%q cannot be honoured: the base image builds with its own assemble, which takes no conda environments", r.Packages)
		}
		return nil
	}
	w, err := r.Wishes()
	if err != nil {
		return err
	}
	for _, note := range w.Ignored {
		p.ignore(note)
	}
	return nil
}

func (p *Plan) ignore(note string) {
	p.Ignored = append(p.Ignored, text.Line(note, 160))
}

// Encode returns the plan as JSON that fits into a result. Notes that do not fit are counted.
func (p *Plan) Encode() string {
	q := *p
	for left := 0; ; left++ {
		if left > 0 {
			q.Ignored = slices.Concat(p.Ignored[:len(p.Ignored)-left], []string{"…"})
		}
		data, err := json.Marshal(&q)
		// A dollar sign may mean something to what hands the result on.
		data = bytes.ReplaceAll(data, []byte("$"), []byte(`\u0024`))
		if err == nil && len(data) <= maxPlan || left >= len(p.Ignored) {
			return string(data)
		}
	}
}

// ParsePlan reads a plan that a trusted step wrote.
func ParsePlan(data string) (*Plan, error) {
	p := &Plan{}
	return p, json.Unmarshal([]byte(data), p)
}
