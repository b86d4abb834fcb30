package lifetest

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	imagev1 "github.com/openshift/api/image/v1"
	tektonv1 "github.com/tektoncd/pipeline/pkg/apis/pipeline/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/meteor-zone/meteor-operator/apis/v1alpha1"
	"github.com/meteor-zone/meteor-operator/controllers/internal/fixture"
	"github.com/meteor-zone/meteor-operator/controllers/internal/testenv"
)

const (
	builtDigest = "sha256:b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0"
	commit      = "0123456789abcdef0123456789abcdef01234567"
	repository  = "https://git.example/team/notebooks"
)

// builtBy is the image that a build makes.
func builtBy(run *tektonv1.PipelineRun) string {
	for _, p := range run.Spec.Params {
		if p.Name == "targetImage" {
			repository, _, _ := strings.Cut(p.Value.StringVal, ":")
			return repository + "@" + builtDigest
		}
	}
	return ""
}

// builder lets built images go somewhere.
func (w *world) builder(edits ...func(*v1alpha1.CNBiConfig)) {
	w.configure(func(c *v1alpha1.CNBiConfig) {
		c.Spec.Registry.Repository = "registry.example/built/{namespace}/{name}"
		for _, edit := range edits {
			edit(c)
		}
	})
}

// steps says which of a task's steps have ended and which runs.
func (w *world) steps(run *tektonv1.PipelineRun, task string, ended []string, current string) {
	w.t.Helper()
	w.setTask(run, task, func(t *tektonv1.TaskRun) {
		t.Status.Steps = nil
		for _, name := range ended {
			t.Status.Steps = append(t.Status.Steps, tektonv1.StepState{
				Name: name, ContainerState: corev1.ContainerState{Terminated: &corev1.ContainerStateTerminated{Reason: "Completed"}},
			})
		}
		t.Status.Steps = append(t.Status.Steps, tektonv1.StepState{
			Name: current, ContainerState: corev1.ContainerState{Running: &corev1.ContainerStateRunning{}},
		})
	})
}

// build is the whole of a build that comes to a good end.
func (w *world) build(run *tektonv1.PipelineRun) {
	w.t.Helper()
	w.begin(run)
	w.endTask(run, "inspect", corev1.ConditionTrue, "Succeeded", "", "image", image)
	w.addTask(run, "build")
	w.built(run)
}

func (w *world) built(run *tektonv1.PipelineRun) {
	w.t.Helper()
	w.endTask(run, "build", corev1.ConditionTrue, "Succeeded", "", "image", builtBy(run))
	w.addTask(run, "validate")
	w.finish(run)
}

// failBuild is a build that ended in a step that is not trusted.
func (w *world) failBuild(run *tektonv1.PipelineRun, step, reason, message string) {
	w.t.Helper()
	w.begin(run)
	w.endTask(run, "inspect", corev1.ConditionTrue, "Succeeded", "", "image", image)
	w.addTask(run, "build")
	said, err := json.Marshal(map[string]string{"reason": reason, "message": message})
	if err != nil {
		w.t.Fatal(err)
	}
	words, err := json.Marshal([]map[string]any{{"key": "failure", "value": string(said), "type": 1}})
	if err != nil {
		w.t.Fatal(err)
	}
	w.setTask(run, "build", func(t *tektonv1.TaskRun) {
		t.Status.Steps = []tektonv1.StepState{{Name: step, ContainerState: corev1.ContainerState{
			Terminated: &corev1.ContainerStateTerminated{ExitCode: 1, Message: string(words)},
		}}}
	})
	w.endTask(run, "build", corev1.ConditionFalse, "Failed", `"step-`+step+`" exited with code 1`)
	w.end(run, corev1.ConditionFalse, "Failed", "Tasks Completed: 2 (Failed: 1)")
}

