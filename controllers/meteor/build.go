package meteor

import (
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/meteor-zone/meteor-operator/apis/v1alpha1"
	"github.com/meteor-zone/meteor-operator/controllers/internal/runs"
)

// build is one build of one pipeline of an object.
type build struct {
	// id is the hash of what decides the build, and what tells it from an earlier one with the same.
	id string
	// attempt is 1 for the first try.
	attempt int32
}

// buildInputs is everything of an object that decides what a pipeline makes of it. How long that is kept is not here:
// editing ttl never builds anything again.
type buildInputs struct {
	UID       string                `json:"uid"`
	Pipeline  string                `json:"pipeline"`
	URL       string                `json:"url"`
	Ref       v1alpha1.GitReference `json:"ref,omitempty"`
	GitSecret string                `json:"gitSecret,omitempty"`
	Rebuild   string                `json:"rebuild,omitempty"`
}

// inputsHash is the part of a build's ID that its inputs decide.
func inputsHash(obj *v1alpha1.Meteor, pipeline string) string {
	return runs.InputsHash(buildInputs{
		UID: string(obj.UID), Pipeline: pipeline, URL: obj.Spec.URL, Ref: obj.Spec.Ref,
		GitSecret: runs.SecretName(obj.Spec.GitSecret), Rebuild: rebuildAsked(obj),
	})
}

// newBuild names the build that the object asks for now, of which the status names the run of the last. The first
// build's ID is the inputs' hash. Later ones have the generation behind it, since an edit can go back to what was before.
func newBuild(obj *v1alpha1.Meteor, pipeline, lastRun string) build {
	hash := inputsHash(obj, pipeline)
	last, ok := parseRunName(lastRun)
	switch {
	case !ok:
		return build{id: hash, attempt: 1}
	case last.id == hash || strings.HasPrefix(last.id, hash+"-"):
		return last
	default:
		return build{id: hash + "-g" + strconv.FormatInt(obj.Generation, 10), attempt: 1}
	}
}

// refreshed is the build that a refresh begins which was due at the given time.
func refreshed(obj *v1alpha1.Meteor, pipeline string, due time.Time) build {
	return build{id: inputsHash(obj, pipeline) + "-t" + runs.DueID(due), attempt: 1}
}

// rebuildAsked is the wish for another build.
func rebuildAsked(obj *v1alpha1.Meteor) string {
	return runs.Wish(obj, v1alpha1.AnnotationRebuild, obj.Status.LastRebuild)
}

// runNamePattern is what a run's name ends with.
var runNamePattern = regexp.MustCompile(`^.*-([0-9a-f]{10}(?:-[gt][0-9a-z]+)?)(?:-r([0-9]{1,3}))?$`)

// runName names the PipelineRun of one attempt.
func (b build) runName(obj *v1alpha1.Meteor, pipeline string) string {
	return runs.Name(obj.Name+"-"+pipeline, b.id, b.attempt)
}

// parseRunName finds the build that a run is an attempt of.
func parseRunName(name string) (build, bool) {
	m := runNamePattern.FindStringSubmatch(name)
	if m == nil {
		return build{}, false
	}
	b := build{id: m[1], attempt: 1}
	if n, err := strconv.ParseInt(m[2], 10, 32); err == nil {
		b.attempt = int32(n)
	}
	return b, true
}
