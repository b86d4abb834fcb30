package testenv

import (
	"context"
	"sync/atomic"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/meteor-zone/meteor-operator/apis/v1alpha1"
	"github.com/meteor-zone/meteor-operator/controllers/internal/fixture"
)

// Clear takes away all objects of the lists' kinds, which could keep a manager of another test busy. Nothing here collects
// what has lost its owner. A kind may be absent.
func (e *Env) Clear(t *testing.T, lists ...client.ObjectList) {
	t.Helper()
	// A test's context has ended when its clean-ups run.
	ctx := context.Background()
	for _, list := range lists {
		if e.Client.List(ctx, list) != nil {
			continue
		}
		err := meta.EachListItem(list, func(item runtime.Object) error {
			obj, _ := item.(client.Object)
			return client.IgnoreNotFound(e.Client.Delete(ctx, obj))
		})
		if err != nil {
			t.Errorf("cannot remove objects of %T: %v", list, err)
		}
	}
}

// Configure creates or changes the CNBiConfig.
func (e *Env) Configure(t *testing.T, fn func(*v1alpha1.CNBiConfig)) {
	t.Helper()
	Eventually(t, "the CNBiConfig is changed", func() error {
		c := &v1alpha1.CNBiConfig{}
		err := e.Client.Get(t.Context(), client.ObjectKey{Name: v1alpha1.CNBiConfigName}, c)
		if client.IgnoreNotFound(err) != nil {
			return err
		}
		if err != nil {
			return e.Client.Create(t.Context(), fixture.Config().Edit(fn).Obj())
		}
		fn(c)
		return e.Client.Update(t.Context(), c)
	})
}

// Edit changes an object that there is, as its user does.
func Edit[T client.Object](t *testing.T, e *Env, obj T, fn func(T)) {
	t.Helper()
	Eventually(t, obj.GetName()+" is edited", func() error {
		if err := e.Client.Get(t.Context(), client.ObjectKeyFromObject(obj), obj); err != nil {
			return err
		}
		fn(obj)
		return e.Client.Update(t.Context(), obj)
	})
}

// Clock is the real time, moved.
type Clock struct{ offset atomic.Int64 }

// Now implements clock.PassiveClock.
func (c *Clock) Now() time.Time { return time.Now().Add(time.Duration(c.offset.Load())) }

// Since implements clock.PassiveClock.
func (c *Clock) Since(t time.Time) time.Duration { return c.Now().Sub(t) }

// Advance moves the time on.
func (c *Clock) Advance(d time.Duration) { c.offset.Add(int64(d)) }
