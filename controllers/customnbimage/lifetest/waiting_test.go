package lifetest

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	imagev1 "github.com/openshift/api/image/v1"
	tektonv1 "github.com/tektoncd/pipeline/pkg/apis/pipeline/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/meteor-zone/meteor-operator/apis/v1alpha1"
	"github.com/meteor-zone/meteor-operator/controllers/internal/fixture"
	"github.com/meteor-zone/meteor-operator/controllers/internal/testenv"
)

// TestTektonComesLater is a cluster that gets Tekton when the operator is there already.
func TestTektonComesLater(t *testing.T) {
	w := newWorld(t, false, false)
	w.start()
	w.create(fixture.Import(w.namespace, "notebook", source).Obj())
	w.is("notebook", "waiting for Tekton", phaseIs(v1alpha1.PhasePending, v1alpha1.ReasonTektonUnavailable),
		conditionIs(v1alpha1.ConditionPipelinesInstalled, v1alpha1.ReasonTektonUnavailable))

	env.InstallTekton(t)
	w.pass(w.run("notebook"))
	w.is("notebook", "ready", phaseIs(v1alpha1.PhaseReady, v1alpha1.ReasonSucceeded))

	env.RemoveTekton(t)
	w.stays("notebook", "ready without Tekton", phaseIs(v1alpha1.PhaseReady, v1alpha1.ReasonSucceeded))
	w.create(fixture.Import(w.namespace, "another", source).Obj())
	w.is("another", "waiting for Tekton", phaseIs(v1alpha1.PhasePending, v1alpha1.ReasonTektonUnavailable))

	env.InstallTekton(t)
	w.pass(w.run("another"))
	w.is("another", "ready", phaseIs(v1alpha1.PhaseReady, v1alpha1.ReasonSucceeded))
	if n := len(w.runs("notebook")); n != 0 {
		t.Errorf("an image that is ready was built again when Tekton came back: %d runs", n)
	}
}

// TestSecretComesLater is a pull secret that is not there yet.
func TestSecretComesLater(t *testing.T) {
	w := newWorld(t, true, false)
	m := w.start()
	w.warm(m)
	w.create(fixture.Import(w.namespace, "notebook", source).Edit(func(o *v1alpha1.CustomNBImage) {
		o.Spec.ImagePullSecret = &v1alpha1.LocalSecretReference{Name: "pull"}
	}).Obj())
	obj := w.is("notebook", "waiting for the secret", phaseIs(v1alpha1.PhasePending, v1alpha1.ReasonSecretMissing))
	if c := obj.Status.Conditions[0]; !strings.Contains(c.Message, `"pull"`) {
		t.Errorf("the message names no secret: %s", c.Message)
	}
	if n := len(w.runs("notebook")); n != 0 {
		t.Errorf("want no run, got %d", n)
	}
	w.create(&corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{Namespace: w.namespace, Name: "pull"},
		Type:       corev1.SecretTypeDockerConfigJson,
		Data:       map[string][]byte{corev1.DockerConfigJsonKey: []byte(`{"auths":{}}`)},
	})
	run := w.run("notebook")
	i := slices.IndexFunc(run.Spec.Params, func(p tektonv1.Param) bool { return p.Name == "pullSecret" })
	if i < 0 || run.Spec.Params[i].Value.StringVal != "pull" {
		t.Errorf("the secret is not among the run's params: %+v", run.Spec.Params)
	}
	if diff := cmp.Diff([]corev1.LocalObjectReference{{Name: "pull"}}, run.Spec.TaskRunTemplate.PodTemplate.ImagePullSecrets); diff != "" {
		t.Errorf("the pods' pull secrets\n-want, +got:\n%s", diff)
	}
	w.pass(run)
	w.is("notebook", "ready", phaseIs(v1alpha1.PhaseReady, v1alpha1.ReasonSucceeded))
	got := m.counted()
	delete(got, "get secrets") // asked for now and then, since Secrets are not cached
	if diff := cmp.Diff(map[string]int{"create pipelineruns": 1, "apply customnbimages/status": 4}, got); diff != "" {
		t.Errorf("waiting is told once\n-want, +got:\n%s", diff)
	}
}

