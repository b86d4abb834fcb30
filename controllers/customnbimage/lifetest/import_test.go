package lifetest

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	tektonv1 "github.com/tektoncd/pipeline/pkg/apis/pipeline/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/meteor-zone/meteor-operator/apis/v1alpha1"
	"github.com/meteor-zone/meteor-operator/controllers/internal/fixture"
	"github.com/meteor-zone/meteor-operator/controllers/internal/testenv"
)

// TestImport follows one import from its creation to its end, and far beyond.
func TestImport(t *testing.T) {
	w := newWorld(t, true, true)
	m := w.start()
	w.warm(m)

	w.create(fixture.Import(w.namespace, "notebook", source).
		WithAnnotation(v1alpha1.AnnotationNotebookImageName, "My notebook").
		WithAnnotation(v1alpha1.AnnotationNotebookImageDesc, `$(touch x); "`+"\n--- kind: Secret").
		WithAnnotation(v1alpha1.AnnotationNotebookImageCreator, "someone").
		WithAnnotation("example.com/other", "stays here").Obj())
	run := w.run("notebook")
	checkRun(t, w, run)
	w.is("notebook", "importing", phaseIs(v1alpha1.PhaseBuilding, v1alpha1.ReasonImporting), stageIs(v1alpha1.StageImporting))
	w.streamIs("notebook", "hidden", hidden)

	w.begin(run)
	w.validating(run)
	w.is("notebook", "validating", phaseIs(v1alpha1.PhaseBuilding, v1alpha1.ReasonValidating), stageIs(v1alpha1.StageValidating),
		conditionIs(v1alpha1.ConditionImageBuilt, v1alpha1.ReasonSucceeded))
	w.streamIs("notebook", "hidden", hidden)

	w.finish(run)
	obj := w.is("notebook", "ready", phaseIs(v1alpha1.PhaseReady, v1alpha1.ReasonSucceeded), stageIs(""))
	w.streamIs("notebook", "offered", offers)
	checkReady(t, obj, run)
	m.wants(t, "a write for each thing that a user can see change, and no read of anything", map[string]int{
		"create pipelineruns": 1, "apply customnbimages/status": 3, "apply imagestreams": 3,
	})
	if events := m.times("create events"); events != 2 {
		t.Errorf("want 2 events, of the begin and of the end: got %d", events)
	}

	nothingMore(t, w, m)
}

// nothingMore wakes the ended import in every way there is.
func nothingMore(t *testing.T, w *world, m *manager) {
	t.Helper()
	m.settle(t)
	w.touch("notebook")
	run := &w.runs("notebook")[0]
	metav1.SetMetaDataAnnotation(&run.ObjectMeta, "example.com/touched", "now")
	if err := env.Client.Update(t.Context(), run); err != nil {
		t.Fatal(err)
	}
	s, err := w.stream("notebook")
	if err != nil {
		t.Fatal(err)
	}
	metav1.SetMetaDataAnnotation(&s.ObjectMeta, "example.com/touched", "now")
	if err := env.Client.Update(t.Context(), s); err != nil {
		t.Fatal(err)
	}
	m.wants(t, "an ended import that is looked at again is left as it is", map[string]int{})

	w.configure(func(c *v1alpha1.CNBiConfig) { c.Spec.Build.Timeout = &metav1.Duration{Duration: 2 * time.Hour} })
	m.wants(t, "an edit of the CNBiConfig is taken note of there, and builds nothing again", map[string]int{"apply cnbiconfigs/status": 1})

	m.stop()
	m = w.start()
	m.wants(t, "after a restart there is nothing to do, and caches are filled by watches alone", map[string]int{})
}

