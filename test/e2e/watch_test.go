//go:build e2e

package e2e

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"

	apimeta "k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	apiwatch "k8s.io/apimachinery/pkg/watch"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/meteor-zone/meteor-operator/hack/operator"
)

// await waits until done, and fails the case when that takes too long. state tells what there was instead.
func await[T any, L interface {
	*T
	client.ObjectList
}](t *testing.T, c client.WithWatch, what string, done func(L) bool, state func() string, opts ...client.ListOption) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	err := operator.Await(ctx, c, func(l L) (bool, error) { return done(l), nil }, opts...)
	if errors.Is(err, context.DeadlineExceeded) {
		t.Fatalf("waited %s until %s; at the end: %s", patience, what, state())
	}
	if err != nil {
		t.Fatalf("cannot wait until %s: %v", what, err)
	}
}

// gone waits until nothing is on the list.
func gone[T any, L interface {
	*T
	client.ObjectList
}](t *testing.T, what string, _ L, opts ...client.ListOption) {
	t.Helper()
	var left []string
	await(t, on.Client, what+" are gone", func(l L) bool {
		left = nil
		for _, obj := range items(l) {
			left = append(left, obj.GetName())
		}
		return len(left) == 0
	}, func() string { return "still there: " + strings.Join(left, ", ") }, opts...)
}

// items are the objects of a list.
func items(list client.ObjectList) []client.Object {
	var out []client.Object
	_ = apimeta.EachListItem(list, func(obj runtime.Object) error {
		out = append(out, obj.(client.Object))
		return nil
	})
	return out
}

// record has every version of the objects that a watch has shown, in the order of events.
type record[O client.Object] struct {
	mu     sync.Mutex
	events []event[O]
	change chan struct{}
}

type event[O client.Object] struct {
	kind apiwatch.EventType
	obj  O
}

// watch records from now on, and what is there now.
func watch[O client.Object](t *testing.T, c client.WithWatch, list client.ObjectList, opts ...client.ListOption) *record[O] {
	t.Helper()
	w, err := c.Watch(context.Background(), list, opts...)
	must(t, err)
	t.Cleanup(w.Stop)
	r := &record[O]{change: make(chan struct{})}
	go func() {
		for e := range w.ResultChan() {
			if obj, ok := e.Object.(O); ok {
				r.add(event[O]{e.Type, obj})
			}
		}
	}()
	return r
}

func (r *record[O]) add(e event[O]) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.events = append(r.events, e)
	close(r.change)
	r.change = make(chan struct{})
}

// seen are the events so far. The channel is closed when there is another.
func (r *record[O]) seen() ([]event[O], <-chan struct{}) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.events), r.change
}

// until waits for an event.
func (r *record[O]) until(t *testing.T, what string, wanted func(event[O]) bool) O {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	for {
		events, change := r.seen()
		if i := slices.IndexFunc(events, wanted); i >= 0 {
			return events[i].obj
		}
		select {
		case <-change:
		case <-ctx.Done():
			t.Fatalf("waited %s until %s", patience, what)
		}
	}
}

// made are the names of all objects that there ever were, each as often as it was made anew.
func (r *record[O]) made(of func(O) bool) []string {
	events, _ := r.seen()
	uids := map[string]bool{}
	var names []string
	for _, e := range events {
		if uid := string(e.obj.GetUID()); !uids[uid] && of(e.obj) {
			uids[uid] = true
			names = append(names, e.obj.GetName())
		}
	}
	slices.Sort(names)
	return names
}

var streamKind = schema.GroupVersionKind{Group: "image.openshift.io", Version: "v1", Kind: "ImageStream"}

func hasStreams(t *testing.T) bool {
	t.Helper()
	_, err := on.Client.RESTMapper().RESTMapping(streamKind.GroupKind(), streamKind.Version)
	if err != nil && !apimeta.IsNoMatchError(err) {
		t.Fatal(err)
	}
	return err == nil
}

// labelled lists what was made for an object.
func labelled(namespace, object string) []client.ListOption {
	return []client.ListOption{client.InNamespace(namespace), client.MatchingLabels{"meteor.zone/customnbimage": object}}
}

func ofObject[O client.Object](name string) func(O) bool {
	return func(obj O) bool { return obj.GetLabels()["meteor.zone/customnbimage"] == name }
}
