package meteor

import (
	"context"
	"fmt"
	"slices"
	"time"

	tektonv1 "github.com/tektoncd/pipeline/pkg/apis/pipeline/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"knative.dev/pkg/apis"

	"github.com/meteor-zone/meteor-operator/apis/v1alpha1"
	"github.com/meteor-zone/meteor-operator/controllers/internal/runs"
)

// defaultLookInterval is how often a repository is looked at whose branch may move.
const defaultLookInterval = time.Hour

// refresh begins another build of settled pipelines when their time has come, or when the branch has moved. A
// CustomNBImage sees to this itself.
func (r *Reconciler) refresh(ctx context.Context, s *scope) error {
	interval := intervalOf(s.obj.Spec.Refresh)
	unsettled := func(p *part) bool { return p.runs() && !p.settled && !p.cannotStart(s) }
	if interval == 0 || !slices.ContainsFunc(s.parts, (*part).refreshes) || slices.ContainsFunc(s.parts, unsettled) ||
		s.config.ManagementState == v1alpha1.StateRemoved || !r.cluster.HasTekton() || len(r.cluster.Unanswered(runs.Needs()...)) > 0 {
		return nil
	}
	due := s.obj.CreationTimestamp.Add(interval)
	if last := s.obj.Status.LastRefreshTime; last != nil {
		due = last.Add(interval)
	}
	if left := due.Sub(r.clock.Now()); left > 0 {
		s.wake(left)
		return nil
	}
	if s.obj.Spec.Refresh.Policy == v1alpha1.RefreshOnSourceChange {
		moved, err := r.lookForChange(ctx, s, due)
		if err != nil || !moved {
			return err
		}
	}
	for _, p := range s.parts {
		if p.refreshes() {
			p.build, p.settled = refreshed(s.obj, p.name, due), false
			// The build that the status names is the one that is asked for, also when it cannot start at once.
			p.runName, p.ready = p.build.runName(s.obj, p.name), ""
		}
	}
	return nil
}

// refreshes tells whether the pipeline has come to an end after which it can begin again.
func (p *part) refreshes() bool { return p.runs() && p.settled }

// cannotStart tells whether the pipeline waits for its user before its first run, which may take for ever.
func (p *part) cannotStart(s *scope) bool {
	return p.ready == "" && meta.IsStatusConditionFalse(s.obj.Status.Conditions, v1alpha1.ConditionPipelinePrefix+p.name)
}

// intervalOf is the time between two looks or builds; zero for none.
func intervalOf(spec *v1alpha1.RefreshSpec) time.Duration {
	switch {
	case spec == nil:
		return 0
	case spec.Policy == v1alpha1.RefreshInterval && spec.Interval != nil:
		return spec.Interval.Duration
	case spec.Policy == v1alpha1.RefreshOnSourceChange && spec.Interval != nil:
		return spec.Interval.Duration
	case spec.Policy == v1alpha1.RefreshOnSourceChange:
		return defaultLookInterval
	}
	return 0
}

// lookForChange has a run look up the commit, and tells whether that is another than the newest build's. The manager
// itself has neither credentials nor ways to git servers.
func (r *Reconciler) lookForChange(ctx context.Context, s *scope, due time.Time) (bool, error) {
	s.lookRun = runs.LookName(s.obj, due)
	run := &tektonv1.PipelineRun{}
	err := r.client.Get(ctx, types.NamespacedName{Namespace: s.obj.Namespace, Name: s.lookRun}, run)
	if apierrors.IsNotFound(err) {
		return false, r.startLook(ctx, s)
	}
	if err != nil {
		return false, fmt.Errorf("cannot read PipelineRun %q: %w", s.lookRun, err)
	}
	if !metav1.IsControlledBy(run, s.obj) {
		return false, nameTaken("PipelineRun", run.Name)
	}
	c := run.Status.GetCondition(apis.ConditionSucceeded)
	if c == nil || c.IsUnknown() {
		return false, nil
	}
	tasks, err := r.tasksOf(ctx, run)
	if err != nil {
		return false, err
	}
	if left := lag(run, tasks, r.clock.Now()); left > 0 {
		s.wake(min(left, staleAfter))
		return false, nil
	}
	commit := ""
	if task := tasks[taskFind]; task != nil && task.IsSuccessful() {
		if found, _ := runs.Result(task, resultCommit); runs.IsCommit(found) {
			commit = found
		}
	}
	last := s.obj.Status.GitCommit
	if commit != "" {
		s.obj.Status.GitCommit = commit
	}
	if commit != "" && last != "" && commit != last {
		return true, nil
	}
	if c.IsFalse() {
		p := classify(c, tasks[taskFind])
		r.events.Eventf(s.obj, nil, corev1.EventTypeWarning, p.reason, actionLook, "Cannot tell whether the branch has moved: %s", p.message)
	}
	s.obj.Status.LastRefreshTime = &metav1.Time{Time: r.clock.Now().Truncate(time.Second)}
	s.wake(staleAfter)
	return false, nil
}

// startLook starts a run that looks up the commit.
func (r *Reconciler) startLook(ctx context.Context, s *scope) error {
	ready, err := r.installed(ctx, s.obj.Namespace, v1alpha1.PipelineJupyterBook)
	if err != nil || !ready {
		return err
	}
	run := r.newLookRun(s)
	if err := r.client.Create(ctx, run, fieldOwner); err != nil && !apierrors.IsAlreadyExists(err) {
		return fmt.Errorf("cannot create PipelineRun %q: %w", run.Name, err)
	}
	return nil
}
