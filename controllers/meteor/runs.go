package meteor

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

func (r *Reconciler) runsOf(ctx context.Context, obj *v1alpha1.Meteor) ([]tektonv1.PipelineRun, error) {
	list := &tektonv1.PipelineRunList{}
	if err := r.client.List(ctx, list, client.InNamespace(obj.Namespace), client.MatchingFields{indexRunsByMeteor: string(obj.UID)}); err != nil {
		return nil, fmt.Errorf("cannot list the PipelineRuns: %w", err)
	}
	return list.Items, nil
}

// remove deletes an object of ours, and with it what it owns.
func (r *Reconciler) remove(ctx context.Context, obj client.Object) error {
	if !obj.GetDeletionTimestamp().IsZero() {
		return nil
	}
	if err := r.client.Delete(ctx, obj, client.PropagationPolicy(metav1.DeletePropagationBackground)); client.IgnoreNotFound(err) != nil {
		return fmt.Errorf("cannot delete %T %q: %w", obj, obj.GetName(), err)
	}
	return nil
}

// pruneRuns deletes the ended runs that are not to be kept.
func (r *Reconciler) pruneRuns(ctx context.Context, s *scope) error {
	if !r.cluster.HasTekton() {
		return nil
	}
	runs, err := r.runsOf(ctx, s.obj)
	if err != nil {
		return err
	}
	var current []string
	for _, p := range s.parts {
		current = append(current, p.runName)
	}
	outdated, next := outdatedRuns(runs, current, &s.config.Retention, r.clock.Now())
	for i := range outdated {
		if err := r.remove(ctx, &outdated[i]); err != nil {
			return err
		}
	}
	s.wake(next)
	return nil
}

// outdatedRuns chooses from an object's ended runs those that retention gives up, and tells how long it takes until age
// makes the next one of them; zero when none will be. The runs that the status names stay. It counts by pipeline.
func outdatedRuns(runs []tektonv1.PipelineRun, current []string, keep *v1alpha1.RetentionSpec, now time.Time) (outdated []tektonv1.PipelineRun, next time.Duration) {
	slices.SortFunc(runs, func(a, b tektonv1.PipelineRun) int {
		return cmp.Or(b.CreationTimestamp.Compare(a.CreationTimestamp.Time), cmp.Compare(a.Name, b.Name))
	})
	kept := map[string]int32{}
	for i := range runs {
		run := &runs[i]
		if !run.IsDone() || run.Labels[v1alpha1.LabelLook] != "" {
			continue
		}
		rule, most, group := keep.Failed, int32(defaultKeepFailed), "failed "
		if run.Status.GetCondition(apis.ConditionSucceeded).IsTrue() {
			rule, most, group = keep.Successful, defaultKeepSuccessful, "successful "
		}
		group += run.Labels[labelPipeline]
		kept[group]++
		if slices.Contains(current, run.Name) {
			continue
		}
		left := timeLeft(run, rule.Age, now)
		switch {
		case kept[group] > countOf(rule, most), left < 0:
			outdated = append(outdated, *run)
			kept[group]--
		default:
			next = earliest(next, left)
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
