package meteor

import (
	"context"
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/tools/events"
	"k8s.io/client-go/util/workqueue"
	"k8s.io/utils/clock"
	"k8s.io/utils/ptr"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/meteor-zone/meteor-operator/apis/v1alpha1"
	"github.com/meteor-zone/meteor-operator/controllers/internal/kube"
)

// life is how long an object lives, as seen at one moment.
type life struct {
	// expires is when it ends; zero for never.
	expires time.Time
	// expiring is true when the end is near.
	expiring bool
	// untilWarning is how long it takes until the end is near; zero if it is, or never will be.
	untilWarning time.Duration
}

// The warning comes a tenth of the ttl before the end, within these bounds, and never in the first half.
const (
	shortestWarning = 10 * time.Second
	longestWarning  = 5 * time.Minute
	warningShare    = 10
)

// lifeOf tells how an object's life stands at a moment. It is counted from the object's creation, whenever ttl was set.
func lifeOf(obj *v1alpha1.Meteor, config *v1alpha1.MeteorDefaults, now time.Time) life {
	ttl := ttlOf(obj, config)
	if ttl == 0 {
		return life{}
	}
	l := life{expires: obj.CreationTimestamp.Add(ttl)}
	warning := min(max(ttl/warningShare, shortestWarning), longestWarning, ttl/2)
	l.untilWarning = max(0, l.expires.Add(-warning).Sub(now))
	l.expiring = l.untilWarning == 0
	return l
}

// ttlOf is how long an object lives; zero for ever. The admin's default is for those that say nothing, and the maximum
// for all.
func ttlOf(obj *v1alpha1.Meteor, config *v1alpha1.MeteorDefaults) time.Duration {
	seconds := ptr.Deref(obj.Spec.TTL, config.DefaultTTLSeconds)
	if most := config.MaximumTTLSeconds; most > 0 && (seconds == 0 || seconds > most) {
		seconds = most
	}
	return time.Duration(seconds) * time.Second
}

// measureLife finds out when the object ends.
func (r *Reconciler) measureLife(_ context.Context, s *scope) error {
	s.life = lifeOf(s.obj, &s.config.Meteor, r.clock.Now())
	s.obj.Status.ExpirationTimestamp = nil
	if !s.life.expires.IsZero() {
		s.obj.Status.ExpirationTimestamp = ptr.To(metav1.NewTime(s.life.expires))
	}
	return nil
}

// reaper removes Meteors when their time is over. It is a controller of its own, so that no build that fails to start
// and no long queue delays an end; and it sleeps until the next end, so that nothing is asked for meanwhile.
type reaper struct {
	client  client.Client
	events  events.EventRecorder
	clock   clock.PassiveClock
	metrics *Metrics
	// near takes the objects whose end is near, for the controller that warns: it may be waiting for its back-off.
	near chan<- event.GenericEvent
}

// warnAgain is when an object is told to be near its end again whose status does not say so yet.
const warnAgain = 5 * time.Second

// reaperBackoff is how long the end of an object waits that the API server did not take. It has an end soon after it is
// taken again, however long that took.
func reaperBackoff() workqueue.TypedRateLimiter[reconcile.Request] {
	const first, longest = 5 * time.Millisecond, 5 * time.Second
	return workqueue.NewTypedItemExponentialFailureRateLimiter[reconcile.Request](first, longest)
}

// Reconcile implements reconcile.Reconciler. It goes by the clock as it is now, whatever it was when the object was put
// to sleep: who is woken too early sleeps again.
func (r *reaper) Reconcile(ctx context.Context, req ctrl.Request) (ctrl.Result, error) {
	obj := &v1alpha1.Meteor{}
	if err := r.client.Get(ctx, req.NamespacedName, obj); err != nil {
		return ctrl.Result{}, client.IgnoreNotFound(err)
	}
	if !obj.DeletionTimestamp.IsZero() {
		return ctrl.Result{}, nil
	}
	config, _, err := kube.Settings(ctx, r.client)
	if err != nil {
		return ctrl.Result{}, err
	}
	l := lifeOf(obj, &config.Meteor, r.clock.Now())
	if l.expires.IsZero() {
		return ctrl.Result{}, nil
	}
	if left := l.expires.Sub(r.clock.Now()); left > 0 {
		return r.sleep(ctx, obj, l, left)
	}
	// Somebody may have raised ttl at the last moment: then this is not the newest version, and stays.
	err = r.client.Delete(ctx, obj, client.PropagationPolicy(metav1.DeletePropagationBackground),
		client.Preconditions{UID: &obj.UID, ResourceVersion: &obj.ResourceVersion})
	switch {
	case apierrors.IsNotFound(err):
		return ctrl.Result{}, nil
	case apierrors.IsConflict(err):
		return ctrl.Result{RequeueAfter: staleAfter}, nil
	case err != nil:
		return ctrl.Result{}, fmt.Errorf("cannot delete the object: %w", err)
	}
	r.metrics.expired(r.clock.Now().Sub(l.expires))
	r.events.Eventf(obj, nil, corev1.EventTypeNormal, v1alpha1.ReasonExpired, actionExpire, "%s", "Its time is over: it is removed with all that it made")
	return ctrl.Result{}, nil
}

// sleep waits for an object's end, of which its user is warned before.
func (r *reaper) sleep(ctx context.Context, obj *v1alpha1.Meteor, l life, left time.Duration) (ctrl.Result, error) {
	if !l.expiring {
		return ctrl.Result{RequeueAfter: l.untilWarning}, nil
	}
	if meta.IsStatusConditionTrue(obj.Status.Conditions, v1alpha1.ConditionExpiring) {
		return ctrl.Result{RequeueAfter: left}, nil
	}
	select {
	case r.near <- event.GenericEvent{Object: obj}:
	case <-ctx.Done():
	}
	return ctrl.Result{RequeueAfter: min(left, warnAgain)}, nil
}