func checkRun(t *testing.T, w *world, run *tektonv1.PipelineRun) {
	t.Helper()
	obj := &v1alpha1.CustomNBImage{}
	if err := env.Client.Get(t.Context(), w.key("notebook"), obj); err != nil {
		t.Fatal(err)
	}
	params := map[string]string{}
	for _, p := range run.Spec.Params {
		params[p.Name] = p.Value.StringVal
	}
	wantParams := map[string]string{
		// Tekton would refuse some of what looks like its variables; nothing reads these but people.
		"name": "My notebook", "creator": "someone", "description": `$ (touch x); "` + "\n--- kind: Secret",
		"baseImage": source, "insecure": "false", "nbPrefix": "/notebook/" + w.namespace + "/notebook",
		"minimumPython": "3.8", "startupTimeout": "2m0s",
	}
	if diff := cmp.Diff(wantParams, params); diff != "" {
		t.Errorf("the run's params\n-want, +got:\n%s", diff)
	}
	labels := map[string]string{
		v1alpha1.LabelPartOf: v1alpha1.PartOfValue, v1alpha1.LabelManagedBy: v1alpha1.ManagedByValue,
		v1alpha1.LabelCustomNBImage: "notebook", v1alpha1.LabelBuild: run.Labels[v1alpha1.LabelBuild],
	}
	if diff := cmp.Diff(labels, run.Labels); diff != "" || len(run.Labels[v1alpha1.LabelBuild]) != 10 {
		t.Errorf("the run's labels\n-want, +got:\n%s", diff)
	}
	annotations := map[string]string{
		v1alpha1.AnnotationNotebookImageName: "My notebook", v1alpha1.AnnotationNotebookImageCreator: "someone",
		v1alpha1.AnnotationNotebookImageDesc: `$(touch x); "` + "\n--- kind: Secret",
	}
	if diff := cmp.Diff(annotations, run.Annotations); diff != "" {
		t.Errorf("the run's annotations\n-want, +got:\n%s", diff)
	}
	if !metav1.IsControlledBy(run, obj) || len(run.OwnerReferences) != 1 || run.OwnerReferences[0].BlockOwnerDeletion != nil {
		t.Errorf("the run's owner: %+v", run.OwnerReferences)
	}
	if run.Spec.PipelineRef.Name != pipeline || run.Spec.TaskRunTemplate.ServiceAccountName != "meteor-pipeline" || run.Spec.Timeouts.Pipeline.Duration != time.Hour {
		t.Errorf("the run: %+v", run.Spec)
	}
	checkPodTemplate(t, run)
}

func checkPodTemplate(t *testing.T, run *tektonv1.PipelineRun) {
	t.Helper()
	template := run.Spec.TaskRunTemplate.PodTemplate
	if template == nil || template.SecurityContext == nil || template.SecurityContext.RunAsUser == nil {
		t.Fatalf("the pods' template: %+v", template)
	}
	security := *template.SecurityContext
	if *security.RunAsUser < 1_000_000_000 || *security.RunAsGroup != 0 || !*security.RunAsNonRoot || security.SeccompProfile.Type != corev1.SeccompProfileTypeRuntimeDefault {
		t.Errorf("the pods' security context: %+v", security)
	}
	if *template.AutomountServiceAccountToken || len(template.ImagePullSecrets) != 0 {
		t.Errorf("the pods have credentials: %+v", template)
	}
}

func checkReady(t *testing.T, obj *v1alpha1.CustomNBImage, run *tektonv1.PipelineRun) {
	t.Helper()
	got := obj.Status
	got.Conditions = nil
	if len(got.Builds) != 1 || got.Builds[0].StartTime == nil || got.Builds[0].CompletionTime == nil {
		t.Fatalf("builds: %+v", got.Builds)
	}
	if got.Builds[0].Duration == nil {
		t.Error("the record has no duration")
	}
	got.Builds[0].StartTime, got.Builds[0].CompletionTime, got.Builds[0].Duration = nil, nil, nil
	want := v1alpha1.CustomNBImageStatus{
		ObservedGeneration: obj.Generation, Phase: v1alpha1.PhaseReady,
		Image: image, SourceImage: source + "@" + digest, ImageStreamTag: "notebook:1.2",
		Software: []v1alpha1.SoftwareVersion{{Name: "Python", Version: "3.11.2"}},
		Packages: []v1alpha1.SoftwareVersion{{Name: "jupyterlab", Version: "4.2.0"}, {Name: "pandas", Version: "2.2.0"}}, PackagesTotal: 2,
		BuildID: run.Labels[v1alpha1.LabelBuild], PipelineRunName: run.Name,
		Builds: []v1alpha1.BuildRecord{{
			ID: run.Labels[v1alpha1.LabelBuild], Cause: v1alpha1.CauseCreated, Result: v1alpha1.BuildSucceeded,
			Reason: v1alpha1.ReasonSucceeded, Image: image, SourceImage: source + "@" + digest, PipelineRunName: run.Name,
		}},
		Pipelines: []v1alpha1.PipelineStatus{{Name: pipeline, PipelineRunName: run.Name, Ready: "True"}},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("the status\n-want, +got:\n%s", diff)
	}
}

