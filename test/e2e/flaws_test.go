//go:build e2e

package e2e

import (
	"encoding/json"
	"slices"
	"testing"

	imagev1 "github.com/openshift/api/image/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/meteor-zone/meteor-operator/apis/v1alpha1"
)

func inNamespace(u *user) client.ListOption { return client.InNamespace(u.namespace) }

func imageDoesNotExist(t *testing.T) {
	u := newUser(t)
	for name, ref := range map[string]string{
		"no-such-tag":        image("jupyter") + "-of-nobody",
		"no-such-repository": image("nobody-has-this"),
	} {
		u.create(u.imports(name, ref))
		obj := u.untilDone(name)
		says(t, obj, v1alpha1.PhaseFailed, v1alpha1.ReasonImageNotFound, ref)
		if c := condition(obj, v1alpha1.ConditionImageBuilt); c.Reason != v1alpha1.ReasonImageNotFound {
			t.Errorf("condition ImageBuilt has reason %s", c.Reason)
		}
		neverOffered(t, u, name)
	}
}

// flaws are what is wrong with a test image, and what the object says about it.
func flaws() map[string]map[v1alpha1.ValidationCheck]string {
	const startup, python, jupyter, home = "startup", "python", "jupyter", "home"
	return map[string]map[v1alpha1.ValidationCheck]string{
		"no-python":      {python: "Python not found"},
		"old-python":     {"python-version": "Python version does not meet minimal required version ('3.8.0'): found 3."},
		"no-jupyter":     {jupyter: "Missing 'jupyterlab' python package"},
		"never-listens":  {startup: "did not answer on port 8888 within"},
		"ignores-prefix": {startup: "answers on port 8888, but not under $NB_PREFIX"},
		"needs-root":     {startup: "ended by itself with exit code"},
		"crashes-later":  {startup: "after it had answered"},
	}
}

func flawedImages(t *testing.T) {
	for short, want := range flaws() {
		t.Run(short, func(t *testing.T) {
			t.Parallel()
			u := newUser(t)
			u.create(u.imports(short, image(short)))
			obj := u.untilDone(short)
			says(t, obj, v1alpha1.PhaseFailed, v1alpha1.ReasonValidationFailed)
			checks(t, obj, want)
			if obj.Status.Image != "" {
				t.Errorf("an image that failed is in status.image: %s", obj.Status.Image)
			}
			neverOffered(t, u, short)
		})
	}
}

func notebookNeedsMemory(t *testing.T) {
	u := newUser(t)
	obj := u.imports("hungry", image("memory-hungry"))
	obj.Spec.Resources = &corev1.ResourceRequirements{Limits: corev1.ResourceList{corev1.ResourceMemory: resource.MustParse("512Mi")}}
	u.create(obj)
	obj = u.untilDone("hungry")
	says(t, obj, v1alpha1.PhaseFailed, v1alpha1.ReasonValidationFailed, "out of memory", "spec.resources.limits.memory")
	checks(t, obj, map[v1alpha1.ValidationCheck]string{"startup": "out of memory"})
	neverOffered(t, u, "hungry")
}

// neverOffered checks that nobody was ever shown an image of the object as one to choose, and that there was one run.
func neverOffered(t *testing.T, u *user, name string) {
	t.Helper()
	if made := u.runs.made(ofObject[*pipelineRun](name)); len(made) != 1 {
		t.Errorf("%s: want one PipelineRun, got %v", name, made)
	}
	if u.streams == nil {
		return
	}
	stream := u.streams.until(t, "the stream of "+name+" says Failed", func(e event[*imagev1.ImageStream]) bool {
		return e.obj.Name == name && e.obj.Annotations["opendatahub.io/notebook-image-phase"] == "Failed"
	})
	var messages []struct{ Severity, Message string }
	err := json.Unmarshal([]byte(stream.Annotations["opendatahub.io/notebook-image-messages"]), &messages)
	if err != nil || len(messages) == 0 || messages[0].Message == "" {
		t.Errorf("%s: want the stream to say why: %v, %v", name, stream.Annotations, err)
	}
	events, _ := u.streams.seen()
	if slices.ContainsFunc(events, func(e event[*imagev1.ImageStream]) bool {
		return e.obj.Name == name && (offered(e.obj) || len(e.obj.Spec.Tags) != 0)
	}) {
		t.Errorf("%s was offered at some time", name)
	}
}
