package cnbiconfig

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"

	tektonv1 "github.com/tektoncd/pipeline/pkg/apis/pipeline/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/util/workqueue"
	"k8s.io/utils/clock"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/builder"
	"sigs.k8s.io/controller-runtime/pkg/cache"
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
	"github.com/meteor-zone/meteor-operator/controllers/internal/install"
)

// +kubebuilder:rbac:groups=meteor.zone,resources=customnbimages;meteors,verbs=list;watch
// By name, since these hand out rights or are others' too: a name that is used no more stays here as long as objects of
// that name may be left.
// +kubebuilder:rbac:groups="",resources=serviceaccounts,resourceNames=meteor-pipeline;meteor-validate;meteor-containerfile,verbs=list;watch;create;patch;delete
// +kubebuilder:rbac:groups=rbac.authorization.k8s.io,resources=roles;rolebindings,resourceNames=meteor-pipeline,verbs=list;watch;create;patch;delete
// +kubebuilder:rbac:groups=tekton.dev,resources=tasks;pipelines,verbs=list;watch;create;patch;delete
// What is copied into namespaces, by name. Listing and watching by name is a right of its own.
// +kubebuilder:rbac:groups="",resources=secrets,resourceNames=meteor-push;meteor-index;meteor-push-token,verbs=list;watch;create;patch;delete
// +kubebuilder:rbac:groups="",resources=configmaps,resourceNames=meteor-ca,verbs=list;watch;create;patch;delete
// What is copied from, in the operator's own namespace.
// +kubebuilder:rbac:groups="",namespace=system,resources=secrets;configmaps,verbs=get;list;watch
// The account of the runs may push to OpenShift's registry, and nobody can hand out what they do not hold:
// +kubebuilder:rbac:groups=image.openshift.io,resources=imagestreams/layers,verbs=get;update

const (
	// workers is how many namespaces are looked at at once.
	workers = 8
	// coalesce is how long changes are gathered before the status is looked at.
	coalesce = 500 * time.Millisecond
	// firstRetry and lastRetry bound the time to the next attempt at a namespace that refuses.
	firstRetry = time.Second
	lastRetry  = 5 * time.Minute
)

// theOne is the request for the CNBiConfig.
var theOne = reconcile.Request{NamespacedName: types.NamespacedName{Name: v1alpha1.CNBiConfigName}}

// Options is what the controllers need of their surroundings.
type Options struct {
	// Tracker knows the kinds that come and go.
	Tracker *capabilities.Tracker
	// Catalogue renders the manifests.
	Catalogue *install.Catalogue
	// WatchNamespaces are the only namespaces that the manager looks at; none stands for all.
	WatchNamespaces []string
	// Namespace is the operator's own.
	Namespace string
	// Clock is the time. The default is the real one.
	Clock clock.PassiveClock
	// Linger is how long a namespace keeps its pipelines in mode OnDemand after the last object that needs them has
	// gone. The default is ten minutes.
	Linger time.Duration
}

// shared is what the two controllers have in common.
type shared struct {
	Options
	ledger    *ledger
	territory territory
	designer  *designer
	views     *views
}

// Setup adds the controllers to the manager. What it returns tells builds whether they can start.
func Setup(ctx context.Context, mgr ctrl.Manager, o Options) (*Installs, error) {
	if o.Clock == nil {
		o.Clock = clock.RealClock{}
	}
	o.Linger = cmp.Or(o.Linger, defaultLinger)
	keys, err := o.Catalogue.Keys()
	if err != nil {
		return nil, err
	}
	has := offers{o.Tracker}
	views, err := newViews(mgr, keys, o.WatchNamespaces, func(gvk schema.GroupVersionKind) bool {
		return !install.IsTekton(gvk) || has.HasTekton()
	})
	if err != nil {
		return nil, err
	}
	copier := &copier{direct: mgr.GetAPIReader(), namespace: o.Namespace, read: map[install.Key]reading{}}
	if o.Namespace != "" {
		if copier.metadata, err = newMetadataCache(mgr, []string{o.Namespace}, cache.Options{}); err != nil {
			return nil, err
		}
	}
	s := shared{
		Options:   o,
		ledger:    newLedger(),
		territory: territory{reader: mgr.GetClient(), direct: mgr.GetAPIReader(), watched: o.WatchNamespaces, own: o.Namespace},
		designer:  &designer{catalogue: o.Catalogue, copier: copier, streams: has.streams},
		views:     views,
	}
	if err := s.setupConfig(mgr); err != nil {
		return nil, fmt.Errorf("cannot set up the CNBiConfig controller: %w", err)
	}
	if err := s.setupNamespaces(ctx, mgr); err != nil {
		return nil, fmt.Errorf("cannot set up the namespace controller: %w", err)
	}
	return &Installs{reader: mgr.GetClient(), designer: s.designer, ledger: s.ledger}, nil
}

