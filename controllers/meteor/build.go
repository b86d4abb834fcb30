package meteor

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/meteor-zone/meteor-operator/apis/v1alpha1"
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

// inputsHash is 10 hexadecimal characters of a SHA-256.
func inputsHash(obj *v1alpha1.Meteor, pipeline string) string {
	data, err := json.Marshal(buildInputs{
		UID: string(obj.UID), Pipeline: pipeline, URL: obj.Spec.URL, Ref: obj.Spec.Ref,
		GitSecret: secretName(obj.Spec.GitSecret), Rebuild: rebuildAsked(obj),
	})
	if err != nil {
		panic(err) // strings always marshal
	}
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:])[:10]
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
	return build{id: inputsHash(obj, pipeline) + "-t" + dueID(due), attempt: 1}
}

// dueID tells the refreshes of one object apart, also after a crash.
func dueID(due time.Time) string { return strconv.FormatInt(due.Unix(), 36) }

// rebuildAsked is the wish for another build. Who takes the annotation off asks for nothing: then it is the value that
// was acted on last.
func rebuildAsked(obj *v1alpha1.Meteor) string {
	const limit = 256
	value := obj.Annotations[v1alpha1.AnnotationRebuild]
	if value == "" {
		return obj.Status.LastRebuild
	}
	if len(value) <= limit {
		return value
	}
	sum := sha256.Sum256([]byte(value))
	return hex.EncodeToString(sum[:])
}

// runNamePattern is what a run's name ends with.
var runNamePattern = regexp.MustCompile(`^.*-([0-9a-f]{10}(?:-[gt][0-9a-z]+)?)(?:-r([0-9]{1,3}))?$`)

// runName names the PipelineRun of one attempt: the same facts give the same name, whatever crashes, so that a build
// cannot be started twice.
func (b build) runName(obj *v1alpha1.Meteor, pipeline string) string {
	suffix := "-" + b.id
	if b.attempt > 1 {
		suffix += "-r" + strconv.FormatInt(int64(b.attempt), 10)
	}
	return bounded(obj.Name+"-"+pipeline, suffix)
}

// bounded cuts a name so that it leaves room in a label value (63 characters) for what Tekton appends for TaskRuns.
func bounded(name, suffix string) string {
	const limit = 48
	if len(name)+len(suffix) > limit {
		name = strings.TrimRight(name[:limit-len(suffix)], "-.")
	}
	return name + suffix
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

// retryDelay is how long after the end of the given attempt the next one starts.
func retryDelay(attempt int32) time.Duration {
	const first, longest = 10 * time.Second, 160 * time.Second
	delay := first
	for ; attempt > 1 && delay < longest; attempt-- {
		delay *= 2
	}
	return min(delay, longest)
}

func secretName(ref *v1alpha1.LocalSecretReference) string {
	if ref == nil {
		return ""
	}
	return ref.Name
}