// TestPackageList follows one build from its creation to its end.
func TestPackageList(t *testing.T) {
	w := newWorld(t, true, true)
	m := w.start()
	w.builder()
	w.warm(m)

	w.create(fixture.PackageList(w.namespace, "notebook", source, "pandas", "boto3>=1.24.0").Obj())
	run := w.run("notebook")
	if run.Spec.PipelineRef.Name != "cnbi-package-list" {
		t.Errorf("the run is of %q", run.Spec.PipelineRef.Name)
	}
	w.is("notebook", "preparing", phaseIs(v1alpha1.PhaseBuilding, v1alpha1.ReasonPreparing), stageIs(v1alpha1.StagePreparing))
	w.begin(run)
	w.endTask(run, "inspect", corev1.ConditionTrue, "Succeeded", "", "image", image)
	w.addTask(run, "build")
	w.steps(run, "build", []string{"prepare"}, "resolve")
	w.is("notebook", "resolving", phaseIs(v1alpha1.PhaseBuilding, v1alpha1.ReasonResolving), stageIs(v1alpha1.StageResolving))
	w.steps(run, "build", []string{"prepare", "resolve"}, "install")
	w.is("notebook", "building", phaseIs(v1alpha1.PhaseBuilding, v1alpha1.ReasonBuilding), stageIs(v1alpha1.StageBuilding))
	w.built(run)

	obj := w.is("notebook", "ready", phaseIs(v1alpha1.PhaseReady, v1alpha1.ReasonSucceeded))
	want := v1alpha1.BuildRecord{
		ID: obj.Status.BuildID, Cause: v1alpha1.CauseCreated, Result: v1alpha1.BuildSucceeded, Reason: v1alpha1.ReasonSucceeded,
		Image: builtBy(run), SourceImage: source + "@" + digest, PipelineRunName: run.Name,
	}
	got := obj.Status.Builds[0]
	if got.Duration == nil {
		t.Error("the record has no duration")
	}
	got.StartTime, got.CompletionTime, got.Duration = nil, nil, nil
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("the build's record\n-want, +got:\n%s", diff)
	}
	if obj.Status.Image != builtBy(run) || obj.Status.SourceImage != source+"@"+digest || obj.Status.ImageStreamTag != "notebook:latest" {
		t.Errorf("status: %+v", obj.Status)
	}
	w.streamIs("notebook", "offered", offersBuilt(run))
	// Building and validating may be seen at once; never more than these.
	if writes := m.times("apply customnbimages/status"); writes > 5 {
		t.Errorf("the status was written %d times", writes)
	}
	m.settle(t)
	w.touch("notebook")
	m.wants(t, "an ended build that is looked at again is left as it is", map[string]int{})
}

func offersBuilt(run *tektonv1.PipelineRun) func(*imagev1.ImageStream) error {
	return func(s *imagev1.ImageStream) error {
		if len(s.Spec.Tags) != 1 || s.Spec.Tags[0].Name != "latest" || s.Spec.Tags[0].From.Name != builtBy(run) {
			return fmt.Errorf("tags %+v", s.Spec.Tags)
		}
		if from, ok := s.Spec.Tags[0].Annotations["openshift.io/imported-from"]; ok {
			return fmt.Errorf("a built image says that it was imported from %q", from)
		}
		return nil
	}
}

// TestGitRepository follows a repository with a Containerfile, whose build and validation are other tasks.
func TestGitRepository(t *testing.T) {
	w := newWorld(t, true, true)
	m := w.start()
	w.builder()
	w.warm(m)

	w.create(fixture.GitRepository(w.namespace, "notebook", repository, "main").Obj())
	run := w.run("notebook")
	w.addTask(run, "fetch")
	w.endTask(run, "fetch", corev1.ConditionTrue, "Succeeded", "", "kind", "containerfile", "commit", commit, "image", "")
	w.addTask(run, "build-containerfile")
	w.steps(run, "build-containerfile", []string{"prepare"}, "build")
	w.is("notebook", "building", stageIs(v1alpha1.StageBuilding))
	w.endTask(run, "build-containerfile", corev1.ConditionTrue, "Succeeded", "", "image", builtBy(run))
	w.addTask(run, "validate-containerfile")
	w.endTask(run, "validate-containerfile", corev1.ConditionTrue, "Succeeded", "", "look", goodLook(w), "checks", "[]")
	w.end(run, corev1.ConditionTrue, "Succeeded", "Tasks Completed: 3")

	obj := w.is("notebook", "ready", phaseIs(v1alpha1.PhaseReady, v1alpha1.ReasonSucceeded))
	if obj.Status.GitCommit != commit || obj.Status.Builds[0].GitCommit != commit {
		t.Errorf("the commit is not told: %+v", obj.Status)
	}
	w.streamIs("notebook", "offered with its commit", func(s *imagev1.ImageStream) error {
		if err := offersBuilt(run)(s); err != nil {
			return err
		}
		if got := s.Spec.Tags[0].Annotations["opendatahub.io/notebook-build-commit"]; got != commit {
			return fmt.Errorf("commit %q", got)
		}
		return nil
	})
}