func (s shared) setupConfig(mgr ctrl.Manager) error {
	r := &Reconciler{
		client:    mgr.GetClient(),
		statuses:  apply.NewStatuses(mgr.GetClient(), fieldOwner),
		territory: s.territory,
		designer:  s.designer,
		ledger:    s.ledger,
		clock:     s.Clock,
		cluster:   offers{s.Tracker},
	}
	b := ctrl.NewControllerManagedBy(mgr).
		Named("cnbiconfig").
		For(&v1alpha1.CNBiConfig{}, builder.WithPredicates(predicate.GenerationChangedPredicate{})).
		WatchesRawSource(atStart()).
		WatchesRawSource(ofLedger(s.ledger)).
		WatchesRawSource(s.Tracker.Source(func(context.Context) []reconcile.Request { return []reconcile.Request{theOne} }))
	if len(s.WatchNamespaces) == 0 {
		b = b.WatchesMetadata(install.MetadataOf(namespaceKind), later(), builder.WithPredicates(comeAndGo()))
	}
	for _, gvk := range install.CopyKinds {
		if s.Namespace != "" {
			b = b.WatchesRawSource(source.Kind[client.Object](s.designer.copier.metadata, install.MetadataOf(gvk), later()))
		}
	}
	return b.Complete(r)
}

func (s shared) setupNamespaces(ctx context.Context, mgr ctrl.Manager) error {
	r := &namespaceReconciler{
		client:    mgr.GetClient(),
		territory: s.territory,
		designer:  s.designer,
		views:     s.views,
		judge:     install.NewJudge(),
		ledger:    s.ledger,
		clock:     s.Clock,
		linger:    s.Linger,
		hasTekton: offers{s.Tracker}.HasTekton,
		hasRuns:   func() bool { return s.Tracker.Has(capabilities.PipelineRun) },
		memories:  map[string]*memory{},
	}
	toAll := handler.EnqueueRequestsFromMapFunc(r.all)
	b := ctrl.NewControllerManagedBy(mgr).
		Named("namespace").
		Watches(&v1alpha1.CNBiConfig{}, toAll, builder.WithPredicates(predicate.GenerationChangedPredicate{})).
		Watches(&v1alpha1.CustomNBImage{}, handler.EnqueueRequestsFromMapFunc(around), builder.WithPredicates(comeAndGo())).
		Watches(&v1alpha1.Meteor{}, handler.EnqueueRequestsFromMapFunc(around), builder.WithPredicates(comeAndGo())).
		WatchesRawSource(s.Tracker.Source(func(ctx context.Context) []reconcile.Request { return r.all(ctx, nil) })).
		WithOptions(controller.Options{
			MaxConcurrentReconciles: workers,
			RateLimiter:             workqueue.NewTypedItemExponentialFailureRateLimiter[reconcile.Request](firstRetry, lastRetry),
		})
	if len(s.WatchNamespaces) == 0 {
		b = b.WatchesMetadata(install.MetadataOf(namespaceKind), handler.EnqueueRequestsFromMapFunc(itself), builder.WithPredicates(namespaceChanges()))
	}
	for _, v := range s.views.all() {
		if !install.IsTekton(v.gvk) {
			b = b.WatchesRawSource(source.Kind[client.Object](v.cache, install.MetadataOf(v.gvk), handler.EnqueueRequestsFromMapFunc(around), metadataChanges()))
		}
	}
	for _, gvk := range install.CopyKinds {
		if s.Namespace != "" {
			b = b.WatchesRawSource(source.Kind[client.Object](s.designer.copier.metadata, install.MetadataOf(gvk), toAll, r.isSource(gvk)))
		}
	}
	c, err := b.Build(r)
	if err != nil {
		return err
	}
	for _, v := range s.views.all() {
		if !install.IsTekton(v.gvk) {
			continue
		}
		if err := s.Tracker.Watch(ctx, c, v.cache, v.gvk, install.MetadataOf(v.gvk), handler.EnqueueRequestsFromMapFunc(around), metadataChanges()); err != nil {
			return err
		}
	}
	return s.Tracker.Watch(ctx, c, mgr.GetCache(), capabilities.PipelineRun, &tektonv1.PipelineRun{}, handler.EnqueueRequestsFromMapFunc(around), runEnds())
}

// offers is what a Tracker knows, with another idea of Tekton: here pipelines are installed, and runs looked for.
type offers struct{ *capabilities.Tracker }

func (o offers) HasTekton() bool {
	return o.Has(capabilities.Pipeline) && o.Has(capabilities.Task) && o.Has(capabilities.PipelineRun)
}

