package cnbiconfig

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/api/meta"
	testclock "k8s.io/utils/clock/testing"

	"github.com/meteor-zone/meteor-operator/apis/v1alpha1"
	"github.com/meteor-zone/meteor-operator/controllers/internal/conditionstest"
	"github.com/meteor-zone/meteor-operator/controllers/internal/fixture"
	"github.com/meteor-zone/meteor-operator/controllers/internal/outcome"
)

const (
	available = v1alpha1.OfferAvailable
	missing   = v1alpha1.OfferAbsent
)

// configured is the CNBiConfig at its second generation, of which the status speaks.
func configured(edit func(*v1alpha1.CNBiConfig)) *v1alpha1.CNBiConfig {
	return fixture.Config().Edit(func(c *v1alpha1.CNBiConfig) {
		c.UID, c.Generation, c.Status.ObservedGeneration = "u", 2, 1
		if edit != nil {
			edit(c)
		}
	}).Obj()
}

func now(s state, message string) entry {
	return entry{state: s, message: message, uid: "u", generation: 2}
}

func TestStatus(t *testing.T) {
	type want struct {
		ready, reason, message string
		namespaces             v1alpha1.NamespacesStatus
		observed               int64
	}
	offers := v1alpha1.ClusterOffers{Tekton: available, ImageStreams: missing, Routes: missing}
	cases := map[string]struct {
		reason string
		scope  scope
		want   want
	}{
		"Idle": {
			reason: "no namespace is well too",
			scope:  scope{obj: configured(nil), offers: offers},
			want:   want{ready: "True", reason: v1alpha1.ReasonSucceeded, message: "No namespace needs the pipelines yet", observed: 2},
		},
		"One": {
			reason: "the first namespace",
			scope:  scope{obj: configured(nil), offers: offers, namespaces: []string{"a"}, ledger: map[string]entry{"a": now(stateReady, "")}},
			want: want{
				ready: "True", reason: v1alpha1.ReasonSucceeded, message: "The one namespace that needs the pipelines has them",
				namespaces: v1alpha1.NamespacesStatus{Ready: 1}, observed: 2,
			},
		},
		"Failing": {
			reason: "the failing one is named, with its cause",
			scope: scope{
				obj: configured(nil), offers: offers, namespaces: []string{"a", "b", "c"},
				ledger: map[string]entry{"a": now(stateReady, ""), "b": now(stateFailed, "Quota"), "c": now(statePending, "x"), "gone": now(stateFailed, "y")},
			},
			want: want{
				ready: "False", reason: v1alpha1.ReasonNamespacesFailing, message: `1 of 3 namespaces cannot be given the pipelines; "b": Quota`,
				namespaces: v1alpha1.NamespacesStatus{Ready: 1, Pending: 1, Failed: 1, Failing: []v1alpha1.FailingNamespace{{Name: "b", Message: "Quota"}}},
				observed:   2,
			},
		},
		"OldGeneration": {
			reason: "what was found before an edit is not counted as ready, and the edit is not acted on",
			scope: scope{
				obj: configured(nil), offers: offers, namespaces: []string{"a"},
				ledger: map[string]entry{"a": {state: stateReady, uid: "u", generation: 1}},
			},
			want: want{
				ready: "False", reason: v1alpha1.ReasonInstalling, message: "The pipelines are yet to reach 1 of 1 namespace",
				namespaces: v1alpha1.NamespacesStatus{Pending: 1}, observed: 1,
			},
		},
		"NoTekton": {
			reason: "the admin is told what to install",
			scope: scope{
				obj: configured(nil), offers: v1alpha1.ClusterOffers{Tekton: missing, ImageStreams: missing, Routes: missing},
				namespaces: []string{"a"}, ledger: map[string]entry{"a": now(statePending, "Waiting for Tekton Pipelines")},
			},
			want: want{
				ready: "False", reason: v1alpha1.ReasonTektonUnavailable, message: messageNoTekton,
				namespaces: v1alpha1.NamespacesStatus{Pending: 1}, observed: 2,
			},
		},
		"ImageStreamsWanted": {
			reason: "Always needs them",
			scope: scope{offers: offers, obj: configured(func(c *v1alpha1.CNBiConfig) {
				c.Spec.Publish.ImageStreams = v1alpha1.ImageStreamsAlways
			})},
			want: want{
				ready: "False", reason: v1alpha1.ReasonImageStreamsUnavailable, observed: 2,
				message: "The cluster has no ImageStreams, and spec.publish.imageStreams is Always: set it to Auto, or wait for them",
			},
		},
		"Removing": {
			reason: "builds that run are let finish, and the message says so",
			scope: scope{
				offers: offers, namespaces: []string{"a", "b"},
				obj:    configured(func(c *v1alpha1.CNBiConfig) { c.Spec.ManagementState = v1alpha1.StateRemoved }),
				ledger: map[string]entry{"a": now(stateNone, ""), "b": now(statePending, "Builds run")},
			},
			want: want{
				ready: "False", reason: v1alpha1.ReasonRemoving, message: `The pipelines are yet to be taken away from 1 namespace; "b": Builds run`,
				namespaces: v1alpha1.NamespacesStatus{Pending: 1}, observed: 2,
			},
		},
		"Removed": {
			reason: "nothing is left",
			scope: scope{
				offers: offers, namespaces: []string{"a"}, ledger: map[string]entry{"a": now(stateNone, "")},
				obj: configured(func(c *v1alpha1.CNBiConfig) { c.Spec.ManagementState = v1alpha1.StateRemoved }),
			},
			want: want{ready: "True", reason: v1alpha1.ReasonSucceeded, message: messageRemoved, observed: 2},
		},
		"NotLookedAt": {
			reason: "what nobody has looked at may be as it should not",
			scope:  scope{offers: offers, namespaces: []string{"a"}, obj: configured(nil)},
			want:   want{ready: "False", reason: v1alpha1.ReasonInstalling, message: "Looking at 1 namespace", observed: 1},
		},
		"OtherBundle": {
			reason: "what another Secret, or another API, makes of the same spec is not there yet",
			scope: scope{
				obj: configured(func(c *v1alpha1.CNBiConfig) { c.Status.ObservedGeneration = 2 }), offers: offers, bundle: "new", namespaces: []string{"a", "b"},
				ledger: map[string]entry{
					"a": {state: stateReady, uid: "u", generation: 2, bundle: "new"}, "b": {state: stateReady, uid: "u", generation: 2, bundle: "old"},
				},
			},
			want: want{
				ready: "False", reason: v1alpha1.ReasonInstalling, message: "The pipelines are yet to reach 1 of 2 namespaces",
				namespaces: v1alpha1.NamespacesStatus{Ready: 1, Pending: 1}, observed: 2,
			},
		},
		"Overlooked": {
			reason: "a namespace that has come to need pipelines, and waits in the queue, has none",
			scope: scope{
				obj: configured(nil), offers: offers, namespaces: []string{"a"}, overlooked: map[string]bool{"a": true},
				ledger: map[string]entry{"a": now(stateNone, "")},
			},
			want: want{
				ready: "False", reason: v1alpha1.ReasonInstalling, message: "The pipelines are yet to reach 1 of 1 namespace",
				namespaces: v1alpha1.NamespacesStatus{Pending: 1}, observed: 1,
			},
		},
		"BadSelector": {
			reason: "the admin must act, and the edit was looked at",
			scope: scope{
				obj: configured(func(c *v1alpha1.CNBiConfig) { c.Status.Namespaces.Ready = 7 }), offers: offers,
				err: outcome.Stall(v1alpha1.ReasonInvalidSpec, errors.New("no selector")),
			},
			want: want{
				ready: "False", reason: v1alpha1.ReasonInvalidSpec, message: "No selector",
				namespaces: v1alpha1.NamespacesStatus{Ready: 7}, observed: 2,
			},
		},
		"RemovingFails": {
			reason: "the message is about what was asked for",
			scope: scope{
				offers: v1alpha1.ClusterOffers{Tekton: missing, ImageStreams: missing, Routes: missing}, namespaces: []string{"a"},
				obj:    configured(func(c *v1alpha1.CNBiConfig) { c.Spec.ManagementState = v1alpha1.StateRemoved }),
				ledger: map[string]entry{"a": now(stateFailed, "Not allowed")},
			},
			want: want{
				ready: "False", reason: v1alpha1.ReasonNamespacesFailing, message: `The pipelines cannot be taken away from 1 namespace; "a": Not allowed`,
				namespaces: v1alpha1.NamespacesStatus{Failed: 1, Failing: []v1alpha1.FailingNamespace{{Name: "a", Message: "Not allowed"}}}, observed: 2,
			},
		},
		"SourceMissing": {
			reason: "what is to be copied must be there",
			scope: scope{
				offers: offers, obj: configured(nil), wrong: errors.New("Secret is not there"),
				namespaces: []string{"a"}, ledger: map[string]entry{"a": now(stateReady, "")},
			},
			want: want{
				ready: "False", reason: v1alpha1.ReasonSourceMissing, message: "Secret is not there",
				namespaces: v1alpha1.NamespacesStatus{Ready: 1}, observed: 2,
			},
		},
		"Unmanaged": {
			reason: "hands off is what was asked for",
			scope:  scope{offers: offers, obj: configured(func(c *v1alpha1.CNBiConfig) { c.Spec.ManagementState = v1alpha1.StateUnmanaged })},
			want: want{
				ready: "True", reason: v1alpha1.ReasonSucceeded, observed: 2,
				message: "The pipelines are left as they are, as spec.managementState asks",
			},
		},
		"Error": {
			reason: "what is unexpected is retried, and shown; what was known stays",
			scope:  scope{obj: configured(func(c *v1alpha1.CNBiConfig) { c.Status.Namespaces.Ready = 7 }), offers: offers, err: errors.New("cannot list namespaces: no")},
			want:   want{ready: "False", reason: v1alpha1.ReasonProgressingWithRetry, message: "Cannot list namespaces: no", observed: 1, namespaces: v1alpha1.NamespacesStatus{Ready: 7}},
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			r := &Reconciler{clock: testclock.NewFakePassiveClock(time.Unix(1_700_000_000, 0))}
			r.setStatus(&tc.scope)
			obj := tc.scope.obj
			conditionstest.Check(t, obj)
			c := meta.FindStatusCondition(obj.Status.Conditions, v1alpha1.ConditionReady)
			got := want{
				ready: string(c.Status), reason: c.Reason, message: c.Message,
				namespaces: obj.Status.Namespaces, observed: obj.Status.ObservedGeneration,
			}
			if diff := cmp.Diff(tc.want, got, cmp.AllowUnexported(want{})); diff != "" {
				t.Errorf("\n%s\n-want, +got:\n%s", tc.reason, diff)
			}
		})
	}
}