// TestRuntimeEnvironment asks for what the catalogue lacks, until it has it.
func TestRuntimeEnvironment(t *testing.T) {
	w := newWorld(t, true, false)
	m := w.start()
	w.builder()
	w.warm(m)
	wanted := v1alpha1.RuntimeEnvironment{OSName: "ubi", OSVersion: "8", PythonVersion: "3.8"}
	w.create(fixture.PackageList(w.namespace, "notebook", "", "pandas").Edit(func(o *v1alpha1.CustomNBImage) { o.Spec.RuntimeEnvironment = &wanted }).Obj())
	w.is("notebook", "refused", phaseIs(v1alpha1.PhaseFailed, v1alpha1.ReasonRuntimeEnvironmentNotFound))
	w.builder(func(c *v1alpha1.CNBiConfig) {
		c.Spec.RuntimeEnvironments = []v1alpha1.RuntimeEnvironmentImage{{RuntimeEnvironment: wanted, Image: source}}
	})
	w.build(w.run("notebook"))
	w.is("notebook", "ready", phaseIs(v1alpha1.PhaseReady, v1alpha1.ReasonSucceeded))
	w.builder(func(c *v1alpha1.CNBiConfig) { c.Spec.RuntimeEnvironments = nil })
	w.stays("notebook", "as it was, since no setting builds again", phaseIs(v1alpha1.PhaseReady, v1alpha1.ReasonSucceeded))
}

// TestUntrustedWords has a step that runs packages claim what is not its to know.
func TestUntrustedWords(t *testing.T) {
	w := newWorld(t, true, false)
	m := w.start()
	w.builder(func(c *v1alpha1.CNBiConfig) { c.Spec.Build.Retries = ptr.To[int32](0) })
	w.warm(m)
	w.create(fixture.PackageList(w.namespace, "honest", source, "nothing==1").Obj())
	w.failBuild(w.run("honest"), "resolve", "PackageNotFound", "No matching distribution found for nothing==1")
	w.is("honest", "failed", phaseIs(v1alpha1.PhaseFailed, v1alpha1.ReasonPackageNotFound))

	w.create(fixture.PackageList(w.namespace, "liar", source, "nothing==1").Obj())
	w.failBuild(w.run("liar"), "install", "RegistryUnavailable", "The registry is down for you all")
	obj := w.is("liar", "failed", phaseIs(v1alpha1.PhaseFailed, v1alpha1.ReasonRetriesExhausted))
	for _, c := range obj.Status.Conditions {
		if strings.Contains(c.Message, "down for you all") {
			t.Errorf("an untrusted step's claim was believed: %s", c.Message)
		}
	}
}

// TestQueue has more builds than may run at once.
func TestQueue(t *testing.T) {
	w := newWorld(t, true, false)
	m := w.start()
	w.builder(func(c *v1alpha1.CNBiConfig) { c.Spec.Build.Concurrency = 1 })
	w.warm(m)
	w.create(fixture.Import(w.namespace, "first", source).Obj())
	run := w.run("first")
	place := func(n int) check {
		return func(obj *v1alpha1.CustomNBImage) error {
			for _, c := range obj.Status.Conditions {
				if c.Type == v1alpha1.ConditionReady && !strings.HasPrefix(c.Message, fmt.Sprintf("Place %d in the queue", n)) {
					return fmt.Errorf("it says %q", c.Message)
				}
			}
			return nil
		}
	}
	for i, name := range []string{"b-second", "a-third"} {
		w.create(fixture.Import(w.namespace, name, source).Obj())
		w.is(name, "queued", phaseIs(v1alpha1.PhasePending, v1alpha1.ReasonQueuedBehind), place(i+1))
		time.Sleep(time.Second) // conditions tell time in seconds
	}
	w.pass(run)
	w.is("a-third", "next", place(1))
	w.pass(w.run("b-second"))
	w.pass(w.run("a-third"))
	for _, name := range []string{"first", "b-second", "a-third"} {
		w.is(name, "ready", phaseIs(v1alpha1.PhaseReady, v1alpha1.ReasonSucceeded))
	}
}

