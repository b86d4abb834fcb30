package runs

import (
	"cmp"
	"context"
	"math"
	"slices"
	"time"

	tektonv1 "github.com/tektoncd/pipeline/pkg/apis/pipeline/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"
	"knative.dev/pkg/apis"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/meteor-zone/meteor-operator/apis/v1alpha1"
	"github.com/meteor-zone/meteor-operator/controllers/internal/outcome"
)

// What is kept of ended runs where no CNBiConfig says.
const (
	defaultKeepSuccessful = 1
	defaultKeepFailed     = 3
)

// Retention says which of an object's ended runs are kept.
type Retention struct {
	// Spec is the admin's wish. It counts by pipeline.
	Spec v1alpha1.RetentionSpec
	// Current are the names of the runs that the status tells of: they stay, and count.
	Current []string
	// Decided is the build of a current run, whose earlier attempts go. It is empty where they are kept like others.
	Decided string
}

// Prune deletes the runs that are not to be kept, and tells how long it takes until age makes the next one of them; zero
// when none will be.
func (k Retention) Prune(ctx context.Context, c client.Writer, runs []tektonv1.PipelineRun, now time.Time) (time.Duration, error) {
	outdated, next := k.outdated(runs, now)
	for i := range outdated {
		if err := Remove(ctx, c, &outdated[i]); err != nil {
			return 0, err
		}
	}
	return next, nil
}

// outdated chooses the runs that go. Those that look at a source come and go by other rules.
func (k Retention) outdated(runs []tektonv1.PipelineRun, now time.Time) (outdated []tektonv1.PipelineRun, next time.Duration) {
	runs = slices.Clone(runs)
	slices.SortFunc(runs, func(a, b tektonv1.PipelineRun) int {
		return cmp.Or(b.CreationTimestamp.Compare(a.CreationTimestamp.Time), cmp.Compare(a.Name, b.Name))
	})
	type group struct {
		pipeline   string
		successful bool
	}
	kept := map[group]int32{}
	for _, run := range runs {
		if IsLook(&run) || !run.IsDone() {
			continue
		}
		of := group{run.Labels[v1alpha1.LabelPipeline], run.Status.GetCondition(apis.ConditionSucceeded).IsTrue()}
		if slices.Contains(k.Current, run.Name) {
			kept[of]++
			continue
		}
		rule, most := k.Spec.Failed, int32(defaultKeepFailed)
		if of.successful {
			rule, most = k.Spec.Successful, defaultKeepSuccessful
		}
		overtaken := k.Decided != "" && run.Labels[v1alpha1.LabelBuild] == k.Decided
		left := timeLeft(&run, rule.Age, now)
		if overtaken || kept[of] >= countOf(rule, most) || left < 0 {
			outdated = append(outdated, run)
			continue
		}
		kept[of]++
		next = outcome.Earliest(next, left)
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
