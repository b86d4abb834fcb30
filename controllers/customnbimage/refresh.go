package customnbimage

import (
	"context"
	"fmt"
	"hash/fnv"
	"strings"
	"time"

	tektonv1 "github.com/tektoncd/pipeline/pkg/apis/pipeline/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"knative.dev/pkg/apis"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/meteor-zone/meteor-operator/apis/v1alpha1"
	"github.com/meteor-zone/meteor-operator/controllers/internal/runs"
)

// defaultLookInterval is how often a source is looked at that may change.
const defaultLookInterval = time.Hour

// refresh begins another build of a settled object when its time has come, or when what it was made from has changed.
func (r *Reconciler) refresh(ctx context.Context, s *scope) error {
	r.noteSchedule(s)
	spec := refreshOf(s)
	if !s.settled || spec == nil || s.obj.Spec.Suspend || s.config.ManagementState == v1alpha1.StateRemoved ||
		!r.cluster.HasTekton() || len(r.cluster.Unanswered(runs.Needs()...)) > 0 {
		return nil
	}
	var interval time.Duration
	switch spec.Policy {
	case v1alpha1.RefreshInterval:
		interval = spec.Interval.Duration
	case v1alpha1.RefreshOnSourceChange:
		interval = defaultLookInterval
		if spec.Interval != nil {
			interval = spec.Interval.Duration
		}
	default:
		return nil
	}
	due := lastLook(s.obj).Add(interval + spread(s.obj, interval))
	if left := max(due.Sub(r.clock.Now()), r.stagger(s, interval)); left > 0 {
		s.nextLook = left
		return nil
	}
	id := runs.DueID(due)
	if spec.Policy == v1alpha1.RefreshOnSourceChange {
		changed, err := r.lookForChange(ctx, s, due)
		if err != nil || !changed {
			return err
		}
	}
	s.build = build{id: inputsHash(s.obj) + "-r" + id, attempt: 1, cause: v1alpha1.CauseRefresh}
	s.settled = false
	return nil
}

// noteSchedule notes since when the CNBiConfig has imports looked at again.
func (r *Reconciler) noteSchedule(s *scope) {
	if s.config.Publish.ScheduledImport != v1alpha1.ScheduledImportEnabled {
		r.scheduled.Store(nil)
		return
	}
	now := r.clock.Now()
	r.scheduled.CompareAndSwap(nil, &now)
}

// refreshOf is when the object is to be built again. Of an import that does not say the CNBiConfig decides: OpenShift
// itself would import what nobody has validated.
func refreshOf(s *scope) *v1alpha1.RefreshSpec {
	spec := &s.obj.Spec
	moves := spec.BuildType.Canonical() == v1alpha1.BuildTypeImageImport && !strings.Contains(string(spec.FromImage), "@")
	if spec.Refresh == nil && moves && s.config.Publish.ScheduledImport == v1alpha1.ScheduledImportEnabled {
		return &v1alpha1.RefreshSpec{Policy: v1alpha1.RefreshOnSourceChange}
	}
	return spec.Refresh
}

// stagger is for how long an object must still wait that is looked at because the CNBiConfig says so: all that were
// imported long ago are due when it begins to.
func (r *Reconciler) stagger(s *scope, interval time.Duration) time.Duration {
	since := r.scheduled.Load()
	if since == nil || s.obj.Spec.Refresh != nil {
		return 0
	}
	return since.Add(10 * spread(s.obj, interval)).Sub(r.clock.Now())
}

// spread is a part of the interval, at most a tenth, by which objects that were made at once are looked at one by one.
func spread(obj *v1alpha1.CustomNBImage, interval time.Duration) time.Duration {
	h := fnv.New32a()
	_, _ = h.Write([]byte(obj.UID)) // never fails
	return time.Duration(h.Sum32()%1000) * interval / 10_000
}

// lastLook is when the object was last built, or its source last looked at.
func lastLook(obj *v1alpha1.CustomNBImage) time.Time {
	var last time.Time
	if record := newestRecord(obj); record != nil && record.CompletionTime != nil {
		last = record.CompletionTime.Time
	}
	if t := obj.Status.LastRefreshTime; t != nil && t.After(last) {
		last = t.Time
	}
	return last
}

// lookForChange has a run look at the source, and tells whether that is another than the newest build's. The manager
// itself has neither credentials nor ways to registries and repositories.
func (r *Reconciler) lookForChange(ctx context.Context, s *scope, due time.Time) (bool, error) {
	s.lookRun = runs.LookName(s.obj, due)
	run := &tektonv1.PipelineRun{ObjectMeta: metav1.ObjectMeta{Namespace: s.obj.Namespace, Name: s.lookRun}}
	err := r.client.Get(ctx, client.ObjectKeyFromObject(run), run)
	if apierrors.IsNotFound(err) {
		return false, r.startLook(ctx, s)
	}
	if err != nil {
		return false, fmt.Errorf("cannot read PipelineRun %q: %w", s.lookRun, err)
	}
	if !metav1.IsControlledBy(run, s.obj) {
		return false, nameTaken(run.Name)
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
		s.nextLook = left
		return false, nil
	}
	source := &observation{flow: flowOf(s.obj)}
	source.readSource(run, tasks)
	record := newestRecord(s.obj)
	known := source.source != "" || source.commit != ""
	if c.IsTrue() && known && record != nil && (digestOf(source.source) != digestOf(record.SourceImage) || source.commit != record.GitCommit) {
		return true, nil
	}
	if c.IsFalse() {
		p := classify(run, tasks)
		r.events.Eventf(s.obj, nil, corev1.EventTypeWarning, p.reason, actionLook, "Cannot tell whether the source has changed: %s", p.message)
	}
	now := metav1.NewTime(r.clock.Now())
	s.obj.Status.LastRefreshTime, s.nextLook = &now, staleAfter
	return false, nil
}

// startLook starts a run of the build's first task alone.
func (r *Reconciler) startLook(ctx context.Context, s *scope) error {
	var err error
	if s.order, err = r.orderOf(s); err != nil {
		// What has been taken out of the catalogue, say, cannot be looked at; the image stays as it is.
		return nil //nolint:nilerr // a wish to look again that cannot be met ends nothing
	}
	run := r.newLookRun(s)
	if err := r.client.Create(ctx, run, fieldOwner); err != nil && !apierrors.IsAlreadyExists(err) {
		return fmt.Errorf("cannot create PipelineRun %q: %w", run.Name, err)
	}
	return nil
}