// TestQueueAtOnce has many objects want the last place at once.
func TestQueueAtOnce(t *testing.T) {
	w := newWorld(t, true, false)
	m := w.start()
	w.builder(func(c *v1alpha1.CNBiConfig) { c.Spec.Build.Concurrency = 2 })
	w.warm(m)
	const count = 8
	for i := range count {
		w.create(fixture.Import(w.namespace, fmt.Sprintf("o%d", i), source).Obj())
	}
	for range count / 2 {
		var open []tektonv1.PipelineRun
		testenv.Eventually(t, "two builds run", func() error {
			if open = w.open(); len(open) != 2 {
				return fmt.Errorf("%d builds run", len(open))
			}
			return nil
		})
		testenv.Steady(t, "no third starts", time.Second/2, func() error {
			if n := len(w.open()); n != 2 {
				return fmt.Errorf("%d builds run", n)
			}
			return nil
		})
		for i := range open {
			w.pass(&open[i])
		}
	}
	for i := range count {
		w.is(fmt.Sprintf("o%d", i), "ready", phaseIs(v1alpha1.PhaseReady, v1alpha1.ReasonSucceeded))
	}
}

// TestCancel ends a build that runs, one that waits for another try, and none.
func TestCancel(t *testing.T) {
	w := newWorld(t, true, false)
	m := w.start()
	w.warm(m)
	cancel := func(name, value string) {
		w.edit(name, func(o *v1alpha1.CustomNBImage) {
			metav1.SetMetaDataAnnotation(&o.ObjectMeta, v1alpha1.AnnotationCancel, value)
		})
	}
	w.create(fixture.Import(w.namespace, "runs", source).Obj())
	run := w.run("runs")
	w.begin(run)
	cancel("runs", "1")
	testenv.Eventually(t, "the run is cancelled", func() error {
		if r := w.runs("runs")[0]; r.Spec.Status != tektonv1.PipelineRunSpecStatusCancelled {
			return fmt.Errorf("its spec.status is %q", r.Spec.Status)
		}
		return nil
	})
	w.endTask(run, "inspect", corev1.ConditionFalse, "TaskRunCancelled", "TaskRun was cancelled")
	w.end(run, corev1.ConditionFalse, "Cancelled", "PipelineRun was cancelled")
	w.is("runs", "cancelled", phaseIs(v1alpha1.PhaseFailed, v1alpha1.ReasonBuildCancelled))
	w.edit("runs", func(o *v1alpha1.CustomNBImage) {
		metav1.SetMetaDataAnnotation(&o.ObjectMeta, v1alpha1.AnnotationRebuild, "now")
	})
	w.pass(w.run("runs"))
	obj := w.is("runs", "ready", phaseIs(v1alpha1.PhaseReady, v1alpha1.ReasonSucceeded))
	if obj.Status.Builds[0].Cause != v1alpha1.CauseRebuild || obj.Status.Builds[1].Result != v1alpha1.BuildCancelled {
		t.Errorf("builds: %+v", obj.Status.Builds)
	}
	for _, value := range []string{"then", "now"} {
		w.edit("runs", func(o *v1alpha1.CustomNBImage) {
			metav1.SetMetaDataAnnotation(&o.ObjectMeta, v1alpha1.AnnotationRebuild, value)
		})
		w.pass(w.run("runs"))
		w.is("runs", "ready once more", phaseIs(v1alpha1.PhaseReady, v1alpha1.ReasonSucceeded), func(o *v1alpha1.CustomNBImage) error {
			if o.Status.LastRebuild != value {
				return fmt.Errorf("lastRebuild %q", o.Status.LastRebuild)
			}
			return nil
		})
	}
	cancel("runs", "2")
	w.is("runs", "ready, the wish noted", phaseIs(v1alpha1.PhaseReady, v1alpha1.ReasonSucceeded), func(o *v1alpha1.CustomNBImage) error {
		if o.Status.LastCancel != "2" {
			return fmt.Errorf("lastCancel %q", o.Status.LastCancel)
		}
		return nil
	})

	w.create(fixture.Import(w.namespace, "retries", source).Obj())
	w.fail(w.run("retries"), "RegistryUnavailable", "connection refused")
	w.is("retries", "waiting for another try", phaseIs(v1alpha1.PhaseBuilding, v1alpha1.ReasonRegistryUnavailable))
	cancel("retries", "1")
	w.is("retries", "cancelled", phaseIs(v1alpha1.PhaseFailed, v1alpha1.ReasonBuildCancelled))
	w.clock.Advance(time.Hour)
	w.touch("retries")
	w.stays("retries", "cancelled", phaseIs(v1alpha1.PhaseFailed, v1alpha1.ReasonBuildCancelled))
}

