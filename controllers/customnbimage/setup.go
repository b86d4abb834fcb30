package customnbimage

import (
	"context"
	"fmt"
	"time"

	tektonv1 "github.com/tektoncd/pipeline/pkg/apis/pipeline/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/clock"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/builder"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/predicate"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"
	"sigs.k8s.io/controller-runtime/pkg/source"

	"github.com/meteor-zone/meteor-operator/apis/v1alpha1"
	"github.com/meteor-zone/meteor-operator/controllers/internal/apply"
	"github.com/meteor-zone/meteor-operator/controllers/internal/capabilities"
	"github.com/meteor-zone/meteor-operator/controllers/internal/install"
	"github.com/meteor-zone/meteor-operator/controllers/internal/metrics"
	"github.com/meteor-zone/meteor-operator/controllers/internal/runs"
)

// +kubebuilder:rbac:groups=meteor.zone,resources=customnbimages,verbs=list;watch
// +kubebuilder:rbac:groups=meteor.zone,resources=customnbimages/status,verbs=patch
// +kubebuilder:rbac:groups=tekton.dev,resources=pipelineruns,verbs=get;list;watch;create;patch;delete
// +kubebuilder:rbac:groups=tekton.dev,resources=taskruns,verbs=list;watch
// +kubebuilder:rbac:groups=image.openshift.io,resources=imagestreams,verbs=list;watch;create;patch
// +kubebuilder:rbac:groups="",resources=secrets,verbs=get
// +kubebuilder:rbac:groups=events.k8s.io,resources=events,verbs=create;patch

// Indexes of the cache.
const (
	indexTaskRunsByRun = "meteor.zone/taskruns-by-run"
	indexRunsByOwner   = "meteor.zone/runs-by-owner"
	indexRunning       = "meteor.zone/running"
	indexQueued        = "meteor.zone/queued"
	// indexedTrue is what the last two find objects by.
	indexedTrue = "true"
)

// workers is how many objects are reconciled at once. A pass waits for nothing but the API server.
const workers = 4

// Options is what the controller needs of its surroundings.
type Options struct {
	// Tracker knows the kinds that come and go.
	Tracker *capabilities.Tracker
	// Clock is the time. The default is the real one.
	Clock clock.PassiveClock
	// Metrics records how builds end.
	Metrics *metrics.Recorder
	// WatchNamespaces are the only namespaces that are looked at; none stands for all.
	WatchNamespaces []string
	// Installed tells whether a namespace has a pipeline at the manager's own revision. It reads caches only.
	Installed func(ctx context.Context, namespace, pipeline string) (bool, error)
	// Unselected tells whether the CNBiConfig's selector leaves a namespace out. It reads caches only.
	Unselected func(namespace string) bool
	// Installs tells a handler of a namespace whenever these may answer otherwise there.
	Installs func(handler.EventHandler) source.Source
	// Proxy is what builds use where the CNBiConfig names none.
	Proxy v1alpha1.ProxySpec
	// Buildah tells whether there is an image for Containerfiles where the CNBiConfig names none.
	Buildah bool
}

// Setup adds the controller to the manager.
func Setup(ctx context.Context, mgr ctrl.Manager, o Options) error {
	if o.Clock == nil {
		o.Clock = clock.RealClock{}
	}
	streams, err := newStreamCache(mgr, o.WatchNamespaces)
	if err != nil {
		return err
	}
	r := &Reconciler{
		streams:    streams,
		client:     mgr.GetClient(),
		direct:     mgr.GetAPIReader(),
		statuses:   apply.NewStatuses(mgr.GetClient(), fieldOwner),
		events:     mgr.GetEventRecorder("meteor-operator"),
		clock:      o.Clock,
		cluster:    o.Tracker,
		installed:  o.Installed,
		unselected: o.Unselected,
		metrics:    o.Metrics,
		turns:      &turns{started: map[types.NamespacedName]time.Time{}},
		proxy:      o.Proxy,
		buildah:    o.Buildah,
	}
	if err := mgr.GetFieldIndexer().IndexField(ctx, &v1alpha1.CustomNBImage{}, indexQueued, queued); err != nil {
		return fmt.Errorf("cannot index the CustomNBImages that wait: %w", err)
	}
	c, err := ctrl.NewControllerManagedBy(mgr).
		Named("customnbimage").
		For(&v1alpha1.CustomNBImage{}, builder.WithPredicates(
			predicate.Or(predicate.GenerationChangedPredicate{}, predicate.AnnotationChangedPredicate{}))).
		Watches(&v1alpha1.CNBiConfig{}, handler.EnqueueRequestsFromMapFunc(r.allObjects),
			builder.WithPredicates(predicate.GenerationChangedPredicate{})).
		Watches(&v1alpha1.CustomNBImage{}, handler.EnqueueRequestsFromMapFunc(r.objectsWaitingBeside), builder.WithPredicates(leavesQueue())).
		WatchesRawSource(o.Tracker.Source(func(ctx context.Context) []reconcile.Request { return r.allObjects(ctx, nil) })).
		WatchesRawSource(o.Installs(handler.EnqueueRequestsFromMapFunc(r.objectsBeside))).
		WithOptions(controller.Options{MaxConcurrentReconciles: workers}).
		Build(r)
	if err != nil {
		return fmt.Errorf("cannot set up the CustomNBImage controller: %w", err)
	}
	return r.watchOthers(ctx, mgr, streams, c, o.Tracker)
}

