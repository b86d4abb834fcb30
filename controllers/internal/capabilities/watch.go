package capabilities

import (
	"context"
	"fmt"
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/util/workqueue"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/predicate"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"
	"sigs.k8s.io/controller-runtime/pkg/source"
)

// syncTimeout is how long a new watch may take to list what is there.
const syncTimeout = 30 * time.Second

// Watch has a controller watch obj, which is of the given kind, for as long as the cluster offers it: the watch is
// added when the kind comes, and it and the informer go with the kind. Has says that a kind is there when the watches
// on it have listed what exists, so that a reconciler that asks Has first never reads a cache that is empty for want
// of an API.
func (t *Tracker) Watch(ctx context.Context, c controller.Controller, ca cache.Cache, gvk schema.GroupVersionKind,
	obj client.Object, h handler.EventHandler, ps ...predicate.Predicate,
) error {
	w := &watch{controller: c, cache: ca, object: obj, handler: h, predicates: ps}
	return t.When(ctx, gvk, w.add, w.remove)
}

// watch is one controller's watch on one kind.
type watch struct {
	controller controller.Controller
	cache      cache.Cache
	object     client.Object
	handler    handler.EventHandler
	predicates []predicate.Predicate

	current *gate
}

func (w *watch) add(ctx context.Context) error {
	g := &gate{
		kind:   source.Kind(w.cache, w.object, w.handler, w.predicates...),
		closed: make(chan struct{}),
	}
	if err := w.controller.Watch(g); err != nil {
		return fmt.Errorf("cannot watch %T: %w", w.object, err)
	}
	w.current = g
	if !g.running() {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, syncTimeout)
	defer cancel()
	if err := g.WaitForSync(ctx); err != nil {
		// The informer stays: another controller may be using it.
		g.close()
		return fmt.Errorf("cannot list %T: %w", w.object, err)
	}
	return nil
}

func (w *watch) remove(ctx context.Context) {
	w.current.close()
	// The cache only fails here for a kind outside its scheme, which could not have been watched.
	_ = w.cache.RemoveInformer(ctx, w.object)
}

// gate is a source that can be closed, before it was started too: a controller that waits to lead holds its sources
// back, and must not wait for a kind that has gone meanwhile.
type gate struct {
	kind source.SyncingSource

	mu      sync.Mutex
	started bool
	closed  chan struct{}
}

// Start implements source.Source.
func (g *gate) Start(ctx context.Context, queue workqueue.TypedRateLimitingInterface[reconcile.Request]) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	select {
	case <-g.closed:
		return nil
	default:
	}
	ctx, cancel := context.WithCancel(ctx)
	go func() {
		defer cancel()
		select {
		case <-g.closed:
		case <-ctx.Done():
		}
	}()
	g.started = true
	return g.kind.Start(ctx, queue)
}

// WaitForSync implements source.SyncingSource.
func (g *gate) WaitForSync(ctx context.Context) error {
	if !g.running() {
		return nil
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	stop := make(chan struct{})
	defer close(stop)
	go func() {
		select {
		case <-g.closed:
			cancel()
		case <-stop:
		}
	}()
	return g.kind.WaitForSync(ctx)
}

// String names the source in logs.
func (g *gate) String() string { return fmt.Sprintf("%s", g.kind) }

func (g *gate) running() bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.started
}

func (g *gate) close() {
	g.mu.Lock()
	defer g.mu.Unlock()
	select {
	case <-g.closed:
	default:
		close(g.closed)
	}
}

// Source wakes a controller when anything has come or gone: list tells which objects.
func (t *Tracker) Source(list func(context.Context) []reconcile.Request) source.Source {
	return source.Func(func(ctx context.Context, queue workqueue.TypedRateLimitingInterface[reconcile.Request]) error {
		cancel := t.Subscribe(func() {
			for _, req := range list(ctx) {
				queue.Add(req)
			}
		})
		context.AfterFunc(ctx, cancel)
		return nil
	})
}
