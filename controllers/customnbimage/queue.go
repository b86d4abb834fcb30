package customnbimage

import (
	"context"
	"fmt"
	"sync"
	"time"

	tektonv1 "github.com/tektoncd/pipeline/pkg/apis/pipeline/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/predicate"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/meteor-zone/meteor-operator/apis/v1alpha1"
	"github.com/meteor-zone/meteor-operator/controllers/internal/outcome"
)

// defaultConcurrency is how many builds may run at once in a namespace where no CNBiConfig says.
const defaultConcurrency = 10

// cacheLag is how long a run may take to appear in the cache. One that was deleted before never does.
const cacheLag = 30 * time.Second

// turns remembers which runs were created, and when, that are not in the cache yet, so that two objects that are
// reconciled at once do not both take the last free place of a namespace.
type turns struct {
	mu      sync.Mutex
	started map[types.NamespacedName]time.Time
}

// takeTurn waits while the namespace has as many builds as it may. Who has waited longest goes first; the conditions
// tell since when, so a restart changes nothing.
func (r *Reconciler) takeTurn(ctx context.Context, s *scope) error {
	if s.settled || s.seen != nil {
		return nil
	}
	limit := int(s.config.Build.Concurrency)
	if limit == 0 {
		limit = defaultConcurrency
	}
	r.turns.mu.Lock()
	defer r.turns.mu.Unlock()
	running, unseen, err := r.runningIn(ctx, s.obj.Namespace)
	if err != nil {
		return err
	}
	ahead, err := r.aheadOf(ctx, s.obj)
	if err != nil {
		return err
	}
	if running+unseen+ahead < limit {
		r.turns.started[types.NamespacedName{Namespace: s.obj.Namespace, Name: s.build.runName(s.obj)}] = r.clock.Now()
		return nil
	}
	var again time.Duration
	if unseen > 0 {
		again = cacheLag
	}
	return outcome.Wait(v1alpha1.ReasonQueuedBehind, fmt.Sprintf("Place %d in the queue of namespace %q, in which %d builds may run at once", ahead+1, s.obj.Namespace, limit), again)
}

// runningIn counts the builds of a namespace that have not ended: those in the cache, and those that are yet to be there.
func (r *Reconciler) runningIn(ctx context.Context, namespace string) (seen, unseen int, err error) {
	list := &tektonv1.PipelineRunList{}
	if err := r.client.List(ctx, list, client.InNamespace(namespace), client.MatchingFields{indexRunning: indexedTrue}, client.UnsafeDisableDeepCopy); err != nil {
		return 0, 0, fmt.Errorf("cannot list the PipelineRuns that run: %w", err)
	}
	for key, at := range r.turns.started {
		if key.Namespace != namespace {
			continue
		}
		err := r.client.Get(ctx, key, &tektonv1.PipelineRun{})
		switch {
		case client.IgnoreNotFound(err) != nil:
			return 0, 0, fmt.Errorf("cannot read PipelineRun %q: %w", key.Name, err)
		case err == nil || r.clock.Since(at) > cacheLag:
			delete(r.turns.started, key)
		default:
			unseen++
		}
	}
	return len(list.Items), unseen, nil
}

// aheadOf counts the objects of the namespace that have waited longer.
func (r *Reconciler) aheadOf(ctx context.Context, obj *v1alpha1.CustomNBImage) (int, error) {
	list := &v1alpha1.CustomNBImageList{}
	if err := r.client.List(ctx, list, client.InNamespace(obj.Namespace), client.MatchingFields{indexQueued: indexedTrue}, client.UnsafeDisableDeepCopy); err != nil {
		return 0, fmt.Errorf("cannot list the objects that wait: %w", err)
	}
	count := 0
	for i := range list.Items {
		if other := &list.Items[i]; other.UID != obj.UID && goesFirst(other, obj) {
			count++
		}
	}
	return count, nil
}

// goesFirst tells whether a waiting object has waited longer than another, which may have yet to begin.
func goesFirst(waiting, other *v1alpha1.CustomNBImage) bool {
	if queued(other) == nil {
		return true
	}
	a := meta.FindStatusCondition(waiting.Status.Conditions, v1alpha1.ConditionReconciling)
	b := meta.FindStatusCondition(other.Status.Conditions, v1alpha1.ConditionReconciling)
	if a == nil || b == nil || a.LastTransitionTime.Equal(&b.LastTransitionTime) {
		return waiting.Name < other.Name
	}
	return a.LastTransitionTime.Before(&b.LastTransitionTime)
}

// notStarted takes back a turn whose run could not be created.
func (r *Reconciler) notStarted(run *tektonv1.PipelineRun) {
	r.turns.mu.Lock()
	defer r.turns.mu.Unlock()
	delete(r.turns.started, client.ObjectKeyFromObject(run))
}

// queued is an indexer: it finds the objects that wait for their turn.
func queued(obj client.Object) []string {
	image, ok := obj.(*v1alpha1.CustomNBImage)
	if !ok {
		return nil
	}
	if c := meta.FindStatusCondition(image.Status.Conditions, v1alpha1.ConditionReconciling); c != nil && c.Reason == v1alpha1.ReasonQueuedBehind {
		return []string{indexedTrue}
	}
	return nil
}

// leavesQueue lets pass that an object waits for its turn no more.
func leavesQueue() predicate.Predicate {
	return predicate.Funcs{
		CreateFunc:  func(event.CreateEvent) bool { return false },
		UpdateFunc:  func(e event.UpdateEvent) bool { return queued(e.ObjectOld) != nil && queued(e.ObjectNew) == nil },
		DeleteFunc:  func(e event.DeleteEvent) bool { return queued(e.Object) != nil },
		GenericFunc: func(event.GenericEvent) bool { return false },
	}
}

// running is an indexer: it finds the runs of builds that have not ended.
func running(obj client.Object) []string {
	run, ok := obj.(*tektonv1.PipelineRun)
	if !ok || run.IsDone() || run.Labels[v1alpha1.LabelLook] != "" || run.Labels[v1alpha1.LabelCustomNBImage] == "" {
		return nil
	}
	return []string{indexedTrue}
}

// objectsWaitingBeside are the objects of the same namespace that wait for their turn.
func (r *Reconciler) objectsWaitingBeside(ctx context.Context, obj client.Object) []reconcile.Request {
	return r.list(ctx, client.InNamespace(obj.GetNamespace()), client.MatchingFields{indexQueued: indexedTrue})
}
