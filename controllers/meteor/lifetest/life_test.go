package lifetest

import (
	"slices"
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/meteor-zone/meteor-operator/apis/v1alpha1"
	"github.com/meteor-zone/meteor-operator/controllers/internal/testenv"
)

func withTTL(seconds int64, pipelines ...string) func(*v1alpha1.Meteor) {
	return func(m *v1alpha1.Meteor) {
		m.Spec.TTL = ptr.To(seconds)
		m.Spec.Pipelines = pipelines
	}
}

// expires checks the time in the status, counted from creation.
func expires(after time.Duration) check {
	return func(obj *v1alpha1.Meteor) error {
		got := obj.Status.ExpirationTimestamp
		switch {
		case after == 0 && got == nil && len(obj.Status.Conditions) > 0, got != nil && got.Sub(obj.CreationTimestamp.Time) == after:
			return nil
		}
		return errTime{obj}
	}
}

type errTime struct{ obj *v1alpha1.Meteor }

func (e errTime) Error() string {
	return "created " + e.obj.CreationTimestamp.String() + ", expires " + e.obj.Status.ExpirationTimestamp.String()
}

func TestMeteorIsGoneInTime(t *testing.T) {
	w := newWorld(t, false)
	w.start()
	w.meteor("short", withTTL(4, book))
	obj := w.is("short", "waiting", pipelineIs(book, metav1.ConditionUnknown, v1alpha1.ReasonTektonUnavailable), expires(4*time.Second))
	w.gone("short", &v1alpha1.Meteor{})
	if late := time.Since(obj.Status.ExpirationTimestamp.Time); late < 0 || late > 2*time.Second {
		t.Errorf("gone %s after its time", late)
	}
	testenv.Eventually(t, "both are told", func() error {
		if got := w.events("short", "Warning"); !slices.Contains(got, v1alpha1.ReasonExpiring) {
			return errNotTold
		}
		if got := w.events("short", "Normal"); !slices.Contains(got, v1alpha1.ReasonExpired) {
			return errNotTold
		}
		return nil
	})
}

var errNotTold = errTold("not told")

type errTold string

func (e errTold) Error() string { return string(e) }

func TestTTL(t *testing.T) {
	w := newWorld(t, false)
	w.start()
	w.meteor("kept", nil)
	w.meteor("zero", withTTL(0))
	w.meteor("long", withTTL(100_000))
	w.is("kept", "kept", expires(0))
	w.is("zero", "kept", expires(0))
	w.is("long", "kept for long", expires(100_000*time.Second))

	w.configure(func(c *v1alpha1.CNBiConfig) { c.Spec.Meteor.DefaultTTLSeconds = 5000 })
	w.is("kept", "given the default", expires(5000*time.Second))
	w.is("zero", "still kept", expires(0))

	w.configure(func(c *v1alpha1.CNBiConfig) { c.Spec.Meteor.MaximumTTLSeconds = 6000 })
	w.is("zero", "bounded", expires(6000*time.Second))
	w.is("long", "bounded", expires(6000*time.Second))
	w.is("kept", "as it was", expires(5000*time.Second))

	// Extending counts from creation, and so does shortening.
	w.edit("kept", func(m *v1alpha1.Meteor) { m.Spec.TTL = ptr.To[int64](5500) })
	w.is("kept", "extended", expires(5500*time.Second))
	w.edit("kept", func(m *v1alpha1.Meteor) { m.Spec.TTL = ptr.To[int64](1) })
	w.gone("kept", &v1alpha1.Meteor{})
}

// A clock that jumps back deletes nothing early; one that goes on right deletes in time.
func TestClockJumps(t *testing.T) {
	w := newWorld(t, false)
	w.start()
	w.meteor("m", withTTL(3, book))
	w.is("m", "waiting", expires(3*time.Second))
	w.clock.Advance(-time.Hour)
	testenv.Steady(t, "it is there", 5*time.Second, func() error {
		return env.Client.Get(t.Context(), w.key("m"), &v1alpha1.Meteor{})
	})
	w.clock.Advance(2 * time.Hour)
	w.edit("m", func(m *v1alpha1.Meteor) { m.Spec.TTL = ptr.To[int64](4) })
	w.gone("m", &v1alpha1.Meteor{})
}