// TestImageStreamsComeAndGo is a cluster that gets ImageStreams later, and loses them.
func TestImageStreamsComeAndGo(t *testing.T) {
	w := newWorld(t, true, false)
	w.start()
	w.create(fixture.Import(w.namespace, "notebook", source).Obj())
	w.pass(w.run("notebook"))
	w.is("notebook", "ready by reference", phaseIs(v1alpha1.PhaseReady, v1alpha1.ReasonSucceeded),
		conditionIs(v1alpha1.ConditionImagePublished, v1alpha1.ReasonNotPublished))

	env.InstallImageStreams(t)
	w.streamIs("notebook", "offered", offers)
	obj := w.is("notebook", "published", phaseIs(v1alpha1.PhaseReady, v1alpha1.ReasonSucceeded),
		conditionIs(v1alpha1.ConditionImagePublished, v1alpha1.ReasonSucceeded))
	if obj.Status.ImageStreamTag != "notebook:1.2" {
		t.Errorf("imageStreamTag is %q", obj.Status.ImageStreamTag)
	}

	env.RemoveImageStreams(t)
	obj = w.is("notebook", "ready by reference", phaseIs(v1alpha1.PhaseReady, v1alpha1.ReasonSucceeded),
		conditionIs(v1alpha1.ConditionImagePublished, v1alpha1.ReasonNotPublished))
	if obj.Status.ImageStreamTag != "" {
		t.Errorf("imageStreamTag is %q", obj.Status.ImageStreamTag)
	}
	w.create(fixture.Import(w.namespace, "another", source).Obj())
	w.pass(w.run("another"))
	w.is("another", "ready by reference", phaseIs(v1alpha1.PhaseReady, v1alpha1.ReasonSucceeded))

	env.InstallImageStreams(t)
	w.streamIs("notebook", "offered again", offers)
	w.streamIs("another", "offered", offers)
}

// TestImageStreamsWanted is an admin who wants ImageStreams where there are none.
func TestImageStreamsWanted(t *testing.T) {
	w := newWorld(t, true, false)
	w.configure(func(c *v1alpha1.CNBiConfig) { c.Spec.Publish.ImageStreams = v1alpha1.ImageStreamsAlways })
	w.start()
	w.create(fixture.Import(w.namespace, "notebook", source).Obj())
	w.pass(w.run("notebook"))
	w.is("notebook", "waiting for ImageStreams", phaseIs(v1alpha1.PhaseBuilding, v1alpha1.ReasonImageStreamsUnavailable),
		conditionIs(v1alpha1.ConditionImagePublished, v1alpha1.ReasonImageStreamsUnavailable))
	env.InstallImageStreams(t)
	w.is("notebook", "ready", phaseIs(v1alpha1.PhaseReady, v1alpha1.ReasonSucceeded))
	w.streamIs("notebook", "offered", offers)
}

// TestForeignStream is a stream of the same name that somebody else has made.
func TestForeignStream(t *testing.T) {
	w := newWorld(t, true, true)
	theirs := &imagev1.ImageStream{ObjectMeta: metav1.ObjectMeta{Namespace: w.namespace, Name: "notebook", Annotations: map[string]string{"whose": "theirs"}}}
	w.create(theirs)
	w.start()
	w.create(fixture.Import(w.namespace, "notebook", source).Obj())
	run := w.run("notebook")
	w.is("notebook", "importing, and warned", phaseIs(v1alpha1.PhaseBuilding, v1alpha1.ReasonImporting),
		conditionIs(v1alpha1.ConditionImagePublished, v1alpha1.ReasonConflictingObject))
	w.pass(run)
	w.is("notebook", "in conflict", phaseIs(v1alpha1.PhaseFailed, v1alpha1.ReasonConflictingObject))
	s, err := w.stream("notebook")
	if err != nil || s.ResourceVersion != theirs.ResourceVersion {
		t.Errorf("the foreign stream was touched: %v, %+v", err, s)
	}

	if err := env.Client.Delete(t.Context(), theirs); err != nil {
		t.Fatal(err)
	}
	w.streamIs("notebook", "offered", offers)
	w.is("notebook", "ready", phaseIs(v1alpha1.PhaseReady, v1alpha1.ReasonSucceeded))
	w.oneRun("notebook", run)
}