// watchOthers adds the watches on kinds that may be absent, and the indexes of their caches.
func (r *Reconciler) watchOthers(ctx context.Context, mgr ctrl.Manager, streams cache.Cache, c controller.Controller, tracker *capabilities.Tracker) error {
	owner := handler.EnqueueRequestForOwner(mgr.GetScheme(), mgr.GetRESTMapper(), &v1alpha1.CustomNBImage{}, handler.OnlyControllerOwner())
	type indexes map[string]client.IndexerFunc
	for _, w := range []struct {
		cache    cache.Cache
		kind     schema.GroupVersionKind
		object   client.Object
		handlers []handler.EventHandler
		indexes  indexes
	}{
		{
			cache: mgr.GetCache(), kind: capabilities.PipelineRun, object: &tektonv1.PipelineRun{},
			handlers: []handler.EventHandler{owner, handler.EnqueueRequestsFromMapFunc(r.objectsWaitingBeside)},
			indexes:  indexes{indexRunsByOwner: runs.OwnerUID, indexRunning: running},
		},
		{
			cache: mgr.GetCache(), kind: capabilities.TaskRun, object: &tektonv1.TaskRun{},
			handlers: []handler.EventHandler{handler.EnqueueRequestsFromMapFunc(objectOfLabel)},
			indexes:  indexes{indexTaskRunsByRun: runOfTaskRun},
		},
		{
			cache: streams, kind: capabilities.ImageStream, object: install.MetadataOf(capabilities.ImageStream),
			handlers: []handler.EventHandler{handler.EnqueueRequestsFromMapFunc(sameName)},
		},
	} {
		addIndexes := func(ctx context.Context) error {
			for name, key := range w.indexes {
				if err := w.cache.IndexField(ctx, w.object, name, key); err != nil {
					return err
				}
			}
			return nil
		}
		if err := tracker.When(ctx, w.kind, addIndexes, func(context.Context) {}); err != nil {
			return fmt.Errorf("cannot index %s: %w", w.kind.Kind, err)
		}
		for _, h := range w.handlers {
			if err := tracker.Watch(ctx, c, w.cache, w.kind, w.object, h); err != nil {
				return fmt.Errorf("cannot watch %s: %w", w.kind.Kind, err)
			}
		}
	}
	return nil
}

// streamCache holds the metadata of all ImageStreams, ours or not: a name that somebody else has taken must be known.
type streamCache struct{ cache.Cache }

// NeedLeaderElection implements manager.LeaderElectionRunnable: caches start before the controllers.
func (streamCache) NeedLeaderElection() bool { return false }

func newStreamCache(mgr ctrl.Manager, watchNamespaces []string) (streamCache, error) {
	o := cache.Options{
		HTTPClient:                  mgr.GetHTTPClient(),
		Scheme:                      mgr.GetScheme(),
		Mapper:                      mgr.GetRESTMapper(),
		DefaultTransform:            cache.TransformStripManagedFields(),
		ReaderFailOnMissingInformer: true,
	}
	for _, namespace := range watchNamespaces {
		if o.DefaultNamespaces == nil {
			o.DefaultNamespaces = map[string]cache.Config{}
		}
		o.DefaultNamespaces[namespace] = cache.Config{}
	}
	c, err := cache.New(mgr.GetConfig(), o)
	if err != nil {
		return streamCache{}, fmt.Errorf("cannot make the cache of ImageStreams: %w", err)
	}
	streams := streamCache{c}
	if err := mgr.Add(streams); err != nil {
		return streamCache{}, fmt.Errorf("cannot add the cache of ImageStreams: %w", err)
	}
	return streams, nil
}

func runOfTaskRun(obj client.Object) []string {
	if run := obj.GetLabels()[labelPipelineRun]; run != "" {
		return []string{run}
	}
	return nil
}

// objectOfLabel finds a TaskRun's CustomNBImage by the label that Tekton hands down from the PipelineRun.
func objectOfLabel(_ context.Context, obj client.Object) []reconcile.Request {
	name := obj.GetLabels()[v1alpha1.LabelCustomNBImage]
	if name == "" {
		return nil
	}
	return []reconcile.Request{{NamespacedName: types.NamespacedName{Namespace: obj.GetNamespace(), Name: name}}}
}

// sameName finds the object whose ImageStream this is, or whose name it takes.
func sameName(_ context.Context, obj client.Object) []reconcile.Request {
	return []reconcile.Request{{NamespacedName: client.ObjectKeyFromObject(obj)}}
}

// objectsBeside are the objects of a Pipeline's namespace, which may wait for it.
func (r *Reconciler) objectsBeside(ctx context.Context, namespaced client.Object) []reconcile.Request {
	return r.list(ctx, client.InNamespace(namespaced.GetNamespace()))
}

func (r *Reconciler) allObjects(ctx context.Context, _ client.Object) []reconcile.Request {
	return r.list(ctx)
}

func (r *Reconciler) list(ctx context.Context, opts ...client.ListOption) []reconcile.Request {
	list := &v1alpha1.CustomNBImageList{}
	if err := r.client.List(ctx, list, opts...); err != nil {
		ctrl.LoggerFrom(ctx).Error(err, "Cannot list the CustomNBImages to look at")
		return nil
	}
	requests := make([]reconcile.Request, len(list.Items))
	for i := range list.Items {
		requests[i].NamespacedName = client.ObjectKeyFromObject(&list.Items[i])
	}
	return requests
}
