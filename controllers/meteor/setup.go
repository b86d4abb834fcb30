package meteor

import (
	"context"
	"fmt"

	tektonv1 "github.com/tektoncd/pipeline/pkg/apis/pipeline/v1"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/clock"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/builder"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/predicate"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"
	"sigs.k8s.io/controller-runtime/pkg/source"

	"github.com/meteor-zone/meteor-operator/apis/v1alpha1"
	"github.com/meteor-zone/meteor-operator/controllers/internal/apply"
	"github.com/meteor-zone/meteor-operator/controllers/internal/capabilities"
	"github.com/meteor-zone/meteor-operator/controllers/internal/runs"
)

// +kubebuilder:rbac:groups=meteor.zone,resources=meteors,verbs=list;watch;delete
// +kubebuilder:rbac:groups=meteor.zone,resources=meteors/status,verbs=patch
// +kubebuilder:rbac:groups=meteor.zone,resources=customnbimages,verbs=list;watch;create;patch;delete
// +kubebuilder:rbac:groups=tekton.dev,resources=pipelines,verbs=get
// +kubebuilder:rbac:groups=tekton.dev,resources=pipelineruns,verbs=get;list;watch;create;patch;delete
// +kubebuilder:rbac:groups=tekton.dev,resources=taskruns,verbs=list;watch
// +kubebuilder:rbac:groups=apps,resources=deployments,verbs=get;list;watch;create;patch;delete
// +kubebuilder:rbac:groups="",resources=services,verbs=get;list;watch;create;patch;delete
// +kubebuilder:rbac:groups=networking.k8s.io,resources=ingresses,verbs=get;list;watch;create;patch;delete
// +kubebuilder:rbac:groups=route.openshift.io,resources=routes,verbs=get;list;watch;create;patch;delete
// +kubebuilder:rbac:groups=image.openshift.io,resources=imagestreams,verbs=get;create;patch
// +kubebuilder:rbac:groups="",resources=secrets,verbs=get
// +kubebuilder:rbac:groups=events.k8s.io,resources=events,verbs=create;patch

// indexRunsByMeteor finds the runs of a Meteor by its UID.
const indexRunsByMeteor = "meteor.zone/runs-by-meteor"

// How many objects are reconciled at once. A pass waits for nothing but the API server. One that is slow to answer must
// not hold up the ends of those that are due meanwhile.
const (
	workers = 4
	reapers = 16
)

// Options is what the controller needs of its surroundings.
type Options struct {
	// Tracker knows the kinds that come and go.
	Tracker *capabilities.Tracker
	// Clock is the time. The default is the real one.
	Clock clock.PassiveClock
	// Metrics records how builds and objects end.
	Metrics *Metrics
	// Installed tells whether a namespace has a pipeline as it should be. It reads caches only.
	Installed func(ctx context.Context, namespace, pipeline string) (bool, error)
	// Unselected tells whether the CNBiConfig's selector leaves a namespace out. It reads caches only.
	Unselected func(namespace string) bool
	// Installs tells a handler of a namespace whenever these may answer otherwise there.
	Installs func(handler.EventHandler) source.Source
	// Images are those that hold unless the CNBiConfig names others.
	Images Images
	// Proxy is what builds use where the CNBiConfig names none.
	Proxy v1alpha1.ProxySpec
}

// Setup adds the controllers to the manager.
func Setup(ctx context.Context, mgr ctrl.Manager, o Options) error {
	if o.Clock == nil {
		o.Clock = clock.RealClock{}
	}
	recorder := mgr.GetEventRecorder("meteor-operator")
	r := &Reconciler{
		client:     mgr.GetClient(),
		direct:     mgr.GetAPIReader(),
		statuses:   apply.NewStatuses(mgr.GetClient(), fieldOwner),
		events:     recorder,
		clock:      o.Clock,
		cluster:    o.Tracker,
		installed:  o.Installed,
		unselected: o.Unselected,
		metrics:    o.Metrics,
		images:     o.Images,
		proxy:      o.Proxy,
	}
	near := make(chan event.GenericEvent)
	edited := builder.WithPredicates(predicate.GenerationChangedPredicate{})
	c, err := ctrl.NewControllerManagedBy(mgr).
		Named("meteor").
		For(&v1alpha1.Meteor{}, builder.WithPredicates(
			predicate.Or(predicate.GenerationChangedPredicate{}, predicate.AnnotationChangedPredicate{}))).
		Owns(&v1alpha1.CustomNBImage{}).
		Owns(&appsv1.Deployment{}).
		Owns(&corev1.Service{}, builder.WithPredicates(removals())).
		Owns(&networkingv1.Ingress{}).
		Watches(&v1alpha1.CNBiConfig{}, handler.EnqueueRequestsFromMapFunc(r.allObjects), edited).
		WatchesRawSource(o.Tracker.Source(func(ctx context.Context) []reconcile.Request { return r.allObjects(ctx, nil) })).
		WatchesRawSource(o.Installs(handler.EnqueueRequestsFromMapFunc(r.objectsBeside))).
		WatchesRawSource(source.Channel(near, &handler.EnqueueRequestForObject{})).
		WithOptions(controller.Options{MaxConcurrentReconciles: workers}).
		Build(r)
	if err != nil {
		return fmt.Errorf("cannot set up the Meteor controller: %w", err)
	}
	if err := r.watchOthers(ctx, mgr, c, o.Tracker); err != nil {
		return err
	}
	reap := &reaper{client: mgr.GetClient(), events: recorder, clock: o.Clock, metrics: o.Metrics, near: near}
	err = ctrl.NewControllerManagedBy(mgr).
		Named("meteor-life").
		For(&v1alpha1.Meteor{}, edited).
		Watches(&v1alpha1.CNBiConfig{}, handler.EnqueueRequestsFromMapFunc(r.allObjects), edited).
		WithOptions(controller.Options{MaxConcurrentReconciles: reapers, RateLimiter: reaperBackoff()}).
		Complete(reap)
	if err != nil {
		return fmt.Errorf("cannot set up the controller of Meteors' ends: %w", err)
	}
	return nil
}