// atStart has the CNBiConfig looked at once, also where there is none.
func atStart() source.Source {
	return source.Func(func(_ context.Context, q workqueue.TypedRateLimitingInterface[reconcile.Request]) error {
		q.Add(theOne)
		return nil
	})
}

// ofLedger has the CNBiConfig looked at a moment after namespaces have changed.
func ofLedger(l *ledger) source.Source {
	return source.Func(func(_ context.Context, q workqueue.TypedRateLimitingInterface[reconcile.Request]) error {
		l.subscribe(func(change) { q.AddAfter(theOne, coalesce) })
		return nil
	})
}

// later has the CNBiConfig looked at a moment after any event.
func later() handler.EventHandler {
	poke := func(q workqueue.TypedRateLimitingInterface[reconcile.Request]) { q.AddAfter(theOne, coalesce) }
	return handler.Funcs{
		CreateFunc: func(_ context.Context, _ event.CreateEvent, q workqueue.TypedRateLimitingInterface[reconcile.Request]) {
			poke(q)
		},
		UpdateFunc: func(_ context.Context, _ event.UpdateEvent, q workqueue.TypedRateLimitingInterface[reconcile.Request]) {
			poke(q)
		},
		DeleteFunc: func(_ context.Context, _ event.DeleteEvent, q workqueue.TypedRateLimitingInterface[reconcile.Request]) {
			poke(q)
		},
	}
}

// all are all namespaces.
func (r *namespaceReconciler) all(ctx context.Context, _ client.Object) []reconcile.Request {
	namespaces, err := r.territory.names(ctx)
	if err != nil {
		ctrl.LoggerFrom(ctx).Error(err, "Cannot list the namespaces to look at")
		return nil
	}
	requests := make([]reconcile.Request, len(namespaces))
	for i, name := range namespaces {
		requests[i].Name = name
	}
	return requests
}

// isSource lets through what the CNBiConfig has copied.
func (r *namespaceReconciler) isSource(gvk schema.GroupVersionKind) predicate.Predicate {
	return predicate.NewPredicateFuncs(func(obj client.Object) bool {
		config := &v1alpha1.CNBiConfig{}
		if err := r.client.Get(context.Background(), theOne.NamespacedName, config, client.UnsafeDisableDeepCopy); err != nil {
			return false
		}
		return names(&config.Spec, install.Key{GVK: gvk, Name: obj.GetName()})
	})
}

// around is the namespace in which the object is.
func around(_ context.Context, obj client.Object) []reconcile.Request {
	return []reconcile.Request{{NamespacedName: types.NamespacedName{Name: obj.GetNamespace()}}}
}

// itself is the namespace that the object is.
func itself(_ context.Context, obj client.Object) []reconcile.Request {
	return []reconcile.Request{{NamespacedName: types.NamespacedName{Name: obj.GetName()}}}
}

// comeAndGo lets through what decides whether a namespace is in use.
func comeAndGo() predicate.Predicate {
	return predicate.Funcs{UpdateFunc: func(event.UpdateEvent) bool { return false }}
}

// namespaceChanges lets through what decides whether a namespace gets pipelines.
func namespaceChanges() predicate.Predicate {
	return predicate.Or(predicate.LabelChangedPredicate{}, deletionPredicate())
}

// metadataChanges lets through what is compared of an installed object, and its coming and going.
func metadataChanges() predicate.Predicate {
	return predicate.Funcs{UpdateFunc: func(e event.UpdateEvent) bool {
		before, after := e.ObjectOld, e.ObjectNew
		return before.GetUID() != after.GetUID() ||
			before.GetLabels()[v1alpha1.LabelRevision] != after.GetLabels()[v1alpha1.LabelRevision] ||
			before.GetDeletionTimestamp().IsZero() != after.GetDeletionTimestamp().IsZero() ||
			!sameOwners(before, after) ||
			install.Fields(before) != install.Fields(after)
	}}
}

// runEnds lets through what may end a namespace's being busy.
func runEnds() predicate.Predicate {
	return predicate.Funcs{
		CreateFunc: func(event.CreateEvent) bool { return false },
		UpdateFunc: func(e event.UpdateEvent) bool {
			before, ok := e.ObjectOld.(*tektonv1.PipelineRun)
			after, ok2 := e.ObjectNew.(*tektonv1.PipelineRun)
			return ok && ok2 && running(before) && !running(after)
		},
	}
}

func deletionPredicate() predicate.Predicate {
	return predicate.Funcs{UpdateFunc: func(e event.UpdateEvent) bool {
		return e.ObjectOld.GetDeletionTimestamp().IsZero() != e.ObjectNew.GetDeletionTimestamp().IsZero()
	}}
}

func sameOwners(a, b client.Object) bool {
	return slices.EqualFunc(a.GetOwnerReferences(), b.GetOwnerReferences(), func(x, y metav1.OwnerReference) bool { return x.UID == y.UID })
}
