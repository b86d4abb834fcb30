//go:build e2e

package e2e

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	imagev1 "github.com/openshift/api/image/v1"
	tektonv1 "github.com/tektoncd/pipeline/pkg/apis/pipeline/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/meteor-zone/meteor-operator/apis/v1alpha1"
)

type pipelineRun = tektonv1.PipelineRun

// edits start a new run each, and keep the stream with the image that was good last.
func edits(t *testing.T) {
	u := newUser(t)
	u.create(u.imports("edited", image("jupyter")))
	first := u.untilReady("edited")
	before := u.stream("edited")

	u.edit("edited", func(obj *v1alpha1.CustomNBImage) { obj.Spec.FromImage = v1alpha1.ImageReference(image("no-jupyter")) })
	building := u.until("edited", "builds again", func(obj *v1alpha1.CustomNBImage) bool { return obj.Status.BuildID != first.Status.BuildID })
	if building.Status.Phase != v1alpha1.PhaseBuilding || building.Status.Image != first.Status.Image {
		t.Errorf("want the image of before while another is built: %s, image %q", describe(building), building.Status.Image)
	}
	bad := u.untilDone("edited")
	says(t, bad, v1alpha1.PhaseFailed, v1alpha1.ReasonValidationFailed)
	if bad.Status.Image != first.Status.Image {
		t.Errorf("want the image that was good last to stay: %q", bad.Status.Image)
	}

	u.edit("edited", func(obj *v1alpha1.CustomNBImage) { obj.Spec.FromImage = v1alpha1.ImageReference(image("jupyter-slow")) })
	second := u.untilReady("edited")
	if second.Status.Image == first.Status.Image {
		t.Errorf("want another image after the edit: %q", second.Status.Image)
	}
	if got := results(second); !slices.Equal(got, []v1alpha1.BuildResult{v1alpha1.BuildSucceeded, v1alpha1.BuildFailed, v1alpha1.BuildSucceeded}) {
		t.Errorf("want the history of three builds, got %v", got)
	}
	if made := u.runs.made(ofObject[*pipelineRun]("edited")); len(made) != 3 {
		t.Errorf("want three runs, got %v", made)
	}
	// A label alone is no edit of what is built.
	u.edit("edited", func(obj *v1alpha1.CustomNBImage) { obj.Labels = map[string]string{"example.org/mine": "yes"} })
	u.edit("edited", func(obj *v1alpha1.CustomNBImage) { obj.Spec.Timeout = &metav1.Duration{Duration: patience} })
	third := u.untilReady("edited")
	if third.Status.BuildID != second.Status.BuildID {
		t.Errorf("an edit that decides nothing about the image started build %s", third.Status.BuildID)
	}
	if before == nil {
		return
	}
	after := u.stream("edited")
	if after.UID != before.UID || len(after.Spec.Tags) != 1 || after.Spec.Tags[0].From.Name != second.Status.Image {
		t.Errorf("want the same stream with the new image, got %v", after)
	}
	events, _ := u.streams.seen()
	if i := slices.IndexFunc(events, func(e event[*imagev1.ImageStream]) bool { return offered(e.obj) }); slices.ContainsFunc(events[i:], func(e event[*imagev1.ImageStream]) bool {
		return !offered(e.obj) || len(e.obj.Spec.Tags) != 1
	}) {
		t.Error("the last good image was not offered all the time")
	}
}

func results(obj *v1alpha1.CustomNBImage) []v1alpha1.BuildResult {
	var out []v1alpha1.BuildResult
	for _, build := range obj.Status.Builds {
		out = append(out, build.Result)
	}
	return out
}

// stream is the ImageStream of an object, nil where there are none.
func (u *user) stream(name string) *imagev1.ImageStream {
	u.t.Helper()
	if u.streams == nil {
		return nil
	}
	stream := &imagev1.ImageStream{}
	must(u.t, on.Client.Get(u.t.Context(), u.key(name), stream))
	return stream
}

// editedAndTakenBack changes its mind while the first build runs, and changes it back.
func editedAndTakenBack(t *testing.T) {
	u := newUser(t)
	u.create(u.imports("fickle", image("jupyter-slow")))
	first := u.untilStage("fickle", v1alpha1.StageImporting)
	u.edit("fickle", func(obj *v1alpha1.CustomNBImage) {
		obj.Spec.FromImage = v1alpha1.ImageReference(image("never-listens"))
	})
	u.until("fickle", "builds what the edit asks for", func(obj *v1alpha1.CustomNBImage) bool { return obj.Status.BuildID != first.Status.BuildID })
	u.edit("fickle", func(obj *v1alpha1.CustomNBImage) { obj.Spec.FromImage = v1alpha1.ImageReference(image("jupyter-slow")) })
	obj := u.untilReady("fickle")
	if made := u.runs.made(ofObject[*pipelineRun]("fickle")); len(made) != 3 {
		t.Errorf("want a run for each of the three wishes, got %v", made)
	}
	u.onlyRun(obj)
}

// onlyRun waits until nothing but the object's present run is left of its runs, and what it made.
func (u *user) onlyRun(obj *v1alpha1.CustomNBImage) {
	u.t.Helper()
	want := []string{obj.Status.PipelineRunName}
	var got []string
	await(u.t, on.Client, "the other runs are gone", func(l *tektonv1.PipelineRunList) bool {
		got = nil
		for i := range l.Items {
			got = append(got, l.Items[i].Name)
		}
		return slices.Equal(got, want)
	}, func() string { return cmp.Diff(want, got) }, labelled(u.namespace, obj.Name)...)
}

