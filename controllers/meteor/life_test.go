package meteor

import (
	"context"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/tools/events"
	testclock "k8s.io/utils/clock/testing"
	"k8s.io/utils/ptr"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/meteor-zone/meteor-operator/apis/v1alpha1"
	"github.com/meteor-zone/meteor-operator/controllers/internal/kube"
)

func TestLifeOf(t *testing.T) {
	const none = -1
	cases := map[string]struct {
		reason string
		ttl    int64
		config v1alpha1.MeteorDefaults
		after  time.Duration
		want   life
	}{
		"None":      {"a Meteor without a ttl is kept where the admin says nothing", none, v1alpha1.MeteorDefaults{}, time.Hour, life{}},
		"Zero":      {"zero is never, whatever the default", 0, v1alpha1.MeteorDefaults{DefaultTTLSeconds: 60}, time.Hour, life{}},
		"Default":   {"the default is for those that say nothing", none, v1alpha1.MeteorDefaults{DefaultTTLSeconds: 6000}, 0, life{expires: born.Add(6000 * time.Second), untilWarning: 5700 * time.Second}},
		"Maximum":   {"nothing lives longer than the maximum", 7000, v1alpha1.MeteorDefaults{MaximumTTLSeconds: 6000}, 0, life{expires: born.Add(6000 * time.Second), untilWarning: 5700 * time.Second}},
		"NoNever":   {"nor does what would be kept", 0, v1alpha1.MeteorDefaults{MaximumTTLSeconds: 6000}, 0, life{expires: born.Add(6000 * time.Second), untilWarning: 5700 * time.Second}},
		"Near":      {"the end is near a tenth before it", 1000, v1alpha1.MeteorDefaults{}, 900 * time.Second, life{expires: born.Add(1000 * time.Second), expiring: true}},
		"NotNear":   {"and not before", 1000, v1alpha1.MeteorDefaults{}, 899 * time.Second, life{expires: born.Add(1000 * time.Second), untilWarning: time.Second}},
		"Short":     {"a short life has a warning in its second half", 10, v1alpha1.MeteorDefaults{}, 0, life{expires: born.Add(10 * time.Second), untilWarning: 5 * time.Second}},
		"Over":      {"the end can have passed", 10, v1alpha1.MeteorDefaults{}, time.Hour, life{expires: born.Add(10 * time.Second), expiring: true}},
		"ClockBack": {"before its own creation nothing is near", 1000, v1alpha1.MeteorDefaults{}, -time.Hour, life{expires: born.Add(1000 * time.Second), untilWarning: 4500 * time.Second}},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			got := lifeOf(newMeteor("m", c.ttl), &c.config, born.Add(c.after))
			if diff := cmp.Diff(c.want, got, cmp.AllowUnexported(life{})); diff != "" {
				t.Errorf("%s (-want +got):\n%s", c.reason, diff)
			}
		})
	}
}

// The end is slept for, and so is its warning, which is told to the other controller whatever that one waits for.
func TestReaperSleeps(t *testing.T) {
	cases := map[string]struct {
		reason string
		ttl    int64
		after  time.Duration
		told   bool
		want   time.Duration
		warns  bool
	}{
		"Kept":     {"what is kept is forgotten", 0, time.Hour, false, 0, false},
		"Young":    {"the warning is what comes first", 1000, 0, false, 900 * time.Second, false},
		"Near":     {"it is told, and told again if nobody tells the user", 1000, 900 * time.Second, false, warnAgain, true},
		"Told":     {"once the user knows, only the end is left", 1000, 900 * time.Second, true, 100 * time.Second, false},
		"Late":     {"the end waits for no warning", 1000, 998 * time.Second, false, 2 * time.Second, true},
		"SetBack":  {"a clock that was set back finds everything ahead", 1000, -time.Hour, false, 4500 * time.Second, false},
		"NotEarly": {"nothing goes a moment early", 1000, 1000*time.Second - time.Millisecond, true, time.Millisecond, false},
	}
	scheme, err := kube.NewScheme()
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			obj := newMeteor("m", c.ttl)
			if c.told {
				meta.SetStatusCondition(&obj.Status.Conditions, metav1.Condition{Type: v1alpha1.ConditionExpiring, Status: metav1.ConditionTrue, Reason: v1alpha1.ReasonExpiring})
			}
			near := make(chan event.GenericEvent, 1)
			r := &reaper{client: fake.NewClientBuilder().WithScheme(scheme).WithObjects(obj).Build(), clock: testclock.NewFakePassiveClock(born.Add(c.after)), near: near}
			got, err := r.Reconcile(t.Context(), ctrl.Request{NamespacedName: client.ObjectKeyFromObject(obj)})
			if err != nil || got.RequeueAfter != c.want || len(near) > 0 != c.warns {
				t.Errorf("%s: sleeps %s, warns %v, %v", c.reason, got.RequeueAfter, len(near) > 0, err)
			}
			if err := r.client.Get(t.Context(), client.ObjectKeyFromObject(obj), &v1alpha1.Meteor{}); err != nil {
				t.Errorf("%s: %v", c.reason, err)
			}
		})
	}
}

// However long the API server was away, an end does not wait long after its return.
func TestReaperBackoff(t *testing.T) {
	backoff, longest := reaperBackoff(), time.Duration(0)
	for range 100 {
		longest = max(longest, backoff.When(reconcile.Request{}))
	}
	if longest > 5*time.Second {
		t.Errorf("an end waits for %s", longest)
	}
}

// Who raises ttl at the last moment, unseen by the cache, keeps the object.
func TestReaperDeletesWhatItHasSeen(t *testing.T) {
	scheme, err := kube.NewScheme()
	if err != nil {
		t.Fatal(err)
	}
	for name, raised := range map[string]bool{"Over": false, "Raised": true} {
		t.Run(name, func(t *testing.T) {
			obj := newMeteor("m", 10)
			c := fake.NewClientBuilder().WithScheme(scheme).WithObjects(obj).WithInterceptorFuncs(interceptor.Funcs{
				Get: func(ctx context.Context, c client.WithWatch, key client.ObjectKey, into client.Object, opts ...client.GetOption) error {
					if err := c.Get(ctx, key, into, opts...); err != nil || !raised {
						return err
					}
					newer, ok := into.DeepCopyObject().(*v1alpha1.Meteor)
					if !ok {
						return nil
					}
					newer.Spec.TTL = ptr.To[int64](100)
					return c.Update(ctx, newer)
				},
			}).Build()
			metrics, err := NewMetrics(prometheus.NewRegistry(), nil)
			if err != nil {
				t.Fatal(err)
			}
			recorder := events.NewFakeRecorder(1)
			r := &reaper{client: c, clock: testclock.NewFakePassiveClock(born.Add(10 * time.Second)), metrics: metrics, events: recorder}
			got, err := r.Reconcile(t.Context(), ctrl.Request{NamespacedName: client.ObjectKeyFromObject(obj)})
			raised = false // nobody edits it any more
			gone := apierrors.IsNotFound(c.Get(t.Context(), client.ObjectKeyFromObject(obj), &v1alpha1.Meteor{}))
			stays := name == "Raised"
			if err != nil || gone == stays || (got.RequeueAfter > 0) != stays || (len(recorder.Events) > 0) == stays {
				t.Errorf("gone %v, looked at again in %s, %d events, %v", gone, got.RequeueAfter, len(recorder.Events), err)
			}
		})
	}
}
