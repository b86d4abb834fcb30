package customnbimage

import (
	"crypto/sha256"
	"encoding/hex"
	"strconv"
	"strings"

	"github.com/meteor-zone/meteor-operator/apis/v1alpha1"
	"github.com/meteor-zone/meteor-operator/controllers/internal/runs"
)

// build is one build of an object.
type build struct {
	// id is the hash of what decides the build.
	id string
	// attempt is 1 for the first try.
	attempt int32
	cause   v1alpha1.BuildCause
}

// buildInputs is everything of an object that decides what its image is. What only decides how the build runs (timeout,
// resources, suspend, refresh) is not here: editing it never builds a good image again.
type buildInputs struct {
	UID                string                       `json:"uid"`
	BuildType          v1alpha1.BuildType           `json:"buildType"`
	FromImage          v1alpha1.ImageReference      `json:"fromImage,omitempty"`
	Base               string                       `json:"base,omitempty"`
	RuntimeEnvironment *v1alpha1.RuntimeEnvironment `json:"runtimeEnvironment,omitempty"`
	Packages           []string                     `json:"packages,omitempty"`
	Repository         string                       `json:"repository,omitempty"`
	GitRef             v1alpha1.GitReference        `json:"gitRef,omitempty"`
	PullSecret         string                       `json:"pullSecret,omitempty"`
	GitSecret          string                       `json:"gitSecret,omitempty"`
	Rebuild            string                       `json:"rebuild,omitempty"`
}

// inputsHash is the part of a build's ID that its inputs decide.
func inputsHash(obj *v1alpha1.CustomNBImage) string {
	spec := &obj.Spec
	return runs.InputsHash(buildInputs{
		UID:                string(obj.UID),
		BuildType:          spec.BuildType.Canonical(),
		FromImage:          spec.FromImage,
		Base:               spec.Base(),
		RuntimeEnvironment: spec.RuntimeEnvironment,
		Packages:           spec.PackageVersions,
		Repository:         spec.RepositoryAddress(),
		GitRef:             spec.GitRef,
		PullSecret:         runs.SecretName(spec.ImagePullSecret),
		GitSecret:          runs.SecretName(spec.GitSecret),
		Rebuild:            rebuildAsked(obj),
	})
}

// newBuild names the build that the object asks for now. The first build's ID is the inputs' hash. Later ones have the
// generation behind it, or the time that a refresh was due, since the same inputs can be asked for once more: when an edit goes back to them, and when an
// edit that changes no input follows a failure. Who edits a failed object wants it tried again.
func newBuild(obj *v1alpha1.CustomNBImage) build {
	hash, current := inputsHash(obj), obj.Status.BuildID
	again := hash + "-" + strconv.FormatInt(obj.Generation, 10)
	switch {
	case current == "":
		return build{id: hash, attempt: 1, cause: v1alpha1.CauseCreated}
	case !sameInputs(current, hash):
		if rebuildAsked(obj) != obj.Status.LastRebuild {
			// No generation tells one wish from another, and a value may come back: the build that it follows does.
			return build{id: hash + "-" + follow(current), attempt: 1, cause: v1alpha1.CauseRebuild}
		}
		return build{id: again, attempt: 1, cause: v1alpha1.CauseSpecChanged}
	case failed(obj) && obj.Status.ObservedGeneration < obj.Generation:
		return build{id: again, attempt: 1, cause: v1alpha1.CauseSpecChanged}
	default:
		return build{id: current, attempt: obj.Status.Retries + 1, cause: lastCause(obj)}
	}
}

// follow is a short name for what comes after a build.
func follow(id string) string {
	sum := sha256.Sum256([]byte(id))
	return "f" + hex.EncodeToString(sum[:])[:8]
}

// rebuildAsked is the wish for another build.
func rebuildAsked(obj *v1alpha1.CustomNBImage) string {
	return runs.Wish(obj, v1alpha1.AnnotationRebuild, obj.Status.LastRebuild)
}

// sameInputs tells whether the build of the given ID has the inputs of the given hash.
func sameInputs(id, hash string) bool { return id == hash || strings.HasPrefix(id, hash+"-") }

// lastCause is the cause of the build that the status tells about.
func lastCause(obj *v1alpha1.CustomNBImage) v1alpha1.BuildCause {
	if record := newestRecord(obj); record != nil {
		return record.Cause
	}
	return v1alpha1.CauseCreated
}

func failed(obj *v1alpha1.CustomNBImage) bool {
	record := newestRecord(obj)
	return record != nil && record.ID == obj.Status.BuildID && record.Result != "" && record.Result != v1alpha1.BuildSucceeded
}

func newestRecord(obj *v1alpha1.CustomNBImage) *v1alpha1.BuildRecord {
	if len(obj.Status.Builds) == 0 {
		return nil
	}
	return &obj.Status.Builds[0]
}

// runName names the PipelineRun of one attempt.
func (b build) runName(obj *v1alpha1.CustomNBImage) string {
	return runs.Name(obj.Name, b.id, b.attempt)
}
