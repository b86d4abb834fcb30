package lifetest

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	imagev1 "github.com/openshift/api/image/v1"
	tektonv1 "github.com/tektoncd/pipeline/pkg/apis/pipeline/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"knative.dev/pkg/apis"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/meteor-zone/meteor-operator/apis/v1alpha1"
	"github.com/meteor-zone/meteor-operator/controllers/internal/testenv"
	"github.com/meteor-zone/meteor-operator/internal/validate"
)

// The test plays Tekton's part here, and the kubelet's: this cluster has neither. What they really do is tested on a
// real cluster; here it is about what the controllers make of it.

const (
	source = "registry.example/team/notebook:1.2"
	digest = "sha256:0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f"
	image  = "registry.example/team/notebook@" + digest
)

// runs lists the runs of an object, oldest name first.
func (w *world) runs(name string) []tektonv1.PipelineRun {
	w.t.Helper()
	list := &tektonv1.PipelineRunList{}
	if err := env.Client.List(w.t.Context(), list, client.InNamespace(w.namespace), client.MatchingLabels{v1alpha1.LabelCustomNBImage: name}); err != nil {
		w.t.Fatalf("cannot list PipelineRuns: %v", err)
	}
	slices.SortFunc(list.Items, func(a, b tektonv1.PipelineRun) int { return strings.Compare(a.Name, b.Name) })
	return list.Items
}

// run waits for the one run of an object that has not ended.
func (w *world) run(name string) *tektonv1.PipelineRun {
	w.t.Helper()
	var run *tektonv1.PipelineRun
	testenv.Eventually(w.t, name+" has a run under way", func() error {
		open := slices.DeleteFunc(w.runs(name), func(r tektonv1.PipelineRun) bool { return r.IsDone() })
		if len(open) != 1 {
			return fmt.Errorf("%d runs are under way", len(open))
		}
		run = &open[0]
		return nil
	})
	return run
}

// begin is when Tekton has taken a run up.
func (w *world) begin(run *tektonv1.PipelineRun) {
	w.t.Helper()
	w.setRun(run, func(r *tektonv1.PipelineRun) {
		r.Status.StartTime = &metav1.Time{Time: w.clock.Now().Truncate(time.Second)}
		r.Status.SetCondition(&apis.Condition{Type: apis.ConditionSucceeded, Status: corev1.ConditionUnknown, Reason: "Running", Message: "Tasks Completed: 0"})
	})
	w.addTask(run, "inspect")
}

// validating is when the image was found, and runs.
func (w *world) validating(run *tektonv1.PipelineRun) {
	w.t.Helper()
	w.endTask(run, "inspect", corev1.ConditionTrue, "Succeeded", "All Steps have completed executing",
		"image", image, "IMAGE_URL", source, "IMAGE_DIGEST", digest)
	w.addTask(run, "validate")
}

// pass is the whole of a run that comes to a good end.
func (w *world) pass(run *tektonv1.PipelineRun) {
	w.t.Helper()
	w.begin(run)
	w.validating(run)
	w.finish(run)
}

// finish is the good end of an image that runs.
func (w *world) finish(run *tektonv1.PipelineRun) {
	w.t.Helper()
	w.endTask(run, "validate", corev1.ConditionTrue, "Succeeded", "All Steps have completed executing",
		"look", goodLook(w), "checks", "[]", "probe", `{"status":200,"seconds":1.2,"attempts":3,"outcome":"ok"}`)
	w.end(run, corev1.ConditionTrue, "Succeeded", "Tasks Completed: 2")
}

// fail is a run whose inspection failed as a trusted step says.
func (w *world) fail(run *tektonv1.PipelineRun, reason, message string) {
	w.t.Helper()
	w.begin(run)
	told, err := json.Marshal(map[string]string{"reason": reason, "message": message})
	if err != nil {
		w.t.Fatal(err)
	}
	w.endTask(run, "inspect", corev1.ConditionFalse, "Failed", `"step-inspect" exited with code 1`, "failure", string(told))
	w.end(run, corev1.ConditionFalse, "Failed", "Tasks Completed: 1 (Failed: 1)")
}

// end is a run's end.
func (w *world) end(run *tektonv1.PipelineRun, status corev1.ConditionStatus, reason, message string) {
	w.t.Helper()
	w.setRun(run, func(r *tektonv1.PipelineRun) {
		r.Status.CompletionTime = &metav1.Time{Time: w.clock.Now().Truncate(time.Second)}
		r.Status.SetCondition(&apis.Condition{Type: apis.ConditionSucceeded, Status: status, Reason: reason, Message: message})
	})
}