// TestAdminsEdits is what an admin has changed on a stream: it stays. What is missing comes back.
func TestAdminsEdits(t *testing.T) {
	w := newWorld(t, true, true)
	w.start()
	w.create(fixture.Import(w.namespace, "notebook", source).WithAnnotation(v1alpha1.AnnotationNotebookImageName, "Theirs").Obj())
	w.pass(w.run("notebook"))
	s := w.streamIs("notebook", "offered", offers)

	s.Annotations[v1alpha1.AnnotationNotebookImageName] = "The admin's"
	s.Labels["opendatahub.io/notebook-image"] = "false"
	s.Spec.Tags[0].Annotations["opendatahub.io/notebook-software"] = `[{"name":"R","version":"4"}]`
	if err := env.Client.Update(t.Context(), s); err != nil {
		t.Fatal(err)
	}
	w.edit("notebook", func(o *v1alpha1.CustomNBImage) {
		o.Spec.FromImage = "registry.example/team/notebook:1.3"
		o.Annotations[v1alpha1.AnnotationNotebookImageDesc] = "New"
	})
	w.pass(w.run("notebook"))
	w.is("notebook", "ready", phaseIs(v1alpha1.PhaseReady, v1alpha1.ReasonSucceeded))
	s = w.streamIs("notebook", "up to date", func(s *imagev1.ImageStream) error {
		if s.Annotations["opendatahub.io/notebook-image-phase"] != "Succeeded" || s.Annotations["opendatahub.io/notebook-image-desc"] != "New" {
			return errNone
		}
		return nil
	})
	if got := s.Annotations[v1alpha1.AnnotationNotebookImageName]; got != "The admin's" {
		t.Errorf("the admin's name is gone: %q", got)
	}
	if got := s.Labels["opendatahub.io/notebook-image"]; got != "false" {
		t.Errorf("the admin's choice not to offer it is gone: %q", got)
	}
	if len(s.Spec.Tags) != 1 || s.Spec.Tags[0].Name != "1.3" {
		t.Errorf("want the one tag 1.3, got %+v", s.Spec.Tags)
	}

	if err := env.Client.Delete(t.Context(), s); err != nil {
		t.Fatal(err)
	}
	w.streamIs("notebook", "there again", offers)
}

// TestRetries is a platform that fails a build again and again.
func TestRetries(t *testing.T) {
	w := newWorld(t, true, false)
	w.configure(func(c *v1alpha1.CNBiConfig) { c.Spec.Build.Retries = ptr.To[int32](2) })
	m := w.start()
	w.warm(m)
	w.create(fixture.Import(w.namespace, "notebook", source).Obj())
	first := w.run("notebook")
	w.fail(first, "RegistryUnavailable", "connection refused")
	obj := w.is("notebook", "waiting for the next attempt", phaseIs(v1alpha1.PhaseBuilding, v1alpha1.ReasonRegistryUnavailable))
	if obj.Status.NextRetryTime == nil || obj.Status.NextRetryTime.Sub(w.clock.Now()) > 10*time.Second {
		t.Errorf("the next attempt is at %s", obj.Status.NextRetryTime)
	}
	w.touch("notebook")
	if n := len(w.runs("notebook")); n != 1 {
		t.Errorf("the next attempt did not wait: %d runs", n)
	}

	for attempt := int32(2); attempt <= 3; attempt++ {
		w.clock.Advance(time.Minute)
		w.touch("notebook")
		run := w.run("notebook")
		if !strings.HasPrefix(run.Name, first.Name+"-r") || run.Labels[v1alpha1.LabelBuild] != first.Labels[v1alpha1.LabelBuild] {
			t.Errorf("attempt %d is %s of build %s", attempt, run.Name, run.Labels[v1alpha1.LabelBuild])
		}
		w.fail(run, "RegistryUnavailable", "connection refused")
	}
	obj = w.is("notebook", "given up", phaseIs(v1alpha1.PhaseFailed, v1alpha1.ReasonRetriesExhausted))
	if obj.Status.Retries != 2 || obj.Status.NextRetryTime != nil || len(obj.Status.Builds) != 1 {
		t.Errorf("the status: %+v", obj.Status)
	}
	testenv.Eventually(t, "the earlier attempts are gone", func() error {
		if n := len(w.runs("notebook")); n != 1 {
			return errNone
		}
		return nil
	})

	w.edit("notebook", func(o *v1alpha1.CustomNBImage) { o.Spec.Timeout = &metav1.Duration{Duration: 2 * time.Hour} })
	w.pass(w.run("notebook"))
	w.is("notebook", "ready", phaseIs(v1alpha1.PhaseReady, v1alpha1.ReasonSucceeded))
}