// TestFailures are imports that come to a bad end.
func TestFailures(t *testing.T) {
	cases := map[string]struct {
		reason string
		play   func(*world, *tektonv1.PipelineRun)
		want   string
		words  string
	}{
		"Inspection": {
			reason: "what the inspection says is what the user is told", want: v1alpha1.ReasonImageNotFound, words: "Image registry.example/team/notebook:1.2 does not exist",
			play: func(w *world, run *tektonv1.PipelineRun) {
				w.fail(run, "ImageNotFound", "image registry.example/team/notebook:1.2 does not exist.")
			},
		},
		"EveryCheck": {
			reason: "each check that there is has a place in the status", want: v1alpha1.ReasonValidationFailed, words: "No Python",
			play: func(w *world, run *tektonv1.PipelineRun) {
				w.begin(run)
				w.validating(run)
				w.endTask(run, "validate", corev1.ConditionFalse, "Failed", `"step-probe" exited with code 1`,
					"checks", everyCheck, "failure", `{"reason":"ValidationFailed","message":"No Python (and 6 more)"}`)
				w.end(run, corev1.ConditionFalse, "Failed", "Tasks Completed: 2 (Failed: 1)")
			},
		},
		"Dead": {
			reason: "a notebook that died is told at once, and its run is not waited for", want: v1alpha1.ReasonValidationFailed, words: "ran out of memory",
			play: func(w *world, run *tektonv1.PipelineRun) {
				w.begin(run)
				w.validating(run)
				w.is("notebook", "validating", phaseIs(v1alpha1.PhaseBuilding, v1alpha1.ReasonValidating))
				now := metav1.NewTime(w.clock.Now())
				w.clock.Advance(time.Minute)
				w.setTask(run, "validate", func(task *tektonv1.TaskRun) {
					task.Status.Steps = []tektonv1.StepState{{Name: "look", ContainerState: corev1.ContainerState{Terminated: &corev1.ContainerStateTerminated{FinishedAt: now}}}}
					task.Status.Sidecars = []tektonv1.SidecarState{{Name: "notebook", ContainerState: corev1.ContainerState{Terminated: &corev1.ContainerStateTerminated{ExitCode: 137, Reason: "OOMKilled", FinishedAt: now}}}}
				})
			},
		},
		"Cancelled": {
			reason: "a run that somebody cancelled is not started again", want: v1alpha1.ReasonBuildCancelled, words: "cancelled",
			play: func(w *world, run *tektonv1.PipelineRun) {
				w.begin(run)
				w.endTask(run, "inspect", corev1.ConditionFalse, "TaskRunCancelled", `TaskRun "x" was cancelled`)
				w.end(run, corev1.ConditionFalse, "Cancelled", "PipelineRun was cancelled")
			},
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, true, true)
			m := w.start()
			w.create(fixture.Import(w.namespace, "notebook", source).Obj())
			run := w.run("notebook")
			w.streamIs("notebook", "hidden", hidden)
			tc.play(w, run)
			obj := w.is("notebook", "failed", phaseIs(v1alpha1.PhaseFailed, tc.want), stageIs(""), func(o *v1alpha1.CustomNBImage) error {
				for _, c := range o.Status.Conditions {
					if c.Type == v1alpha1.ConditionReady && !strings.Contains(c.Message, tc.words) {
						return fmt.Errorf("message %q", c.Message)
					}
				}
				return nil
			})
			if record := obj.Status.Builds[0]; record.CompletionTime == nil || record.CompletionTime.Before(record.StartTime) {
				t.Errorf("\n%s\nthe build began at %s and ended at %s", tc.reason, record.StartTime, record.CompletionTime)
			}
			w.streamIs("notebook", "hidden", hidden)
			m.settle(t)
			w.touch("notebook")
			m.wants(t, "what has failed stays as it is", map[string]int{})
			if n := len(w.runs("notebook")); n != 1 {
				t.Errorf("\n%s\nwant one run, got %d", tc.reason, n)
			}
		})
	}
}

