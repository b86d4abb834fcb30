package meteor

import (
	"cmp"
	"strings"
	"testing"
	"time"

	tektonv1 "github.com/tektoncd/pipeline/pkg/apis/pipeline/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"knative.dev/pkg/apis"

	"github.com/meteor-zone/meteor-operator/apis/v1alpha1"
	"github.com/meteor-zone/meteor-operator/controllers/internal/runs"
)

// A foreign Pipeline's result is anybody's text.
func TestWebAddress(t *testing.T) {
	for text, want := range map[string]string{
		"https://reports.example/1?x=y#z":       "https://reports.example/1?x=y#z",
		" http://reports.example\n":             "http://reports.example",
		"http://[::1]:8080/":                    "http://[::1]:8080/",
		"":                                      "",
		"reports.example":                       "",
		"/path":                                 "",
		"https:///path":                         "",
		"javascript:alert(1)":                   "",
		"data:text/html,x":                      "",
		"https://a.example/\nhttps://b.example": "",
		"https://a.example/a b":                 "",
		"https://a.example/\u202egpj":           "",
		"https://a.example/\xff":                "",
		"https://user:password@a.example/":      "",
		"https://a.example/" + strings.Repeat("x", 10_000): "",
	} {
		if got := webAddress(text); got != want {
			t.Errorf("webAddress(%.60q) = %.60q, want %q", text, got, want)
		}
	}
}

func TestObserveForeign(t *testing.T) {
	cases := map[string]struct {
		reason    string
		status    corev1.ConditionStatus
		told      string
		results   []tektonv1.PipelineRunResult
		url, want string
	}{
		"Good":      {"its result is shown", corev1.ConditionTrue, "Succeeded", []tektonv1.PipelineRunResult{{Name: "url", Value: *tektonv1.NewStructuredValues("https://a.example")}}, "https://a.example", ""},
		"Silent":    {"one without a result has succeeded too", corev1.ConditionTrue, "Succeeded", nil, "", ""},
		"List":      {"a result of another type is none", corev1.ConditionTrue, "Succeeded", []tektonv1.PipelineRunResult{{Name: "url", Value: *tektonv1.NewStructuredValues("https://a.example", "b")}}, "", ""},
		"Failed":    {"its failure is the user's to look at", corev1.ConditionFalse, "Failed", nil, "", v1alpha1.ReasonPipelineFailed},
		"Gone":      {"one that went meanwhile is told apart", corev1.ConditionFalse, "CouldntGetPipeline", nil, "", v1alpha1.ReasonPipelineNotFound},
		"Timeout":   {"so is one that took too long", corev1.ConditionFalse, "PipelineRunTimeout", nil, "", v1alpha1.ReasonBuildTimeout},
		"Cancelled": {"and one that somebody has cancelled", corev1.ConditionFalse, "Cancelled", nil, "", v1alpha1.ReasonBuildCancelled},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			run := &tektonv1.PipelineRun{ObjectMeta: metav1.ObjectMeta{Name: "r"}}
			run.Status.SetCondition(&apis.Condition{Type: apis.ConditionSucceeded, Status: c.status, Reason: c.told, Message: "Any"})
			run.Status.Results = c.results
			o := observe("other", run, nil, born.Add(time.Minute))
			got := ""
			if o.failure != nil {
				got = o.failure.reason
			}
			if !o.finished || o.url != c.url || got != c.want {
				t.Errorf("%s: %+v, failure %+v", c.reason, o, o.failure)
			}
		})
	}
}

// A step that could not tell the next one of its end has the run ended, once Tekton has had the time to do so.
func TestObserveCutOff(t *testing.T) {
	now := born.Add(time.Minute)
	cases := map[string]struct {
		reason   string
		pipeline string
		asked    tektonv1.PipelineRunSpecStatus
		ended    time.Time
		words    string
		killed   string
		later    time.Duration
		want     string
	}{
		"Foreign":     {reason: "another tool's task may be called book, and is judged by Tekton alone", pipeline: "reports", ended: now.Add(-runs.EndGrace)},
		"Asked":       {reason: "who ends it in another way is not overruled", ended: now.Add(-runs.EndGrace), asked: tektonv1.PipelineRunSpecStatusStoppedRunFinally, want: v1alpha1.ReasonLimitExceeded},
		"JustNow":     {reason: "Tekton may do so yet", ended: now.Add(-time.Second), later: runs.EndGrace - time.Second},
		"CutOff":      {reason: "nothing said why", ended: now.Add(-runs.EndGrace), want: v1alpha1.ReasonLimitExceeded},
		"Told":        {reason: "the step said why", ended: now.Add(-runs.EndGrace), words: `[{"key":"failure","value":"{\"reason\":\"BookNotFound\",\"message\":\"None\"}"}]`, want: v1alpha1.ReasonBookNotFound},
		"OutOfMemory": {reason: "the kubelet said why", ended: now.Add(-runs.EndGrace), killed: "OOMKilled", want: v1alpha1.ReasonLimitExceeded},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			run, task := &tektonv1.PipelineRun{ObjectMeta: metav1.ObjectMeta{Name: "r"}}, &tektonv1.TaskRun{}
			run.Spec.Status = c.asked
			task.Status.Steps = []tektonv1.StepState{{Name: stepBuild}, {Name: "push"}}
			task.Status.Steps[0].Terminated = &corev1.ContainerStateTerminated{ExitCode: 2, FinishedAt: metav1.NewTime(c.ended), Message: c.words, Reason: c.killed}
			o := observe(cmp.Or(c.pipeline, v1alpha1.PipelineJupyterBook), run, taskRuns{taskBook: task}, now)
			got := ""
			if o.failure != nil {
				got = o.failure.reason
			}
			if ended := c.want != ""; got != c.want || o.finished != ended || o.cancel != (ended && c.asked == "") || o.lookAgain != c.later {
				t.Errorf("%s: %+v, failure %+v", c.reason, o, o.failure)
			}
		})
	}
}

// A run that was cancelled because a step was cut off is told by that, also when the status was not written in time.
func TestObserveCutOffAndCancelled(t *testing.T) {
	run, task := &tektonv1.PipelineRun{ObjectMeta: metav1.ObjectMeta{Name: "r"}}, &tektonv1.TaskRun{}
	run.Status.SetCondition(&apis.Condition{Type: apis.ConditionSucceeded, Status: corev1.ConditionFalse, Reason: "Cancelled"})
	task.Status.SetCondition(&apis.Condition{Type: apis.ConditionSucceeded, Status: corev1.ConditionFalse, Reason: "TaskRunCancelled"})
	task.Status.Steps = []tektonv1.StepState{{Name: stepBuild}, {Name: "push"}}
	task.Status.Steps[0].Terminated = &corev1.ContainerStateTerminated{ExitCode: 2, Reason: "Error"}
	task.Status.Steps[1].Terminated = &corev1.ContainerStateTerminated{ExitCode: 1, Reason: "TaskRunCancelled", FinishedAt: metav1.NewTime(time.Time{}.Add(runs.EndGrace))}
	if o := observe(v1alpha1.PipelineJupyterBook, run, taskRuns{taskBook: task}, born); o.failure == nil || o.failure.reason != v1alpha1.ReasonLimitExceeded {
		t.Errorf("failure %+v", o.failure)
	}
	task.Status.Steps[0].Terminated.Reason = "TaskRunCancelled"
	if o := observe(v1alpha1.PipelineJupyterBook, run, taskRuns{taskBook: task}, born); o.failure == nil || o.failure.reason != v1alpha1.ReasonBuildCancelled {
		t.Errorf("a user's cancellation is told as %+v", o.failure)
	}
}