// suspended starts nothing, and ends what runs.
func suspended(t *testing.T) {
	u := newUser(t)
	obj := u.imports("patient", image("jupyter-slow"))
	obj.Spec.Suspend = true
	u.create(obj)
	says(t, u.untilReason("patient", v1alpha1.ReasonSuspended), v1alpha1.PhasePending, v1alpha1.ReasonSuspended, "spec.suspend")
	if made := u.runs.made(ofObject[*pipelineRun]("patient")); len(made) != 0 {
		t.Errorf("a suspended object started %v", made)
	}
	u.edit("patient", func(obj *v1alpha1.CustomNBImage) { obj.Spec.Suspend = false })
	u.untilStage("patient", v1alpha1.StageValidating)
	u.edit("patient", func(obj *v1alpha1.CustomNBImage) { obj.Spec.Suspend = true })
	says(t, u.untilReason("patient", v1alpha1.ReasonSuspended), v1alpha1.PhasePending, v1alpha1.ReasonSuspended)
	gone(t, "the runs of a suspended object", &tektonv1.PipelineRunList{}, labelled(u.namespace, "patient")...)
	u.edit("patient", func(obj *v1alpha1.CustomNBImage) { obj.Spec.Suspend = false })
	u.onlyRun(u.untilReady("patient"))
}

// foreignStream has the name that the object needs, and stays as it is.
func foreignStream(t *testing.T) {
	u := newUser(t)
	theirs := &imagev1.ImageStream{
		ObjectMeta: metav1.ObjectMeta{Name: "taken", Namespace: u.namespace, Labels: map[string]string{"whose": "theirs"}},
	}
	must(t, on.Client.Create(t.Context(), theirs))
	u.create(u.imports("taken", image("jupyter")))
	obj := u.untilReason("taken", v1alpha1.ReasonConflictingObject)
	says(t, obj, obj.Status.Phase, v1alpha1.ReasonConflictingObject, `ImageStream "taken"`)
	if now := u.stream("taken"); now.ResourceVersion != theirs.ResourceVersion {
		t.Errorf("somebody else's stream was changed: %v", now)
	}
	must(t, on.Client.Delete(t.Context(), theirs))
	obj = u.until("taken", "is ready", func(obj *v1alpha1.CustomNBImage) bool { return obj.Status.Phase == v1alpha1.PhaseReady })
	says(t, obj, v1alpha1.PhaseReady, v1alpha1.ReasonSucceeded)
	if made := u.runs.made(ofObject[*pipelineRun]("taken")); len(made) != 1 {
		t.Errorf("want no other run because of a name, got %v", made)
	}
	if !offered(u.stream("taken")) {
		t.Error("want the image offered now that the name is free")
	}
}

// adminEditsStream changes what is shown, which stays through another build.
func adminEditsStream(t *testing.T) {
	u := newUser(t)
	obj := u.imports("shown", image("jupyter"))
	obj.Annotations = map[string]string{v1alpha1.AnnotationNotebookImageName: "By its user"}
	u.create(obj)
	u.untilReady("shown")
	stream := u.stream("shown")
	before := stream.DeepCopy()
	stream.Annotations[v1alpha1.AnnotationNotebookImageName] = "By the admin"
	stream.Labels["opendatahub.io/notebook-image"] = "false"
	must(t, on.Client.Patch(t.Context(), stream, client.MergeFrom(before), client.FieldOwner("dashboard")))
	u.edit("shown", func(obj *v1alpha1.CustomNBImage) {
		obj.Spec.FromImage = v1alpha1.ImageReference(image("jupyter-slow"))
		obj.Annotations[v1alpha1.AnnotationNotebookImageDesc] = "Another"
	})
	obj = u.untilReady("shown")
	stream = u.stream("shown")
	if got := stream.Annotations[v1alpha1.AnnotationNotebookImageName]; got != "By the admin" {
		t.Errorf("the admin's name is gone: %q", got)
	}
	if offered(stream) {
		t.Error("the admin's hiding is gone")
	}
	if got := stream.Annotations[v1alpha1.AnnotationNotebookImageDesc]; got != "Another" || stream.Spec.Tags[0].From.Name != obj.Status.Image {
		t.Errorf("want what is ours to follow the object: %q, %v", got, stream.Spec.Tags)
	}
}

// runLosesItsLabel has somebody take the label off a run by which the operator knows it. That is told, with the way
// out, and not answered with a second run.
func runLosesItsLabel(t *testing.T) {
	u := newUser(t)
	u.create(u.imports("notebook", image("jupyter-slow")))
	run := &pipelineRun{}
	must(t, u.client.Get(t.Context(), u.key(u.untilStage("notebook", v1alpha1.StageValidating).Status.PipelineRunName), run))
	before := run.DeepCopy()
	delete(run.Labels, v1alpha1.LabelPartOf)
	must(t, u.client.Patch(t.Context(), run, client.MergeFrom(before)))
	if told := ready(u.untilReason("notebook", v1alpha1.ReasonConflictingObject)).Message; !strings.Contains(told, run.Name) || !strings.Contains(told, "remove it") {
		t.Errorf("want the way out to be told: %s", told)
	}
	if made := u.runs.made(ofObject[*pipelineRun]("notebook")); len(made) != 1 {
		t.Errorf("want one run, got %v", made)
	}
	must(t, u.client.Delete(t.Context(), run))
	u.untilReady("notebook")
}
