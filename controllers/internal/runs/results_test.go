package runs

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	tektonv1 "github.com/tektoncd/pipeline/pkg/apis/pipeline/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"knative.dev/pkg/apis"
)

// step is an ended step with its last words.
func step(name string, code int32, words string) tektonv1.StepState {
	return tektonv1.StepState{Name: name, ContainerState: corev1.ContainerState{
		Terminated: &corev1.ContainerStateTerminated{ExitCode: code, Message: words},
	}}
}

func TestResult(t *testing.T) {
	type result struct {
		Value string
		Found bool
	}
	told := []tektonv1.TaskRunResult{{Name: "image", Value: *tektonv1.NewStructuredValues("told")}}
	cases := map[string]struct {
		reason string
		told   []tektonv1.TaskRunResult
		steps  []tektonv1.StepState
		want   result
	}{
		"Told":     {reason: "Tekton's own word comes first", told: told, steps: []tektonv1.StepState{step("a", 0, `[{"key":"image","value":"said"}]`)}, want: result{"told", true}},
		"Said":     {reason: "without it the last step's counts", steps: []tektonv1.StepState{step("a", 0, `[{"key":"image","value":"a"}]`), step("b", 0, `[{"key":"image","value":"b"},{"key":"other","value":"c"}]`)}, want: result{"b", true}},
		"Twice":    {reason: "the last word of a step counts", steps: []tektonv1.StepState{step("a", 0, `[{"key":"image","value":"a"},{"key":"image","value":"b"}]`)}, want: result{"b", true}},
		"Empty":    {reason: "an empty result is one", steps: []tektonv1.StepState{step("a", 0, `[{"key":"image","value":""}]`)}, want: result{"", true}},
		"Nonsense": {reason: "what is no list of results says nothing", steps: []tektonv1.StepState{step("a", 1, "Killed")}},
		"Running":  {reason: "a step that runs has said nothing", steps: []tektonv1.StepState{{Name: "a"}}},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			task := &tektonv1.TaskRun{}
			task.Status.Results, task.Status.Steps = tc.told, tc.steps
			var got result
			got.Value, got.Found = Result(task, "image")
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Errorf("\n%s\n-want, +got:\n%s", tc.reason, diff)
			}
		})
	}
}

func TestFailedStep(t *testing.T) {
	task := &tektonv1.TaskRun{}
	task.Status.Steps = []tektonv1.StepState{step("good", 0, ""), step("bad", 1, ""), step("skipped", 1, "")}
	if got := FailedStep(task).Name; got != "bad" {
		t.Errorf("got %q", got)
	}
	task.Status.Steps = task.Status.Steps[:1]
	if got := FailedStep(task).Name; got != "" {
		t.Errorf("none has failed: got %q", got)
	}
}

func TestStranded(t *testing.T) {
	const running = "Running"
	good, bad, waits := step("good", 0, ""), step("bad", 2, ""), tektonv1.StepState{Name: "waits"}
	mayFail, ended := bad, step("ended", 1, "")
	mayFail.TerminationReason = "Continued"
	ended.Terminated.Reason = tektonv1.TaskRunReasonCancelled.String()
	endedLater := step("ended", 1, "")
	endedLater.Terminated.Reason, endedLater.Terminated.FinishedAt = ended.Terminated.Reason, metav1.NewTime(bad.Terminated.FinishedAt.Add(EndGrace))
	cases := map[string]struct {
		reason string
		status corev1.ConditionStatus
		told   string
		steps  []tektonv1.StepState
		want   string
	}{
		"CutOff":      {reason: "the next step waits for ever", status: corev1.ConditionUnknown, told: running, steps: []tektonv1.StepState{good, bad, waits}, want: "bad"},
		"Running":     {reason: "nothing has failed", status: corev1.ConditionUnknown, told: running, steps: []tektonv1.StepState{good, waits}},
		"Told":        {reason: "the next step knows", status: corev1.ConditionUnknown, told: running, steps: []tektonv1.StepState{bad, step("skipped", 1, ""), waits}},
		"Last":        {reason: "nobody waits for the last step", status: corev1.ConditionUnknown, told: running, steps: []tektonv1.StepState{good, bad}},
		"MayFail":     {reason: "the next step runs all the same", status: corev1.ConditionUnknown, told: running, steps: []tektonv1.StepState{mayFail, waits}},
		"Retried":     {reason: "these are the steps of the last try", status: corev1.ConditionUnknown, told: "ToBeRetried", steps: []tektonv1.StepState{bad, waits}},
		"Ended":       {reason: "Tekton knows", status: corev1.ConditionFalse, told: "Failed", steps: []tektonv1.StepState{bad, waits}},
		"CutOffEnded": {reason: "it was why the run was cancelled", status: corev1.ConditionFalse, told: "TaskRunCancelled", steps: []tektonv1.StepState{good, bad, endedLater}, want: "bad"},
		"AtOnce":      {reason: "it was cancelled before Tekton could tell the next step", status: corev1.ConditionFalse, told: "TaskRunCancelled", steps: []tektonv1.StepState{good, bad, ended}},
		"Cancelled":   {reason: "it was ended like those behind it", status: corev1.ConditionFalse, told: "TaskRunCancelled", steps: []tektonv1.StepState{good, ended, ended}},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			task := &tektonv1.TaskRun{}
			task.Status.Steps = tc.steps
			task.Status.SetCondition(&apis.Condition{Type: apis.ConditionSucceeded, Status: tc.status, Reason: tc.told})
			got := ""
			if step, ok := Stranded(task); ok {
				got = step.Name
			}
			if got != tc.want {
				t.Errorf("%s: want %q, got %q", tc.reason, tc.want, got)
			}
		})
	}
	if _, ok := Stranded(nil); ok {
		t.Error("a task that has not begun is none")
	}
}

func TestIsCommit(t *testing.T) {
	for text, want := range map[string]bool{
		"0123456789abcdef0123456789abcdef01234567":                         true,
		"0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef": true,
		"0123456789ABCDEF0123456789abcdef01234567":                         false,
		"0123456789abcdef0123456789abcdef01234567\n":                       false,
		"main": false,
		"":     false,
	} {
		if got := IsCommit(text); got != want {
			t.Errorf("%q: want %t", text, want)
		}
	}
}