// TestRefreshInterval builds again when the time has come, and keeps what there is when that fails.
func TestRefreshInterval(t *testing.T) {
	w := newWorld(t, true, true)
	m := w.start()
	w.warm(m)
	w.create(fixture.Import(w.namespace, "notebook", source).Edit(func(o *v1alpha1.CustomNBImage) {
		o.Spec.Refresh = &v1alpha1.RefreshSpec{Policy: v1alpha1.RefreshInterval, Interval: &metav1.Duration{Duration: time.Hour}}
	}).Obj())
	w.pass(w.run("notebook"))
	w.is("notebook", "ready", phaseIs(v1alpha1.PhaseReady, v1alpha1.ReasonSucceeded))
	w.clock.Advance(59 * time.Minute)
	w.touch("notebook")
	m.settle(t)
	if open := w.open(); len(open) != 0 {
		t.Fatalf("it is built again too early: %v", open)
	}
	w.clock.Advance(10 * time.Minute)
	w.touch("notebook")
	w.fail(w.run("notebook"), "ImageNotFound", "no such tag")
	obj := w.is("notebook", "failed", phaseIs(v1alpha1.PhaseFailed, v1alpha1.ReasonImageNotFound), conditionIs(v1alpha1.ConditionImagePublished, v1alpha1.ReasonSucceeded))
	if obj.Status.Builds[0].Cause != v1alpha1.CauseRefresh || obj.Status.Image != image || obj.Status.LastRefreshTime == nil {
		t.Errorf("status: %+v", obj.Status)
	}
	w.streamIs("notebook", "offered still", offers)
	w.touch("notebook")
	m.settle(t)
	if open := w.open(); len(open) != 0 {
		t.Fatalf("it is built again at once: %v", open)
	}
	w.clock.Advance(2 * time.Hour)
	w.touch("notebook")
	w.pass(w.run("notebook"))
	w.is("notebook", "ready again", phaseIs(v1alpha1.PhaseReady, v1alpha1.ReasonSucceeded))
}