func TestExpiryWhileTheOperatorIsDown(t *testing.T) {
	w := newWorld(t, false)
	w.meteor("m", withTTL(1, book))
	time.Sleep(1500 * time.Millisecond)
	begin := time.Now()
	w.start()
	w.gone("m", &v1alpha1.Meteor{})
	if took := time.Since(begin); took > 10*time.Second {
		t.Errorf("gone %s after the operator's return", took)
	}
}

// The warning is told once, also by an operator that starts in between, and taken back when somebody raises ttl.
func TestWarning(t *testing.T) {
	w := newWorld(t, false)
	w.start()
	w.meteor("m", withTTL(1000, book))
	w.is("m", "there", expires(1000*time.Second))
	expiring := func(want bool) check {
		return func(obj *v1alpha1.Meteor) error {
			for _, c := range obj.Status.Conditions {
				if c.Type == v1alpha1.ConditionExpiring {
					want = !want
				}
			}
			if want {
				return errTold("expiring is not as it should be")
			}
			return nil
		}
	}
	w.is("m", "not expiring", expiring(false))
	w.clock.Advance(950 * time.Second)
	w.edit("m", func(m *v1alpha1.Meteor) { metav1.SetMetaDataAnnotation(&m.ObjectMeta, "example.com/touched", "1") })
	w.is("m", "expiring", func(obj *v1alpha1.Meteor) error { return expiring(true)(obj) })
	w.stop()
	w.start()
	w.settle()
	warnings := 0
	for _, reason := range w.events("m", "Warning") {
		if reason == v1alpha1.ReasonExpiring {
			warnings++
		}
	}
	if warnings != 1 {
		t.Errorf("%d warnings", warnings)
	}
	w.edit("m", func(m *v1alpha1.Meteor) { m.Spec.TTL = ptr.To[int64](5000) })
	w.is("m", "not expiring", func(obj *v1alpha1.Meteor) error { return expiring(false)(obj) })
}

// A Meteor can be deleted, or end, whatever it is doing: its owner references take everything away.
func TestEndWhileBuilding(t *testing.T) {
	w := newWorld(t, true)
	w.start()
	name := strings.Repeat("m", 63)
	w.meteor(name, withTTL(100_000))
	run := w.run(book)
	obj := w.is(name, "building", pipelineIs(book, metav1.ConditionUnknown, v1alpha1.ReasonBuilding))
	image := &v1alpha1.CustomNBImage{}
	w.get(name, image)
	for _, made := range []client.Object{run, image} {
		if owner := metav1.GetControllerOf(made); owner == nil || owner.UID != obj.UID || owner.BlockOwnerDeletion != nil {
			t.Errorf("%s is owned by %v", made.GetName(), owner)
		}
		if len(made.GetFinalizers()) > 0 {
			t.Errorf("%s has finalizers", made.GetName())
		}
	}
	if len(obj.Finalizers) > 0 {
		t.Error("the Meteor has finalizers")
	}
	w.clock.Advance(200_000 * time.Second)
	w.edit(name, func(m *v1alpha1.Meteor) { m.Spec.TTL = ptr.To[int64](100_001) })
	w.gone(name, &v1alpha1.Meteor{})
}

// A new object of an old name is another.
func TestSameNameAgain(t *testing.T) {
	w := newWorld(t, true)
	w.start()
	w.meteor("m", func(m *v1alpha1.Meteor) { m.Spec.Pipelines = []string{book} })
	first := w.run(book)
	obj := w.is("m", "building", pipelineIs(book, metav1.ConditionUnknown, v1alpha1.ReasonBuilding))
	if err := env.Client.Delete(t.Context(), obj); err != nil {
		t.Fatal(err)
	}
	w.gone("m", &v1alpha1.Meteor{})
	if err := env.Client.Delete(t.Context(), first); err != nil {
		t.Fatal(err)
	}
	w.meteor("m", func(m *v1alpha1.Meteor) { m.Spec.Pipelines = []string{book} })
	if second := w.run(book); second.Name == first.Name {
		t.Error("its run has the old one's name")
	}
}
