package customnbimage

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	tektonv1 "github.com/tektoncd/pipeline/pkg/apis/pipeline/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/meteor-zone/meteor-operator/apis/v1alpha1"
)

func TestOutdatedRuns(t *testing.T) {
	run := func(name, build string, status corev1.ConditionStatus, minute int) tektonv1.PipelineRun {
		r := newRun(status, "Reason", "")
		r.Name, r.Labels = name, map[string]string{v1alpha1.LabelBuild: build}
		r.CreationTimestamp = metav1.NewTime(testNow.Add(time.Duration(minute) * time.Minute))
		return *r
	}
	good, bad, running := corev1.ConditionTrue, corev1.ConditionFalse, corev1.ConditionUnknown
	count := func(n int32) v1alpha1.RunRetention { return v1alpha1.RunRetention{Count: &n} }
	aged := v1alpha1.RunRetention{Age: &metav1.Duration{Duration: 10 * time.Minute}}
	cases := map[string]struct {
		reason string
		runs   []tektonv1.PipelineRun
		keep   v1alpha1.RetentionSpec
		now    time.Time
		want   []string
		next   time.Duration
	}{
		"Current": {reason: "the current run stays even when none are to be kept", runs: []tektonv1.PipelineRun{run("now", "b", good, 0)}, keep: v1alpha1.RetentionSpec{Successful: count(0)}},
		"Attempts": {
			reason: "the attempts before the one that made it leave nothing behind",
			runs:   []tektonv1.PipelineRun{run("try", "b", bad, 0), run("now", "b", good, 1)}, want: []string{"try"},
		},
		"Count": {
			reason: "the newest are kept, the current one counts",
			runs:   []tektonv1.PipelineRun{run("now", "b", good, 9), run("a", "x", good, 1), run("c", "z", bad, 3), run("d", "y", bad, 2)},
			keep:   v1alpha1.RetentionSpec{Successful: count(1), Failed: count(1)}, want: []string{"d", "a"},
		},
		"Running": {reason: "what runs is not deleted", runs: []tektonv1.PipelineRun{run("old", "x", running, 0)}, keep: v1alpha1.RetentionSpec{Failed: count(0)}},
		"TooOld":  {reason: "age counts from the end", runs: []tektonv1.PipelineRun{run("old", "x", bad, 0)}, keep: v1alpha1.RetentionSpec{Failed: aged}, now: testNow.Add(12 * time.Minute), want: []string{"old"}},
		"NotYet":  {reason: "the next to go says when", runs: []tektonv1.PipelineRun{run("old", "x", bad, 0)}, keep: v1alpha1.RetentionSpec{Failed: aged}, now: testNow.Add(4 * time.Minute), next: 7 * time.Minute},
		"AgeOnly": {
			reason: "a rule that names no count keeps any number",
			runs:   []tektonv1.PipelineRun{run("now", "b", good, 9), run("a", "x", good, 1), run("c", "z", good, 3)},
			keep:   v1alpha1.RetentionSpec{Successful: aged}, now: testNow.Add(time.Minute), next: 10 * time.Minute,
		},
		"Defaults": {reason: "three failed ones by default", runs: []tektonv1.PipelineRun{run("1", "1", bad, 1), run("2", "2", bad, 2), run("3", "3", bad, 3), run("4", "4", bad, 4)}, want: []string{"1"}},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			outdated, next := outdatedRuns(tc.runs, "now", "b", &tc.keep, tc.now)
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
