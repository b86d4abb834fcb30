package apply_test

import (
	"context"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

	"github.com/meteor-zone/meteor-operator/apis/v1alpha1"
	"github.com/meteor-zone/meteor-operator/controllers/internal/apply"
	"github.com/meteor-zone/meteor-operator/controllers/internal/fixture"
	"github.com/meteor-zone/meteor-operator/controllers/internal/outcome"
	"github.com/meteor-zone/meteor-operator/controllers/internal/testenv"
)

var env *testenv.Env

func TestMain(m *testing.M) { testenv.Main(m, &env) }

// statuses returns what writes statuses, and the number of requests that it made.
func statuses(t *testing.T) (*apply.Statuses, *int) {
	t.Helper()
	requests := 0
	c, err := client.NewWithWatch(env.Config, client.Options{Scheme: env.Client.Scheme()})
	if err != nil {
		t.Fatal(err)
	}
	counting := interceptor.NewClient(c, interceptor.Funcs{
		SubResourceApply: func(ctx context.Context, c client.Client, sub string, obj runtime.ApplyConfiguration, opts ...client.SubResourceApplyOption) error {
			requests++
			return c.SubResource(sub).Apply(ctx, obj, opts...)
		},
	})
	return apply.NewStatuses(counting, "tester"), &requests
}

func newObject(t *testing.T) *v1alpha1.CustomNBImage {
	t.Helper()
	obj := fixture.Import(env.Namespace(t), "image", "registry.example.com/a/b:1").Obj()
	if err := env.Client.Create(t.Context(), obj); err != nil {
		t.Fatal(err)
	}
	return obj
}

func read(t *testing.T, obj *v1alpha1.CustomNBImage) *v1alpha1.CustomNBImage {
	t.Helper()
	now := &v1alpha1.CustomNBImage{}
	if err := env.Client.Get(t.Context(), client.ObjectKeyFromObject(obj), now); err != nil {
		t.Fatal(err)
	}
	return now
}

func with(obj *v1alpha1.CustomNBImage, phase v1alpha1.CustomNBImagePhase) *v1alpha1.CustomNBImage {
	obj = obj.DeepCopy()
	obj.Status.Phase = phase
	obj.Status.Conditions = []metav1.Condition{{
		Type: "Ready", Status: metav1.ConditionFalse, Reason: "R", Message: "M",
		LastTransitionTime: metav1.NewTime(time.Unix(1_700_000_000, 0)),
	}}
	return obj
}

func waits(err error) bool {
	w, ok := outcome.AsWait(err)
	return ok && w.Reason == apply.ReasonStale && w.After > 0
}

func TestStatusIsWrittenOnce(t *testing.T) {
	s, requests := statuses(t)
	old := newObject(t)
	if err := s.Apply(t.Context(), old, with(old, v1alpha1.PhaseBuilding)); err != nil {
		t.Fatal(err)
	}
	now := read(t, old)
	if now.Status.Phase != v1alpha1.PhaseBuilding || len(now.Status.Conditions) != 1 {
		t.Fatalf("status: %+v", now.Status)
	}
	if !s.Stale(old) || s.Stale(now) {
		t.Error("the copy from before the write is stale, the one from after it is not")
	}
	if err := s.Apply(t.Context(), now, now.DeepCopy()); err != nil {
		t.Error(err)
	}
	if *requests != 1 {
		t.Errorf("an unchanged status needs no request: %d", *requests)
	}
}

func TestStaleCacheWritesNothing(t *testing.T) {
	s, requests := statuses(t)
	old := newObject(t)
	if err := s.Apply(t.Context(), old, with(old, v1alpha1.PhaseBuilding)); err != nil {
		t.Fatal(err)
	}
	if err := s.Apply(t.Context(), old, with(old, v1alpha1.PhaseFailed)); !waits(err) {
		t.Errorf("a copy from before our own write is waited out: %v", err)
	}
	if *requests != 1 {
		t.Errorf("and costs no request: %d", *requests)
	}
	s.Forget(client.ObjectKeyFromObject(old))
	if s.Stale(old) {
		t.Error("what is forgotten is not stale")
	}
}

func TestChangedMeanwhileIsSilent(t *testing.T) {
	s, _ := statuses(t)
	old := newObject(t)
	changed := read(t, old)
	changed.Annotations = map[string]string{"a": "b"}
	if err := env.Client.Update(t.Context(), changed); err != nil {
		t.Fatal(err)
	}
	if err := s.Apply(t.Context(), old, with(old, v1alpha1.PhaseFailed)); !waits(err) {
		t.Errorf("a conflict is a wait: %v", err)
	}
	if got := read(t, old).Status.Phase; got == v1alpha1.PhaseFailed {
		t.Errorf("what was computed from an old copy was written: %s", got)
	}
}

func TestGoneNeedsNoStatus(t *testing.T) {
	s, _ := statuses(t)
	old := newObject(t)
	if err := env.Client.Delete(t.Context(), old); err != nil {
		t.Fatal(err)
	}
	if err := s.Apply(t.Context(), old, with(old, v1alpha1.PhaseFailed)); err != nil {
		t.Errorf("an object that is gone is no error: %v", err)
	}
}

func TestReplacedKeepsItsOwnStatus(t *testing.T) {
	s, _ := statuses(t)
	old := newObject(t)
	if err := env.Client.Delete(t.Context(), old); err != nil {
		t.Fatal(err)
	}
	if err := env.Client.Create(t.Context(), fixture.Import(old.Namespace, old.Name, "registry.example.com/a/b:2").Obj()); err != nil {
		t.Fatal(err)
	}
	if err := s.Apply(t.Context(), old, with(old, v1alpha1.PhaseFailed)); !waits(err) {
		t.Errorf("want a wait, got %v", err)
	}
	if got := read(t, old).Status.Phase; got == v1alpha1.PhaseFailed {
		t.Errorf("the new object got the old one's status: %s", got)
	}
}