func (w *world) setRun(run *tektonv1.PipelineRun, fn func(*tektonv1.PipelineRun)) {
	w.t.Helper()
	testenv.Eventually(w.t, "the run's status is written", func() error {
		now := &tektonv1.PipelineRun{}
		if err := env.Client.Get(w.t.Context(), client.ObjectKeyFromObject(run), now); err != nil {
			return err
		}
		fn(now)
		return env.Client.Status().Update(w.t.Context(), now)
	})
}

func (w *world) addTask(run *tektonv1.PipelineRun, name string) {
	w.t.Helper()
	task := &tektonv1.TaskRun{
		ObjectMeta: metav1.ObjectMeta{
			Namespace: run.Namespace, Name: run.Name + "-" + name, Labels: map[string]string{},
			OwnerReferences: []metav1.OwnerReference{*metav1.NewControllerRef(run, tektonv1.SchemeGroupVersion.WithKind("PipelineRun"))},
		},
		Spec: tektonv1.TaskRunSpec{TaskRef: &tektonv1.TaskRef{Name: "meteor-" + name + "-image"}},
	}
	for key, value := range run.Labels {
		task.Labels[key] = value
	}
	task.Labels["tekton.dev/pipelineRun"], task.Labels["tekton.dev/pipelineTask"] = run.Name, name
	w.create(task)
	w.setTask(run, name, func(task *tektonv1.TaskRun) {
		task.Status.SetCondition(&apis.Condition{Type: apis.ConditionSucceeded, Status: corev1.ConditionUnknown, Reason: "Running", Message: "Not all Steps in the Task have finished executing"})
	})
}

// endTask ends a task, with results as names and values.
func (w *world) endTask(run *tektonv1.PipelineRun, name string, status corev1.ConditionStatus, reason, message string, results ...string) {
	w.t.Helper()
	w.setTask(run, name, func(task *tektonv1.TaskRun) {
		task.Status.CompletionTime = &metav1.Time{Time: w.clock.Now().Truncate(time.Second)}
		task.Status.SetCondition(&apis.Condition{Type: apis.ConditionSucceeded, Status: status, Reason: reason, Message: message})
		for i := 0; i < len(results); i += 2 {
			task.Status.Results = append(task.Status.Results, tektonv1.TaskRunResult{
				Name: results[i], Type: tektonv1.ResultsTypeString, Value: *tektonv1.NewStructuredValues(results[i+1]),
			})
		}
	})
}

func (w *world) setTask(run *tektonv1.PipelineRun, name string, fn func(*tektonv1.TaskRun)) {
	w.t.Helper()
	testenv.Eventually(w.t, "the task's status is written", func() error {
		task := &tektonv1.TaskRun{}
		if err := env.Client.Get(w.t.Context(), w.key(run.Name+"-"+name), task); err != nil {
			return err
		}
		fn(task)
		return env.Client.Status().Update(w.t.Context(), task)
	})
}

func goodLook(w *world) string {
	packed, total := validate.PackPackages([]validate.Package{{Name: "jupyterlab", Version: "4.2.0"}, {Name: "pandas", Version: "2.2.0"}}, 1024)
	data, err := json.Marshal(validate.Look{
		Python: "3.11.2", Pip: "23.0", Home: validate.Home{Path: "/opt/app-root/src", Writable: true},
		Software: []validate.Package{{Name: "Python", Version: "3.11.2"}},
		Packages: packed, PackagesTotal: total,
	})
	if err != nil {
		w.t.Fatal(err)
	}
	return string(data)
}

// stream reads an ImageStream.
func (w *world) stream(name string) (*imagev1.ImageStream, error) {
	s := &imagev1.ImageStream{}
	if err := env.Client.Get(w.t.Context(), w.key(name), s); err != nil {
		return nil, err
	}
	return s, nil
}

// streamIs waits until an ImageStream satisfies check.
func (w *world) streamIs(name, what string, check func(*imagev1.ImageStream) error) *imagev1.ImageStream {
	w.t.Helper()
	var s *imagev1.ImageStream
	testenv.Eventually(w.t, "ImageStream "+name+" is "+what, func() error {
		var err error
		if s, err = w.stream(name); err != nil {
			return err
		}
		return check(s)
	})
	return s
}

func offers(s *imagev1.ImageStream) error {
	if s.Labels["opendatahub.io/notebook-image"] != "true" || len(s.Spec.Tags) != 1 || s.Spec.Tags[0].From == nil || s.Spec.Tags[0].From.Name != image {
		return fmt.Errorf("labels %v, tags %+v", s.Labels, s.Spec.Tags)
	}
	return nil
}

func hidden(s *imagev1.ImageStream) error {
	if s.Labels["opendatahub.io/notebook-image"] != "false" || len(s.Spec.Tags) != 0 {
		return fmt.Errorf("labels %v, tags %+v", s.Labels, s.Spec.Tags)
	}
	return nil
}