// removals lets nothing pass but that an object has gone: a Service has no state that anybody waits for.
func removals() predicate.Predicate {
	return predicate.Funcs{
		CreateFunc:  func(event.CreateEvent) bool { return false },
		UpdateFunc:  func(event.UpdateEvent) bool { return false },
		GenericFunc: func(event.GenericEvent) bool { return false },
	}
}

// watchOthers adds the watches on kinds that may be absent.
func (r *Reconciler) watchOthers(ctx context.Context, mgr ctrl.Manager, c controller.Controller, tracker *capabilities.Tracker) error {
	index := func(ctx context.Context) error {
		return mgr.GetCache().IndexField(ctx, &tektonv1.PipelineRun{}, indexRunsByMeteor, runs.OwnerUID)
	}
	if err := tracker.When(ctx, capabilities.PipelineRun, index, func(context.Context) {}); err != nil {
		return fmt.Errorf("cannot index PipelineRuns: %w", err)
	}
	owner := handler.EnqueueRequestForOwner(mgr.GetScheme(), mgr.GetRESTMapper(), &v1alpha1.Meteor{}, handler.OnlyControllerOwner())
	route := &unstructured.Unstructured{}
	route.SetGroupVersionKind(capabilities.Route)
	for _, w := range []struct {
		kind    schema.GroupVersionKind
		object  client.Object
		handler handler.EventHandler
	}{
		{capabilities.PipelineRun, &tektonv1.PipelineRun{}, owner},
		{capabilities.TaskRun, &tektonv1.TaskRun{}, handler.EnqueueRequestsFromMapFunc(objectOfTask)},
		{capabilities.Route, route, owner},
	} {
		if err := tracker.Watch(ctx, c, mgr.GetCache(), w.kind, w.object, w.handler); err != nil {
			return fmt.Errorf("cannot watch %s: %w", w.kind.Kind, err)
		}
	}
	return nil
}

// objectOfTask finds the Meteor of a TaskRun that has ended, or comes to no end by itself, by the label that Tekton hands
// down from the PipelineRun.
func objectOfTask(_ context.Context, obj client.Object) []reconcile.Request {
	task, ok := obj.(*tektonv1.TaskRun)
	name := obj.GetLabels()[v1alpha1.LabelMeteor]
	if !ok || name == "" {
		return nil
	}
	if _, stranded := runs.Stranded(task); !stranded && !task.IsDone() {
		return nil
	}
	return []reconcile.Request{{NamespacedName: types.NamespacedName{Namespace: obj.GetNamespace(), Name: name}}}
}

// objectsBeside are the objects of a namespace, which may wait for its pipelines.
func (r *Reconciler) objectsBeside(ctx context.Context, obj client.Object) []reconcile.Request {
	return r.list(ctx, client.InNamespace(obj.GetNamespace()))
}

func (r *Reconciler) allObjects(ctx context.Context, _ client.Object) []reconcile.Request {
	return r.list(ctx)
}

func (r *Reconciler) list(ctx context.Context, opts ...client.ListOption) []reconcile.Request {
	list := &v1alpha1.MeteorList{}
	if err := r.client.List(ctx, list, append(opts, client.UnsafeDisableDeepCopy)...); err != nil {
		ctrl.LoggerFrom(ctx).Error(err, "Cannot list the Meteors to look at")
		return nil
	}
	requests := make([]reconcile.Request, len(list.Items))
	for i := range list.Items {
		requests[i].NamespacedName = client.ObjectKeyFromObject(&list.Items[i])
	}
	return requests
}