const everyCheck = `[{"check":"look","severity":"error","message":"It could not be looked into"},` +
	`{"check":"python","severity":"error","message":"Python not found"},{"check":"pip","severity":"error","message":"Pip not found"},` +
	`{"check":"python-version","severity":"error","message":"Too old"},{"check":"jupyter","severity":"error","message":"No Jupyter"},` +
	`{"check":"home","severity":"warning","message":"No home"},{"check":"startup","severity":"error","message":"No answer"}]`

// TestOnce is one run for each build, whatever happens to the manager meanwhile.
func TestOnce(t *testing.T) {
	t.Run("KilledBeforeTheStatus", func(t *testing.T) {
		w := newWorld(t, true, false)
		tr := &traffic{}
		refuse := func(request string) bool { return request == "apply customnbimages/status" }
		tr.refuse.Store(&refuse)
		m := w.startOn(tr)
		w.create(fixture.Import(w.namespace, "notebook", source).Obj())
		run := w.run("notebook")
		m.stop()
		if obj := w.read("notebook"); obj.Status.BuildID != "" {
			t.Fatalf("the status was written: %+v", obj.Status)
		}

		m = w.start()
		w.is("notebook", "importing", phaseIs(v1alpha1.PhaseBuilding, v1alpha1.ReasonImporting))
		if n := m.times("create pipelineruns"); n != 0 {
			t.Errorf("the run was made %d times more", n)
		}
		w.pass(run)
		w.is("notebook", "ready", phaseIs(v1alpha1.PhaseReady, v1alpha1.ReasonSucceeded))
		w.oneRun("notebook", run)
	})
	t.Run("CacheLags", func(t *testing.T) {
		w := newWorld(t, true, false)
		m := w.start()
		w.warm(m)
		release := m.hold(t)
		w.create(fixture.Import(w.namespace, "notebook", source).Obj())
		run := w.run("notebook")
		w.is("notebook", "importing", phaseIs(v1alpha1.PhaseBuilding, v1alpha1.ReasonImporting))
		w.touch("notebook")
		testenv.Eventually(t, "the manager meets its own run", func() error {
			if m.times("create pipelineruns") < 2 {
				return errNone
			}
			return nil
		})
		w.stays("notebook", "importing", phaseIs(v1alpha1.PhaseBuilding, v1alpha1.ReasonImporting))
		release()
		w.pass(run)
		w.is("notebook", "ready", phaseIs(v1alpha1.PhaseReady, v1alpha1.ReasonSucceeded))
		w.oneRun("notebook", run)
	})
	t.Run("RestartedMeanwhile", func(t *testing.T) {
		w := newWorld(t, true, true)
		m := w.start()
		w.warm(m)
		w.create(fixture.Import(w.namespace, "notebook", source).Obj())
		run := w.run("notebook")
		w.is("notebook", "importing", phaseIs(v1alpha1.PhaseBuilding, v1alpha1.ReasonImporting))
		w.begin(run)
		m.stop()
		w.validating(run)
		m = w.start()
		w.is("notebook", "validating", phaseIs(v1alpha1.PhaseBuilding, v1alpha1.ReasonValidating))
		m.stop()
		w.finish(run)
		m = w.start()
		w.is("notebook", "ready", phaseIs(v1alpha1.PhaseReady, v1alpha1.ReasonSucceeded))
		w.streamIs("notebook", "offered", offers)
		m.wants(t, "the rest is told, and nothing made again", map[string]int{"apply customnbimages/status": 1, "apply imagestreams": 1})
		w.oneRun("notebook", run)
	})
}

func (w *world) oneRun(name string, run *tektonv1.PipelineRun) {
	w.t.Helper()
	if runs := w.runs(name); len(runs) != 1 || runs[0].UID != run.UID {
		w.t.Errorf("want the one run %s, got %d runs", run.Name, len(runs))
	}
}

func (w *world) read(name string) *v1alpha1.CustomNBImage {
	w.t.Helper()
	obj := &v1alpha1.CustomNBImage{}
	if err := env.Client.Get(w.t.Context(), w.key(name), obj); err != nil {
		w.t.Fatal(err)
	}
	return obj
}

