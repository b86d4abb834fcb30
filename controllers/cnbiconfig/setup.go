package cnbiconfig

import (
	"context"
	"fmt"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/util/workqueue"
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
	"github.com/meteor-zone/meteor-operator/controllers/internal/install"
)

// +kubebuilder:rbac:groups=meteor.zone,resources=cnbiconfigs,verbs=get;list;watch;create
// +kubebuilder:rbac:groups=meteor.zone,resources=cnbiconfigs/status,verbs=patch
// +kubebuilder:rbac:groups=meteor.zone,resources=customnbimages;meteors,verbs=get;list;watch
// +kubebuilder:rbac:groups="",resources=namespaces,verbs=get;list;watch
// +kubebuilder:rbac:groups="",resources=serviceaccounts,verbs=get;list;watch;create;patch;delete
// +kubebuilder:rbac:groups=rbac.authorization.k8s.io,resources=roles;rolebindings,verbs=get;list;watch;create;patch;delete
// +kubebuilder:rbac:groups=tekton.dev,resources=tasks;pipelines,verbs=get;list;watch;create;patch;delete
// The account of the runs may push to OpenShift's registry, and nobody can hand out what they do not hold:
// +kubebuilder:rbac:groups=image.openshift.io,resources=imagestreams/layers,verbs=get;update

const (
	// workers is how many namespaces are looked at at once.
	workers = 4
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
	// Clock is the time. The default is the real one.
	Clock clock.PassiveClock
}

// Setup adds the controllers to the manager.
func Setup(ctx context.Context, mgr ctrl.Manager, o Options) error {
	if o.Clock == nil {
		o.Clock = clock.RealClock{}
	}
	l := newLedger()
	t := territory{reader: mgr.GetClient(), watched: o.WatchNamespaces}
	if err := setupConfig(mgr, o, l, t); err != nil {
		return fmt.Errorf("cannot set up the CNBiConfig controller: %w", err)
	}
	if err := setupNamespaces(ctx, mgr, o, l, t); err != nil {
		return fmt.Errorf("cannot set up the namespace controller: %w", err)
	}
	return nil
}

func setupConfig(mgr ctrl.Manager, o Options, l *ledger, t territory) error {
	r := &Reconciler{
		client:    mgr.GetClient(),
		statuses:  apply.NewStatuses(mgr.GetClient(), fieldOwner),
		territory: t,
		catalogue: o.Catalogue,
		ledger:    l,
		clock:     o.Clock,
		cluster:   offers{o.Tracker},
	}
	return ctrl.NewControllerManagedBy(mgr).
		Named("cnbiconfig").
		For(&v1alpha1.CNBiConfig{}, builder.WithPredicates(predicate.GenerationChangedPredicate{})).
		// The scope of mode OnDemand is counted in these, so this controller waits for their caches too.
		Watches(&v1alpha1.CustomNBImage{}, later(), builder.WithPredicates(comeAndGo())).
		Watches(&v1alpha1.Meteor{}, later(), builder.WithPredicates(comeAndGo())).
		WatchesMetadata(install.MetadataOf(namespaceKind), later(), builder.WithPredicates(namespaceChanges())).
		WatchesRawSource(atStart()).
		WatchesRawSource(ofLedger(l)).
		WatchesRawSource(o.Tracker.Source(func(context.Context) []reconcile.Request { return []reconcile.Request{theOne} })).
		Complete(r)
}

func setupNamespaces(ctx context.Context, mgr ctrl.Manager, o Options, l *ledger, t territory) error {
	r := &namespaceReconciler{
		client:    mgr.GetClient(),
		direct:    mgr.GetAPIReader(),
		territory: t,
		catalogue: o.Catalogue,
		ledger:    l,
		clock:     o.Clock,
		hasTekton: offers{o.Tracker}.HasTekton,
		applied:   map[string]time.Time{},
	}
	b := ctrl.NewControllerManagedBy(mgr).
		Named("namespace").
		Watches(&v1alpha1.CNBiConfig{}, handler.EnqueueRequestsFromMapFunc(r.all), builder.WithPredicates(predicate.GenerationChangedPredicate{})).
		Watches(&v1alpha1.CustomNBImage{}, handler.EnqueueRequestsFromMapFunc(around), builder.WithPredicates(comeAndGo())).
		Watches(&v1alpha1.Meteor{}, handler.EnqueueRequestsFromMapFunc(around), builder.WithPredicates(comeAndGo())).
		WatchesMetadata(install.MetadataOf(namespaceKind), handler.EnqueueRequestsFromMapFunc(itself), builder.WithPredicates(namespaceChanges())).
		WatchesRawSource(o.Tracker.Source(func(ctx context.Context) []reconcile.Request { return r.all(ctx, nil) })).
		WithOptions(controller.Options{
			MaxConcurrentReconciles: workers,
			RateLimiter:             workqueue.NewTypedItemExponentialFailureRateLimiter[reconcile.Request](firstRetry, lastRetry),
		})
	var optional []*metav1.PartialObjectMetadata
	for _, gvk := range install.Kinds {
		if gvk.Group == capabilities.Pipeline.Group {
			optional = append(optional, install.MetadataOf(gvk))
			continue
		}
		b = b.WatchesMetadata(install.MetadataOf(gvk), handler.EnqueueRequestsFromMapFunc(around), builder.WithPredicates(metadataChanges()))
	}
	c, err := b.Build(r)
	if err != nil {
		return err
	}
	for _, obj := range optional {
		err := o.Tracker.Watch(ctx, c, mgr.GetCache(), obj.GroupVersionKind(), obj, handler.EnqueueRequestsFromMapFunc(around), metadataChanges())
		if err != nil {
			return err
		}
	}
	return nil
}

// offers reads a Tracker.
type offers struct{ tracker *capabilities.Tracker }

func (o offers) HasTekton() bool {
	return o.tracker.Has(capabilities.Pipeline) && o.tracker.Has(capabilities.Task)
}

func (o offers) HasImageStreams() bool { return o.tracker.Has(capabilities.ImageStream) }

func (o offers) HasRoutes() bool { return o.tracker.Has(capabilities.Route) }

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
		l.subscribe(func() { q.AddAfter(theOne, coalesce) })
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
	namespaces, err := r.territory.namespaces(ctx)
	if err != nil {
		ctrl.LoggerFrom(ctx).Error(err, "Cannot list the namespaces to look at")
		return nil
	}
	requests := make([]reconcile.Request, len(namespaces))
	for i := range namespaces {
		requests[i].Name = namespaces[i].Name
	}
	return requests
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

// metadataChanges lets through what is compared of an installed object, and its going.
func metadataChanges() predicate.Predicate {
	return predicate.Or(predicate.LabelChangedPredicate{}, predicate.Funcs{UpdateFunc: func(e event.UpdateEvent) bool {
		return !sameOwners(e.ObjectOld, e.ObjectNew) || e.ObjectOld.GetDeletionTimestamp().IsZero() != e.ObjectNew.GetDeletionTimestamp().IsZero()
	}})
}

func deletionPredicate() predicate.Predicate {
	return predicate.Funcs{UpdateFunc: func(e event.UpdateEvent) bool {
		return e.ObjectOld.GetDeletionTimestamp().IsZero() != e.ObjectNew.GetDeletionTimestamp().IsZero()
	}}
}

func sameOwners(a, b client.Object) bool {
	as, bs := a.GetOwnerReferences(), b.GetOwnerReferences()
	if len(as) != len(bs) {
		return false
	}
	for i := range as {
		if as[i].UID != bs[i].UID {
			return false
		}
	}
	return true
}
