package customnbimage

import (
	"cmp"
	"context"
	"fmt"
	"math"
	"slices"
	"time"

	tektonv1 "github.com/tektoncd/pipeline/pkg/apis/pipeline/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"
	"knative.dev/pkg/apis"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/meteor-zone/meteor-operator/apis/v1alpha1"
)

// What is kept of ended runs where no CNBiConfig says.
const (
	defaultKeepSuccessful = 1
	defaultKeepFailed     = 3
)

func (r *Reconciler) runsOf(ctx context.Context, obj *v1alpha1.CustomNBImage) ([]tektonv1.PipelineRun, error) {
	list := &tektonv1.PipelineRunList{}
	if err := r.client.List(ctx, list, client.InNamespace(obj.Namespace), client.MatchingFields{indexRunsByOwner: string(obj.UID)}); err != nil {
		return nil, fmt.Errorf("cannot list the PipelineRuns: %w", err)
	}
	return list.Items, nil
}

// looks tells whether a run only looks at a source.
func looks(run *tektonv1.PipelineRun) bool { return run.Labels[v1alpha1.LabelLook] != "" }

// cancel has Tekton end a run now.
func (r *Reconciler) cancel(ctx context.Context, run *tektonv1.PipelineRun) error {
	patch := client.RawPatch("application/merge-patch+json", []byte(`{"spec":{"status":"`+tektonv1.PipelineRunSpecStatusCancelled+`"}}`))
	if err := r.client.Patch(ctx, run, patch, fieldOwner); client.IgnoreNotFound(err) != nil {
		return fmt.Errorf("cannot cancel PipelineRun %q: %w", run.Name, err)
	}
	return nil
}

// remove deletes a run, and with it its pods.
func (r *Reconciler) remove(ctx context.Context, run *tektonv1.PipelineRun) error {
	if !run.DeletionTimestamp.IsZero() {
		return nil
	}
	if err := r.client.Delete(ctx, run, client.PropagationPolicy(metav1.DeletePropagationBackground)); client.IgnoreNotFound(err) != nil {
		return fmt.Errorf("cannot delete PipelineRun %q: %w", run.Name, err)
	}
	return nil
}

// pruneRuns deletes the runs that are not to be kept, once the build has ended.
func (r *Reconciler) pruneRuns(ctx context.Context, s *scope) error {
	ended := s.settled || s.seen.finished && !s.mayRetry()
	if !ended || !r.cluster.HasTekton() {
		return nil
	}
	runs, err := r.runsOf(ctx, s.obj)
	if err != nil {
		return err
	}
	outdated, next := outdatedRuns(runs, s.obj.Status.PipelineRunName, s.build.id, &s.config.Retention, r.clock.Now())
	for i := range outdated {
		if err := r.remove(ctx, &outdated[i]); err != nil {
			return err
		}
	}
	s.nextPrune = next
	return nil
}

// outdatedRuns chooses from an object's runs those that retention gives up, and tells how long it takes until age makes
// the next one of them; zero when none will be. The current run stays; the attempts of its build that came before it go.
func outdatedRuns(runs []tektonv1.PipelineRun, current, build string, keep *v1alpha1.RetentionSpec, now time.Time) ([]tektonv1.PipelineRun, time.Duration) {
	runs = slices.Clone(runs)
	slices.SortFunc(runs, func(a, b tektonv1.PipelineRun) int {
		return cmp.Or(b.CreationTimestamp.Compare(a.CreationTimestamp.Time), cmp.Compare(a.Name, b.Name))
	})
	var outdated []tektonv1.PipelineRun
	var next time.Duration
	kept := map[bool]int32{}
	for _, run := range runs {
		if looks(&run) {
			continue
		}
		if run.Name == current || !run.IsDone() {
			if run.Name == current {
				kept[succeeded(&run)]++
			}
			continue
		}
		rule, fallback := keep.Failed, int32(defaultKeepFailed)
		if succeeded(&run) {
			rule, fallback = keep.Successful, defaultKeepSuccessful
		}
		left := timeLeft(&run, rule.Age, now)
		if run.Labels[v1alpha1.LabelBuild] == build || kept[succeeded(&run)] >= countOf(rule, fallback) || left < 0 {
			outdated = append(outdated, run)
			continue
		}
		kept[succeeded(&run)]++
		if left > 0 && (next == 0 || left < next) {
			next = left
		}
	}
	return outdated, next
}

// countOf is how many runs a rule keeps. One that speaks of age only keeps any number.
func countOf(rule v1alpha1.RunRetention, fallback int32) int32 {
	if rule.Count == nil && rule.Age != nil {
		return math.MaxInt32
	}
	return ptr.Deref(rule.Count, fallback)
}

// timeLeft is how long a run may stay: negative when its time is over, zero when age does not matter.
func timeLeft(run *tektonv1.PipelineRun, age *metav1.Duration, now time.Time) time.Duration {
	if age == nil || run.Status.CompletionTime == nil {
		return 0
	}
	if left := run.Status.CompletionTime.Add(age.Duration).Sub(now); left > 0 {
		return left
	}
	return -1
}

func succeeded(run *tektonv1.PipelineRun) bool {
	return run.Status.GetCondition(apis.ConditionSucceeded).IsTrue()
}