// TestRetention is what is left of a life of many builds.
func TestRetention(t *testing.T) {
	w := newWorld(t, true, false)
	w.configure(func(c *v1alpha1.CNBiConfig) {
		c.Spec.Retention.Successful.Count = ptr.To[int32](2)
		c.Spec.Retention.Failed.Count = ptr.To[int32](1)
	})
	w.start()
	w.create(fixture.Import(w.namespace, "notebook", "registry.example/notebook:0").Obj())
	var names []string
	for i, end := range []string{"bad", "good", "bad", "good", "good"} {
		if i > 0 {
			w.edit("notebook", func(o *v1alpha1.CustomNBImage) {
				o.Spec.FromImage = v1alpha1.ImageReference("registry.example/notebook:" + string(rune('0'+i)))
			})
		}
		run := w.run("notebook")
		names = append(names, run.Name)
		if end == "good" {
			w.pass(run)
			w.is("notebook", "ready", phaseIs(v1alpha1.PhaseReady, v1alpha1.ReasonSucceeded))
		} else {
			w.fail(run, "ImageNotFound", "it does not exist")
			w.is("notebook", "failed", phaseIs(v1alpha1.PhaseFailed, v1alpha1.ReasonImageNotFound))
		}
		time.Sleep(time.Second) // what is older is told by the second
	}
	want := []string{names[2], names[3], names[4]}
	slices.Sort(want)
	testenv.Eventually(t, "the newest runs are left", func() error {
		var got []string
		for _, run := range w.runs("notebook") {
			got = append(got, run.Name)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			return errDiff(diff)
		}
		return nil
	})
	if obj := w.read("notebook"); len(obj.Status.Builds) != 5 {
		t.Errorf("want a history of 5 builds, got %+v", obj.Status.Builds)
	}
}

type errDiff string

// Error implements error.
func (e errDiff) Error() string { return string(e) }

// TestSuspend breaks a build off and takes it up again.
func TestSuspend(t *testing.T) {
	w := newWorld(t, true, true)
	w.start()
	w.create(fixture.Import(w.namespace, "notebook", source).Obj())
	first := w.run("notebook")
	w.begin(first)
	w.is("notebook", "importing", phaseIs(v1alpha1.PhaseBuilding, v1alpha1.ReasonImporting))

	w.edit("notebook", func(o *v1alpha1.CustomNBImage) { o.Spec.Suspend = true })
	w.is("notebook", "suspended", phaseIs(v1alpha1.PhasePending, v1alpha1.ReasonSuspended), stageIs(""))
	w.gone(first)
	w.stays("notebook", "suspended", phaseIs(v1alpha1.PhasePending, v1alpha1.ReasonSuspended))

	w.dropTasks(first)
	w.edit("notebook", func(o *v1alpha1.CustomNBImage) { o.Spec.Suspend = false })
	second := w.run("notebook")
	if second.Name == first.Name {
		t.Errorf("the run that was taken away and the one after it have one name, so Tekton would take the old pods for the new run's: %s", first.Name)
	}
	w.pass(second)
	w.is("notebook", "ready", phaseIs(v1alpha1.PhaseReady, v1alpha1.ReasonSucceeded))
}

// TestEditMeanwhile changes an object's mind while it builds, and back.
func TestEditMeanwhile(t *testing.T) {
	w := newWorld(t, true, true)
	w.start()
	w.create(fixture.Import(w.namespace, "notebook", source).Obj())
	first := w.run("notebook")
	w.begin(first)
	w.is("notebook", "importing", phaseIs(v1alpha1.PhaseBuilding, v1alpha1.ReasonImporting))

	set := func(image string) {
		w.edit("notebook", func(o *v1alpha1.CustomNBImage) { o.Spec.FromImage = v1alpha1.ImageReference(image) })
	}
	set("registry.example/team/other:1")
	w.gone(first)
	second := w.run("notebook")
	w.begin(second)
	w.is("notebook", "building the other image", func(o *v1alpha1.CustomNBImage) error {
		if len(o.Status.Builds) != 2 || o.Status.Builds[1].Result != v1alpha1.BuildCancelled || o.Status.Builds[0].Cause != v1alpha1.CauseSpecChanged {
			return errNone
		}
		return nil
	})

	set(source)
	w.gone(second)
	third := w.run("notebook")
	if third.UID == first.UID || third.Labels[v1alpha1.LabelBuild] == first.Labels[v1alpha1.LabelBuild] {
		t.Errorf("the third build is the first: %s", third.Name)
	}
	w.pass(third)
	w.is("notebook", "ready", phaseIs(v1alpha1.PhaseReady, v1alpha1.ReasonSucceeded))
	w.streamIs("notebook", "offered", offers)
	w.oneRun("notebook", third)
}

