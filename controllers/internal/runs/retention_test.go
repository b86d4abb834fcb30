package runs

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	tektonv1 "github.com/tektoncd/pipeline/pkg/apis/pipeline/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"knative.dev/pkg/apis"

	"github.com/meteor-zone/meteor-operator/apis/v1alpha1"
)

var now = time.Date(2026, 3, 4, 5, 6, 7, 0, time.UTC)

// run is one that was created some minutes from now; if it has ended, a minute from now.
func run(name string, status corev1.ConditionStatus, minute int, labels ...string) tektonv1.PipelineRun {
	r := tektonv1.PipelineRun{ObjectMeta: metav1.ObjectMeta{
		Name: name, Labels: map[string]string{}, CreationTimestamp: metav1.NewTime(now.Add(time.Duration(minute) * time.Minute)),
	}}
	for i := 0; i < len(labels); i += 2 {
		r.Labels[labels[i]] = labels[i+1]
	}
	r.Status.SetCondition(&apis.Condition{Type: apis.ConditionSucceeded, Status: status, Reason: "Any"})
	if status != corev1.ConditionUnknown {
		r.Status.CompletionTime = &metav1.Time{Time: now.Add(time.Minute)}
	}
	return r
}

func TestOutdated(t *testing.T) {
	const good, bad, running = corev1.ConditionTrue, corev1.ConditionFalse, corev1.ConditionUnknown
	count := func(n int32) v1alpha1.RunRetention { return v1alpha1.RunRetention{Count: &n} }
	aged := v1alpha1.RunRetention{Age: &metav1.Duration{Duration: 10 * time.Minute}}
	cases := map[string]struct {
		reason  string
		runs    []tektonv1.PipelineRun
		keep    v1alpha1.RetentionSpec
		decided string
		at      time.Time
		want    []string
		next    time.Duration
	}{
		"Current": {
			reason: "the current run stays even when none are to be kept",
			runs:   []tektonv1.PipelineRun{run("now", good, 0)}, keep: v1alpha1.RetentionSpec{Successful: count(0)},
		},
		"Attempts": {
			reason: "the attempts before the one that decided the build leave nothing behind", decided: "b",
			runs: []tektonv1.PipelineRun{run("try", bad, 0, v1alpha1.LabelBuild, "b"), run("now", good, 1, v1alpha1.LabelBuild, "b")}, want: []string{"try"},
		},
		"AttemptsKept": {
			reason: "where no build is named, attempts are kept like others",
			runs:   []tektonv1.PipelineRun{run("try", bad, 0, v1alpha1.LabelBuild, "b"), run("now", good, 1, v1alpha1.LabelBuild, "b")},
		},
		"Count": {
			reason: "the newest are kept, the current one counts",
			runs:   []tektonv1.PipelineRun{run("now", good, 9), run("a", good, 1), run("c", bad, 3), run("d", bad, 2)},
			keep:   v1alpha1.RetentionSpec{Successful: count(1), Failed: count(1)}, want: []string{"d", "a"},
		},
		"Pipelines": {
			reason: "each pipeline has its own count",
			runs:   []tektonv1.PipelineRun{run("a", good, 1, v1alpha1.LabelPipeline, "p"), run("b", good, 2, v1alpha1.LabelPipeline, "q"), run("c", good, 3, v1alpha1.LabelPipeline, "q")},
			want:   []string{"b"},
		},
		"Together": {
			reason: "of two runs of one moment the first by name is kept",
			runs:   []tektonv1.PipelineRun{run("b", good, 1), run("a", good, 1)}, want: []string{"b"},
		},
		"Running": {reason: "what runs is not deleted", runs: []tektonv1.PipelineRun{run("old", running, 0)}, keep: v1alpha1.RetentionSpec{Failed: count(0)}},
		"RunningCurrent": {
			reason: "what runs counts for nothing, though it be the current one",
			runs:   []tektonv1.PipelineRun{run("now", running, 1), run("old", bad, 0)}, keep: v1alpha1.RetentionSpec{Failed: count(1)},
		},
		"Look": {
			reason: "a look at a source is no build",
			runs:   []tektonv1.PipelineRun{run("look", bad, 0, v1alpha1.LabelLook, "true")}, keep: v1alpha1.RetentionSpec{Failed: count(0)},
		},
		"TooOld": {reason: "age counts from the end", runs: []tektonv1.PipelineRun{run("old", bad, 0)}, keep: v1alpha1.RetentionSpec{Failed: aged}, at: now.Add(12 * time.Minute), want: []string{"old"}},
		"NotYet": {reason: "the next to go says when", runs: []tektonv1.PipelineRun{run("old", bad, 0)}, keep: v1alpha1.RetentionSpec{Failed: aged}, at: now.Add(4 * time.Minute), next: 7 * time.Minute},
		"AgeOnly": {
			reason: "a rule that names no count keeps any number",
			runs:   []tektonv1.PipelineRun{run("now", good, 9), run("a", good, 1), run("c", good, 3)},
			keep:   v1alpha1.RetentionSpec{Successful: aged}, at: now.Add(time.Minute), next: 10 * time.Minute,
		},
		"Defaults": {reason: "three failed ones by default", runs: []tektonv1.PipelineRun{run("1", bad, 1), run("2", bad, 2), run("3", bad, 3), run("4", bad, 4)}, want: []string{"1"}},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			outdated, next := Retention{Spec: tc.keep, Current: []string{"now"}, Decided: tc.decided}.outdated(tc.runs, tc.at)
			var got []string
			for _, r := range outdated {
				got = append(got, r.Name)
			}
			if diff := cmp.Diff(tc.want, got); diff != "" || next != tc.next {
				t.Errorf("\n%s\nnext: want %s, got %s\n-want, +got:\n%s", tc.reason, tc.next, next, diff)
			}
		})
	}
}
