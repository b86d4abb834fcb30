package runs

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"strconv"
	"strings"
	"time"

	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/meteor-zone/meteor-operator/apis/v1alpha1"
)

// Hash is the SHA-256 of a value's JSON, in hexadecimal.
func Hash(v any) string {
	data, err := json.Marshal(v)
	if err != nil {
		panic(err) // texts and API objects always marshal
	}
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:])
}

// InputsHash is the part of a build's ID that its inputs decide: 10 hexadecimal characters.
func InputsHash(inputs any) string { return Hash(inputs)[:10] }

// Name names the run of one attempt at a build, the first of which is 1: the same facts give the same name, whatever
// crashes, so that a build cannot be started twice.
func Name(prefix, build string, attempt int32) string {
	suffix := "-" + build
	if attempt > 1 {
		suffix += "-r" + strconv.FormatInt(int64(attempt), 10)
	}
	return Bounded(prefix, suffix)
}

// Bounded cuts a name so that it leaves room in a label value (63 characters) for what Tekton appends for TaskRuns.
func Bounded(name, suffix string) string {
	const limit = 48
	if len(name)+len(suffix) > limit {
		name = strings.TrimRight(name[:limit-len(suffix)], "-.")
	}
	return name + suffix
}

// DueID tells what an object was due for at different times apart, also after a crash.
func DueID(due time.Time) string { return strconv.FormatInt(due.Unix(), 36) }

// LookName names the run that looks at an object's source at a time. Names that are cut can be alike, and times are, so
// the object's UID tells them apart.
func LookName(obj client.Object, due time.Time) string {
	return Bounded(obj.GetName(), "-look-"+Hash(obj.GetUID())[:10]+"-"+DueID(due))
}

// Wish is the value of an annotation, or its hash where it is longer than the status holds. Who takes the annotation off
// asks for nothing: then it is the value that was acted on last.
func Wish(obj client.Object, annotation, last string) string {
	const limit = 256
	value := obj.GetAnnotations()[annotation]
	if value == "" {
		return last
	}
	if len(value) <= limit {
		return value
	}
	sum := sha256.Sum256([]byte(value))
	return hex.EncodeToString(sum[:])
}

// MaxAttempts bounds how often one build is tried when the platform fails it.
func MaxAttempts(config *v1alpha1.BuildSpec) int32 {
	const retries = 5
	if config.Retries != nil {
		return *config.Retries + 1
	}
	return retries + 1
}

// RetryDelay is how long after the end of the given attempt the next one starts.
func RetryDelay(attempt int32) time.Duration {
	const first, longest = 10 * time.Second, 160 * time.Second
	delay := first
	for ; attempt > 1 && delay < longest; attempt-- {
		delay *= 2
	}
	return min(delay, longest)
}