// TestEditToWhatCannotBe asks for a build, while another goes on, on what there is not.
func TestEditToWhatCannotBe(t *testing.T) {
	w := newWorld(t, true, true)
	w.start()
	w.create(fixture.Import(w.namespace, "notebook", source).Obj())
	run := w.run("notebook")
	w.edit("notebook", func(o *v1alpha1.CustomNBImage) {
		o.Spec = v1alpha1.CustomNBImageSpec{
			BuildType: v1alpha1.BuildTypePackageList, PackageVersions: []string{"pandas"},
			RuntimeEnvironment: &v1alpha1.RuntimeEnvironment{OSName: "ubi", OSVersion: "8", PythonVersion: "3.8"},
		}
	})
	w.is("notebook", "refused", phaseIs(v1alpha1.PhaseFailed, v1alpha1.ReasonRuntimeEnvironmentNotFound))
	w.gone(run)
	w.edit("notebook", func(o *v1alpha1.CustomNBImage) {
		o.Spec = v1alpha1.CustomNBImageSpec{BuildType: v1alpha1.BuildTypeImageImport, FromImage: source}
	})
	w.pass(w.run("notebook"))
	w.is("notebook", "ready", phaseIs(v1alpha1.PhaseReady, v1alpha1.ReasonSucceeded))
}

// gone waits until a run is gone.
func (w *world) gone(run *tektonv1.PipelineRun) {
	w.t.Helper()
	testenv.Eventually(w.t, run.Name+" is gone", func() error {
		now := &tektonv1.PipelineRun{}
		err := env.Client.Get(w.t.Context(), client.ObjectKeyFromObject(run), now)
		if apierrors.IsNotFound(err) || err == nil && now.UID != run.UID {
			return nil
		}
		return errNone
	})
}

// dropTasks does what the garbage collector does for a run that is gone.
func (w *world) dropTasks(run *tektonv1.PipelineRun) {
	w.t.Helper()
	if err := env.Client.DeleteAllOf(w.t.Context(), &tektonv1.TaskRun{}, client.InNamespace(run.Namespace), client.MatchingLabels{"tekton.dev/pipelineRun": run.Name}); err != nil {
		w.t.Fatal(err)
	}
}

// TestUnansweredAPI is a manager that starts before the server which answers for ImageStreams, as on a node of OpenShift's
// that starts: what is told stands, and nothing begins.
func TestUnansweredAPI(t *testing.T) {
	w := newWorld(t, true, true)
	m := w.start()
	w.create(fixture.Import(w.namespace, "notebook", source).Obj())
	w.pass(w.run("notebook"))
	w.is("notebook", "ready", phaseIs(v1alpha1.PhaseReady, v1alpha1.ReasonSucceeded))
	w.streamIs("notebook", "offered", offers)
	w.create(fixture.Import(w.namespace, "again", source).Obj())
	w.pass(w.run("again"))
	w.is("again", "ready", phaseIs(v1alpha1.PhaseReady, v1alpha1.ReasonSucceeded))
	w.edit("again", func(o *v1alpha1.CustomNBImage) {
		metav1.SetMetaDataAnnotation(&o.ObjectMeta, v1alpha1.AnnotationRebuild, "1")
	})
	rebuild := w.run("again")
	w.is("again", "built again", phaseIs(v1alpha1.PhaseBuilding, v1alpha1.ReasonImporting))
	m.settle(t)
	m.stop()
	told := w.read("notebook").ResourceVersion

	tr := &traffic{}
	refuse := func(request string) bool { return request == "discover image.openshift.io/v1" }
	tr.refuse.Store(&refuse)
	w.startOn(tr)
	w.create(fixture.Import(w.namespace, "new", source).Obj())
	obj := w.is("new", "waiting", phaseIs(v1alpha1.PhasePending, v1alpha1.ReasonProgressingWithRetry))
	if c := meta.FindStatusCondition(obj.Status.Conditions, v1alpha1.ConditionReady); !strings.Contains(c.Message, "image.openshift.io/v1") {
		t.Errorf("the message is %q", c.Message)
	}
	w.stays("again", "offered while it is built", conditionIs(v1alpha1.ConditionImagePublished, v1alpha1.ReasonSucceeded))
	if n := len(w.runs("new")); n != 0 {
		t.Errorf("%d runs", n)
	}

	tr.refuse.Store(nil)
	w.pass(w.run("new"))
	w.is("new", "ready", phaseIs(v1alpha1.PhaseReady, v1alpha1.ReasonSucceeded))
	w.streamIs("new", "offered", offers)
	w.pass(rebuild)
	w.is("again", "ready once more", phaseIs(v1alpha1.PhaseReady, v1alpha1.ReasonSucceeded))
	if now := w.read("notebook").ResourceVersion; now != told {
		t.Error("what had ended was written")
	}
}