func TestFailingListIsBounded(t *testing.T) {
	s := &scope{obj: configured(nil), ledger: map[string]entry{}}
	for i := range 25 {
		name := fmt.Sprintf("n%02d", i)
		s.namespaces = append(s.namespaces, name)
		s.ledger[name] = now(stateFailed, "No")
	}
	got := s.count()
	if got.Failed != 25 || len(got.Failing) != maxFailing || got.Failing[0].Name != "n00" {
		t.Errorf("got %d failed, %d named", got.Failed, len(got.Failing))
	}
}

func TestStatusIsHeldAMoment(t *testing.T) {
	clk := testclock.NewFakePassiveClock(time.Unix(1_700_000_000, 0))
	r := &Reconciler{clock: clk}
	s := &scope{obj: configured(nil), namespaces: []string{"a"}, ledger: map[string]entry{}}
	held := func(reason string, want time.Duration) {
		t.Helper()
		if got := r.holding(s); got != want {
			t.Errorf("%s: held for %s, not %s", reason, got, want)
		}
	}
	held("a namespace that nobody has looked at is waited for", holdFor)
	clk.SetTime(clk.Now().Add(holdFor))
	held("but not for ever", 0)
	s.obj.Generation++
	held("an edit starts anew", holdFor)
	s.ledger["a"] = entry{state: stateReady, uid: "u", generation: 3}
	held("once all were looked at nothing is waited for", 0)

	s.obj.Status.ObservedGeneration = 3
	s.namespaces = append(s.namespaces, "b")
	held("who reads the status takes it for true while a namespace comes", holdBriefly)
	s.revision = "newer"
	held("what is known to be wrong is not held at all", 0)
	s.revision, r.settled, r.held = "", false, hold{}
	held("a manager that has just started knows nothing yet", holdFor)
}
