//go:build e2e

package e2e

import (
	"encoding/json"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	imagev1 "github.com/openshift/api/image/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/rest"

	"github.com/meteor-zone/meteor-operator/apis/v1alpha1"
	"github.com/meteor-zone/meteor-operator/hack/operator"
)

var byDigest = regexp.MustCompile(`^[^@]+/jupyter(:1)?@sha256:[0-9a-f]{64}$`)

// goodDay follows one object from its creation until its image is offered.
func goodDay(t *testing.T) {
	u := newUser(t)
	story := watch[*v1alpha1.CustomNBImage](t, u.client, &v1alpha1.CustomNBImageList{}, operator.Named(u.namespace, "minimal"))
	obj := u.imports("minimal", image("jupyter"))
	obj.Annotations = map[string]string{
		v1alpha1.AnnotationNotebookImageName:    "Minimal Python",
		v1alpha1.AnnotationNotebookImageDesc:    "Jupyter and nothing else",
		v1alpha1.AnnotationNotebookImageCreator: "ada@example.org",
		"opendatahub.io/notebook-image-order":   "7",
		"example.org/mine":                      "not passed on",
	}
	u.create(obj)
	obj = u.untilReady("minimal")
	says(t, obj, v1alpha1.PhaseReady, v1alpha1.ReasonSucceeded)
	wantStory(t, story)
	wantResult(t, obj)
	wantRun(t, u, obj)
	if u.streams != nil {
		wantOffer(t, u, obj)
	}
	wantEvents(t, u)
	wantTable(t, u)
}

// wantStory checks what somebody saw who ran kubectl get -w.
func wantStory(t *testing.T, story *record[*v1alpha1.CustomNBImage]) {
	t.Helper()
	var got []string
	events, _ := story.seen()
	for _, e := range events {
		t.Logf("%s: %s", e.kind, describe(e.obj))
		line := string(e.obj.Status.Phase) + " " + string(e.obj.Status.Stage)
		if len(got) == 0 || got[len(got)-1] != line {
			got = append(got, line)
		}
	}
	want := []string{"Pending ", "Building Importing", "Building Validating", "Ready "}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("the story is another than it should be (-want +got):\n%s", diff)
	}
	// A write for each thing that can be seen: the run, the second stage, the end; and that the namespace still waits for
	// its pipelines where a busy machine takes its time.
	if writes := len(events) - 1; writes > 4 {
		t.Errorf("the status was written %d times", writes)
	}
}

func wantResult(t *testing.T, obj *v1alpha1.CustomNBImage) {
	t.Helper()
	st := &obj.Status
	if !byDigest.MatchString(st.Image) || !byDigest.MatchString(st.SourceImage) {
		t.Errorf("want the image by digest, got %q from %q", st.Image, st.SourceImage)
	}
	for _, name := range []string{"Python", "Notebook"} {
		if !slices.ContainsFunc(st.Software, func(s v1alpha1.SoftwareVersion) bool { return strings.Contains(s.Name, name) && s.Version != "" }) {
			t.Errorf("want %s among the software: %v", name, st.Software)
		}
	}
	if !slices.ContainsFunc(st.Packages, func(p v1alpha1.SoftwareVersion) bool { return p.Name == "notebook" && p.Version != "" }) {
		t.Errorf("want the package notebook among the packages: %v", st.Packages)
	}
	if int(st.PackagesTotal) != len(st.Packages) {
		t.Errorf("status.packages has %d of %d packages", len(st.Packages), st.PackagesTotal)
	}
	if len(st.Validation) != 0 || len(st.Builds) != 1 || st.Builds[0].Result != v1alpha1.BuildSucceeded || st.Builds[0].Cause != v1alpha1.CauseCreated {
		t.Errorf("want one build that succeeded and no complaints: %v, %v", st.Builds, st.Validation)
	}
	if st.Builds[0].StartTime.IsZero() || st.Builds[0].CompletionTime.Before(st.Builds[0].StartTime) {
		t.Errorf("want times that make sense: %v", st.Builds[0])
	}
	for _, c := range st.Conditions {
		if c.Status != metav1.ConditionTrue {
			t.Errorf("condition %s is %s: %s", c.Type, c.Status, c.Message)
		}
	}
}

// wantRun checks that there was one run and that it knows for whom it was.
func wantRun(t *testing.T, u *user, obj *v1alpha1.CustomNBImage) {
	t.Helper()
	if made := u.runs.made(ofObject[*pipelineRun](obj.Name)); !slices.Equal(made, []string{obj.Status.PipelineRunName}) {
		t.Fatalf("want the one PipelineRun %q, got %v", obj.Status.PipelineRunName, made)
	}
	run := u.runs.until(t, "the run is seen", func(e event[*pipelineRun]) bool { return e.obj.Name == obj.Status.PipelineRunName })
	for key, value := range obj.Annotations {
		if got, ok := run.Annotations[key]; ok != strings.HasPrefix(key, "opendatahub.io/") || ok && got != value {
			t.Errorf("annotation %s of the PipelineRun is %q", key, got)
		}
	}
	if len(run.OwnerReferences) != 1 || run.OwnerReferences[0].UID != obj.UID {
		t.Errorf("want the object to own the PipelineRun: %v", run.OwnerReferences)
	}
}

