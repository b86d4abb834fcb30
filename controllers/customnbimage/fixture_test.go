package customnbimage

import (
	"encoding/json"
	"time"

	tektonv1 "github.com/tektoncd/pipeline/pkg/apis/pipeline/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"knative.dev/pkg/apis"

	"github.com/meteor-zone/meteor-operator/apis/v1alpha1"
)

const (
	testImage  = "registry.example/team/notebook:1.2"
	testDigest = "registry.example/team/notebook@sha256:0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f"
)

var testNow = time.Date(2026, 3, 4, 5, 6, 7, 0, time.UTC)

func newObject() *v1alpha1.CustomNBImage {
	return &v1alpha1.CustomNBImage{
		ObjectMeta: metav1.ObjectMeta{
			Namespace: "team", Name: "notebook", UID: "5b1c5d6e", Generation: 1, CreationTimestamp: metav1.NewTime(testNow),
		},
		Spec:   v1alpha1.CustomNBImageSpec{BuildType: v1alpha1.BuildTypeImageImport, FromImage: testImage},
		Status: v1alpha1.CustomNBImageStatus{ObservedGeneration: -1, Phase: v1alpha1.PhasePending},
	}
}

func succeededCondition(status corev1.ConditionStatus, reason, message string) apis.Condition {
	return apis.Condition{Type: apis.ConditionSucceeded, Status: status, Reason: reason, Message: message}
}

// newRun is a PipelineRun with the given end; without a reason it still runs.
func newRun(status corev1.ConditionStatus, reason, message string) *tektonv1.PipelineRun {
	run := &tektonv1.PipelineRun{ObjectMeta: metav1.ObjectMeta{Name: "run", CreationTimestamp: metav1.NewTime(testNow)}}
	run.Status.StartTime = &metav1.Time{Time: testNow}
	run.Status.SetCondition(ptrTo(succeededCondition(status, reason, message)))
	if status != corev1.ConditionUnknown {
		run.Status.CompletionTime = &metav1.Time{Time: testNow.Add(time.Minute)}
	}
	return run
}

// withChild adds a TaskRun to those that the run says it has.
func withChild(run *tektonv1.PipelineRun, task string) *tektonv1.PipelineRun {
	child := tektonv1.ChildStatusReference{PipelineTaskName: task}
	child.Kind = "TaskRun"
	run.Status.ChildReferences = append(run.Status.ChildReferences, child)
	return run
}

// newTask is a TaskRun with the given end and results.
func newTask(status corev1.ConditionStatus, reason, message string, results ...string) *tektonv1.TaskRun {
	task := &tektonv1.TaskRun{ObjectMeta: metav1.ObjectMeta{Name: "task"}}
	task.Status.SetCondition(ptrTo(succeededCondition(status, reason, message)))
	for i := 0; i < len(results); i += 2 {
		task.Status.Results = append(task.Status.Results, tektonv1.TaskRunResult{
			Name: results[i], Value: *tektonv1.NewStructuredValues(results[i+1]),
		})
	}
	return task
}

func inspected() *tektonv1.TaskRun {
	return newTask(corev1.ConditionTrue, "Succeeded", "", "image", testDigest, "IMAGE_URL", testImage)
}

// withStep adds an ended step whose termination message carries results, as Tekton leaves it.
func withStep(task *tektonv1.TaskRun, name string, exit int32, results ...string) *tektonv1.TaskRun {
	var list []map[string]any
	for i := 0; i < len(results); i += 2 {
		list = append(list, map[string]any{"key": results[i], "value": results[i+1], "type": 1})
	}
	message, err := json.Marshal(list)
	if err != nil {
		panic(err)
	}
	task.Status.Steps = append(task.Status.Steps, tektonv1.StepState{
		Name:           name,
		ContainerState: corev1.ContainerState{Terminated: &corev1.ContainerStateTerminated{ExitCode: exit, Message: string(message)}},
	})
	return task
}

func withDeadNotebook(task *tektonv1.TaskRun, exit int32, reason string) *tektonv1.TaskRun {
	task.Status.Sidecars = append(task.Status.Sidecars, tektonv1.SidecarState{
		Name:           sidecarNotebook,
		ContainerState: corev1.ContainerState{Terminated: &corev1.ContainerStateTerminated{ExitCode: exit, Reason: reason, FinishedAt: metav1.NewTime(testNow)}},
	})
	return task
}

// withMessage has the dead notebook's container say something.
func withMessage(task *tektonv1.TaskRun, message string) *tektonv1.TaskRun {
	task.Status.Sidecars[len(task.Status.Sidecars)-1].Terminated.Message = message
	return task
}

func ptrTo[T any](v T) *T { return &v }
