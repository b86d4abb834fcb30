package main

import (
	"fmt"
	"path"

	v1 "github.com/google/go-containerregistry/pkg/v1"

	"github.com/meteor-zone/meteor-operator/internal/image"
	"github.com/meteor-zone/meteor-operator/internal/repository"
)

// originFlags say which repository an image was built from.
type originFlags struct{ url, commit, plan *string }

func (e *env) origin() originFlags {
	return originFlags{
		url:    e.flags.String("source-url", "", "the repository that the image is built from; empty if from none"),
		commit: e.flags.String("source-commit", "", "its commit"),
		plan:   e.flags.String("plan", "", "how it was built"),
	}
}

// describe makes the image say what it was built from, and start as source-to-image starts what it built.
func (f originFlags) describe(o *image.Options) error {
	if *f.url == "" {
		return nil
	}
	told := map[string]string{
		"org.opencontainers.image.source":   *f.url,
		"org.opencontainers.image.revision": *f.commit,
	}
	plan, err := repository.ParsePlan(*f.plan)
	if err != nil {
		return &usageError{fmt.Errorf("cannot read plan: %w", err)}
	}
	o.Annotations = told
	o.CreatedBy = fmt.Sprintf("COPY %s#%s %s", *f.url, *f.commit, path.Join("share/meteor/repository", repository.NameOf(*f.url)))
	o.Edit = func(c *v1.Config) {
		if c.Labels == nil {
			c.Labels = map[string]string{}
		}
		for key, value := range told {
			c.Labels[key] = value
		}
		if plan.S2I {
			c.Cmd = []string{path.Join(plan.Scripts, "run")}
		}
	}
	return nil
}