// wantOffer checks that the stream was hidden until the image had passed, and what it says since then.
func wantOffer(t *testing.T, u *user, obj *v1alpha1.CustomNBImage) {
	t.Helper()
	u.streams.until(t, "the stream is offered", func(e event[*imagev1.ImageStream]) bool { return offered(e.obj) })
	events, _ := u.streams.seen()
	if first := events[0].obj; offered(first) || len(first.Spec.Tags) != 0 || first.Labels["opendatahub.io/notebook-image"] != "false" {
		t.Errorf("want the stream hidden at first: labels %v, tags %v", first.Labels, first.Spec.Tags)
	}
	stream := events[len(events)-1].obj
	for key, want := range map[string]string{
		v1alpha1.AnnotationNotebookImageName:    "Minimal Python",
		v1alpha1.AnnotationNotebookImageDesc:    "Jupyter and nothing else",
		v1alpha1.AnnotationNotebookImageCreator: "ada@example.org",
		"opendatahub.io/notebook-image-order":   "7",
		"opendatahub.io/notebook-image-url":     string(obj.Spec.FromImage),
		"opendatahub.io/notebook-image-phase":   "Succeeded",
		"example.org/mine":                      "",
	} {
		if got := stream.Annotations[key]; got != want {
			t.Errorf("annotation %s of the stream is %q, not %q", key, got, want)
		}
	}
	if stream.Labels["app.kubernetes.io/created-by"] != "byon" || !stream.Spec.LookupPolicy.Local || len(stream.Spec.Tags) != 1 {
		t.Fatalf("not what the dashboard reads: labels %v, spec %v", stream.Labels, stream.Spec)
	}
	tag := stream.Spec.Tags[0]
	if tag.Name != "1" || tag.From == nil || tag.From.Name != obj.Status.Image || obj.Status.ImageStreamTag != "minimal:1" {
		t.Errorf("want tag 1 to be %s: %v; status.imageStreamTag is %q", obj.Status.Image, tag, obj.Status.ImageStreamTag)
	}
	for _, key := range []string{"opendatahub.io/notebook-software", "opendatahub.io/notebook-python-dependencies"} {
		var list []v1alpha1.SoftwareVersion
		if err := json.Unmarshal([]byte(tag.Annotations[key]), &list); err != nil || len(list) == 0 {
			t.Errorf("annotation %s of the tag is not a list of software: %q, %v", key, tag.Annotations[key], err)
		}
	}
}

func offered(stream *imagev1.ImageStream) bool {
	return stream.Labels["opendatahub.io/notebook-image"] == "true"
}

// wantEvents checks what kubectl describe shows. A busy machine may have had the object wait for its pipelines first.
func wantEvents(t *testing.T, u *user) {
	t.Helper()
	var got []string
	await(t, u.client, "there is an event for the end", func(l *corev1.EventList) bool {
		got = nil
		for _, e := range l.Items {
			if e.InvolvedObject.Kind == "CustomNBImage" && e.Reason != v1alpha1.ReasonWaitingForPipelines {
				got = append(got, e.Type+" "+e.Reason)
			}
		}
		slices.Sort(got)
		return slices.Equal(got, []string{"Normal Importing", "Normal Succeeded"})
	}, func() string { return "events " + strings.Join(got, ", ") }, inNamespace(u))
}

// wantTable checks what kubectl get prints.
func wantTable(t *testing.T, u *user) {
	t.Helper()
	config := rest.CopyConfig(u.config)
	config.APIPath, config.GroupVersion = "/apis", &schema.GroupVersion{Group: "meteor.zone", Version: "v1alpha1"}
	config.NegotiatedSerializer = scheme.Codecs.WithoutConversion()
	c, err := rest.RESTClientFor(config)
	must(t, err)
	raw, err := c.Get().Namespace(u.namespace).Resource("customnbimages").
		SetHeader("Accept", "application/json;as=Table;v=v1;g=meta.k8s.io").DoRaw(t.Context())
	must(t, err)
	table := &metav1.Table{}
	must(t, json.Unmarshal(raw, table))
	var columns, cells []string
	for i, column := range table.ColumnDefinitions {
		if column.Priority == 0 {
			columns = append(columns, column.Name)
			cell, _ := table.Rows[0].Cells[i].(string)
			cells = append(cells, cell)
		}
	}
	t.Logf("%s\n%s", strings.Join(columns, " | "), strings.Join(cells, " | "))
	if diff := cmp.Diff([]string{"Name", "Type", "Phase", "Stage", "Message", "Age"}, columns); diff != "" {
		t.Errorf("the columns are others (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]string{"minimal", "ImageImport", "Ready"}, cells[:3]); diff != "" {
		t.Errorf("the row is another (-want +got):\n%s", diff)
	}
}

func slowToStart(t *testing.T) {
	u := newUser(t)
	u.create(u.imports("slow", image("jupyter-slow")))
	says(t, u.untilDone("slow"), v1alpha1.PhaseReady, v1alpha1.ReasonSucceeded)
}