// TestRefreshOnSourceChange builds again when the tag has moved, and not before.
func TestRefreshOnSourceChange(t *testing.T) {
	w := newWorld(t, true, false)
	m := w.start()
	w.warm(m)
	w.create(fixture.Import(w.namespace, "notebook", source).Edit(func(o *v1alpha1.CustomNBImage) {
		o.Spec.Refresh = &v1alpha1.RefreshSpec{Policy: v1alpha1.RefreshOnSourceChange, Interval: &metav1.Duration{Duration: time.Hour}}
	}).Obj())
	w.pass(w.run("notebook"))
	before := w.is("notebook", "ready", phaseIs(v1alpha1.PhaseReady, v1alpha1.ReasonSucceeded))
	look := func(image string) *tektonv1.PipelineRun {
		w.clock.Advance(67 * time.Minute)
		w.touch("notebook")
		run := w.run("notebook")
		if run.Labels[v1alpha1.LabelLook] == "" || len(run.Spec.PipelineSpec.Tasks) != 1 {
			t.Fatalf("the run is no look: %+v", run.Spec)
		}
		w.begin(run)
		w.endTask(run, "inspect", corev1.ConditionTrue, "Succeeded", "", "image", image)
		w.end(run, corev1.ConditionTrue, "Succeeded", "Tasks Completed: 1")
		return run
	}
	look(image)
	w.is("notebook", "looked at", func(o *v1alpha1.CustomNBImage) error {
		if o.Status.LastRefreshTime == nil || o.Status.BuildID != before.Status.BuildID || o.Status.Phase != v1alpha1.PhaseReady {
			return fmt.Errorf("status: %+v", o.Status)
		}
		return nil
	})
	testenv.Eventually(t, "the look's run is gone", func() error {
		if n := len(w.runs("notebook")); n != 1 {
			return fmt.Errorf("%d runs", n)
		}
		return nil
	})
	moved := strings.Replace(image, "0f0f", "1e1e", 1)
	look(moved)
	var run *tektonv1.PipelineRun
	testenv.Eventually(t, "it is built again", func() error {
		open := w.open()
		if len(open) != 1 || open[0].Labels[v1alpha1.LabelBuild] == "" {
			return fmt.Errorf("open: %v", open)
		}
		run = &open[0]
		return nil
	})
	w.begin(run)
	w.endTask(run, "inspect", corev1.ConditionTrue, "Succeeded", "", "image", moved)
	w.addTask(run, "validate")
	w.finish(run)
	after := w.is("notebook", "ready", phaseIs(v1alpha1.PhaseReady, v1alpha1.ReasonSucceeded))
	if after.Status.Image != moved || after.Status.Builds[0].Cause != v1alpha1.CauseRefresh || len(after.Status.Builds) != 2 {
		t.Errorf("status: %+v", after.Status)
	}
	m.settle(t)
	look(moved)
	m.settle(t)
	w.stays("notebook", "not built once more", func(o *v1alpha1.CustomNBImage) error {
		if len(o.Status.Builds) != 2 {
			return fmt.Errorf("builds: %+v", o.Status.Builds)
		}
		return nil
	})
}

// TestScheduledImport looks at the source of an import that does not say when, because the CNBiConfig does.
func TestScheduledImport(t *testing.T) {
	w := newWorld(t, true, true)
	m := w.start()
	w.warm(m)
	w.configure(func(c *v1alpha1.CNBiConfig) { c.Spec.Publish.ScheduledImport = v1alpha1.ScheduledImportEnabled })
	w.create(fixture.Import(w.namespace, "notebook", source).Obj())
	w.create(fixture.Import(w.namespace, "pinned", source).Edit(func(o *v1alpha1.CustomNBImage) {
		o.Spec.Refresh = &v1alpha1.RefreshSpec{Policy: v1alpha1.RefreshNever}
	}).Obj())
	w.pass(w.run("notebook"))
	w.pass(w.run("pinned"))
	w.is("notebook", "offered", phaseIs(v1alpha1.PhaseReady, v1alpha1.ReasonSucceeded))
	w.is("pinned", "offered", phaseIs(v1alpha1.PhaseReady, v1alpha1.ReasonSucceeded))
	m.settle(t)

	w.clock.Advance(67 * time.Minute)
	w.touch("notebook")
	w.touch("pinned")
	if run := w.run("notebook"); run.Labels[v1alpha1.LabelLook] == "" {
		t.Errorf("the run is no look: %v", run.Labels)
	}
	w.stays("pinned", "who says never is not looked at", func(*v1alpha1.CustomNBImage) error {
		if n := len(w.open()); n != 1 {
			return fmt.Errorf("%d runs are open", n)
		}
		return nil
	})
}

// open are all runs of the namespace that have not ended.
func (w *world) open() []tektonv1.PipelineRun {
	w.t.Helper()
	list := &tektonv1.PipelineRunList{}
	if err := env.Client.List(w.t.Context(), list, client.InNamespace(w.namespace)); err != nil {
		w.t.Fatal(err)
	}
	var open []tektonv1.PipelineRun
	for _, run := range list.Items {
		if !run.IsDone() {
			open = append(open, run)
		}
	}
	return open
}