// TestWatchNamespaces is a manager that was given one namespace.
func TestWatchNamespaces(t *testing.T) {
	w := newWorld(t, true, true)
	other := env.Namespace(t)
	w.start(w.namespace)
	w.create(fixture.Import(other, "notebook", source).Obj())
	w.create(fixture.Import(w.namespace, "notebook", source).Obj())
	w.pass(w.run("notebook"))
	w.is("notebook", "ready", phaseIs(v1alpha1.PhaseReady, v1alpha1.ReasonSucceeded))
	w.streamIs("notebook", "offered", offers)

	w.namespace = other
	if obj := w.read("notebook"); obj.Status.Phase != "" && len(obj.Status.Conditions) != 0 {
		t.Errorf("the other namespace's object has a status: %+v", obj.Status)
	}
	p := &tektonv1.Pipeline{}
	if err := env.Client.Get(t.Context(), w.key(pipeline), p); !apierrors.IsNotFound(err) {
		t.Errorf("the other namespace has a pipeline: %v", err)
	}
	if n := len(w.runs("notebook")); n != 0 {
		t.Errorf("the other namespace has %d runs", n)
	}
}

// TestStrangers are runs and tasks that only look as if they were the object's.
func TestStrangers(t *testing.T) {
	t.Run("LabelTakenOff", func(t *testing.T) {
		w := newWorld(t, true, false)
		m := w.start()
		w.warm(m)
		w.create(fixture.Import(w.namespace, "notebook", source).Obj())
		run := w.run("notebook")
		w.is("notebook", "importing", phaseIs(v1alpha1.PhaseBuilding, v1alpha1.ReasonImporting))
		label(t, run, "somebody")
		w.is("notebook", "in conflict", phaseIs(v1alpha1.PhasePending, v1alpha1.ReasonConflictingObject))
		m.settle(t)
		m.wants(t, "a run that no cache shows is not asked for again and again", map[string]int{})

		label(t, run, v1alpha1.PartOfValue)
		w.pass(run)
		w.is("notebook", "ready", phaseIs(v1alpha1.PhaseReady, v1alpha1.ReasonSucceeded))
		w.oneRun("notebook", run)
	})
	t.Run("Forgery", func(t *testing.T) {
		w := newWorld(t, true, false)
		w.start()
		w.create(fixture.Import(w.namespace, "notebook", source).Obj())
		run := w.run("notebook")
		w.begin(run)
		forged := &tektonv1.TaskRun{
			ObjectMeta: metav1.ObjectMeta{Namespace: w.namespace, Name: "forged", Labels: map[string]string{
				v1alpha1.LabelPartOf: v1alpha1.PartOfValue, v1alpha1.LabelCustomNBImage: "notebook",
				"tekton.dev/pipelineRun": run.Name, "tekton.dev/pipelineTask": "validate",
			}},
			Spec: tektonv1.TaskRunSpec{TaskRef: &tektonv1.TaskRef{Name: "meteor-validate-image"}},
		}
		w.create(forged)
		w.stays("notebook", "importing", phaseIs(v1alpha1.PhaseBuilding, v1alpha1.ReasonImporting), stageIs(v1alpha1.StageImporting))
		w.validating(run)
		w.finish(run)
		w.is("notebook", "ready", phaseIs(v1alpha1.PhaseReady, v1alpha1.ReasonSucceeded))
	})
}

func label(t *testing.T, run *tektonv1.PipelineRun, partOf string) {
	t.Helper()
	patch := client.RawPatch(types.MergePatchType, []byte(`{"metadata":{"labels":{"`+v1alpha1.LabelPartOf+`":"`+partOf+`"}}}`))
	if err := env.Client.Patch(t.Context(), run, patch); err != nil {
		t.Fatal(err)
	}
}

// TestUnmanaged is an admin who keeps the operator from changing the pipelines that are there.
func TestUnmanaged(t *testing.T) {
	w := newWorld(t, true, false)
	m := w.start()
	w.warm(m)
	w.configure(func(c *v1alpha1.CNBiConfig) {
		c.Spec.ManagementState = v1alpha1.StateUnmanaged
		c.Spec.Images.Builder = "registry.example/another:2" // of which the pipelines that are there know nothing
	})
	w.create(fixture.Import(w.namespace, "notebook", source).Obj())
	w.pass(w.run("notebook"))
	w.is("notebook", "ready", phaseIs(v1alpha1.PhaseReady, v1alpha1.ReasonSucceeded))
}
