package upgradeable

import (
	"context"
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/operator-framework/operator-lib/conditions"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	apimeta "k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/meteor-zone/meteor-operator/apis/v1alpha1"
)

// recorder stands in for OLM's condition.
type recorder struct {
	err error
	set []metav1.Condition
}

func (r *recorder) Get(context.Context) (*metav1.Condition, error) { return nil, r.err }

func (r *recorder) Set(_ context.Context, status metav1.ConditionStatus, options ...conditions.Option) error {
	if r.err != nil {
		return r.err
	}
	c := metav1.Condition{Status: status}
	for _, option := range options {
		option(&c)
	}
	r.set = append(r.set, metav1.Condition{Status: c.Status, Reason: c.Reason})
	return nil
}

func config(state v1alpha1.ManagementState, tekton metav1.ConditionStatus, pending, failed int32) *v1alpha1.CNBiConfig {
	c := &v1alpha1.CNBiConfig{ObjectMeta: metav1.ObjectMeta{Name: v1alpha1.CNBiConfigName}}
	c.Spec.ManagementState = state
	c.Status.Namespaces.Pending, c.Status.Namespaces.Failed = pending, failed
	apimeta.SetStatusCondition(&c.Status.Conditions, metav1.Condition{Type: v1alpha1.ConditionTektonAvailable, Status: tekton})
	return c
}

func TestStateOf(t *testing.T) {
	cases := map[string]struct {
		reason string
		config *v1alpha1.CNBiConfig
		want   string
	}{
		"Settled":    {"nothing is pending", config(v1alpha1.StateManaged, metav1.ConditionTrue, 0, 0), ReasonSettled},
		"Installing": {"namespaces wait for this version's pipelines", config(v1alpha1.StateManaged, metav1.ConditionTrue, 3, 0), ReasonInstallingPipelines},
		"Failing":    {"the next version may mend what fails", config(v1alpha1.StateManaged, metav1.ConditionTrue, 0, 4), ReasonSettled},
		"NoTekton":   {"without Tekton namespaces wait for ever", config(v1alpha1.StateManaged, metav1.ConditionFalse, 3, 0), ReasonSettled},
		"Unmanaged":  {"nothing is installed", config(v1alpha1.StateUnmanaged, metav1.ConditionTrue, 3, 0), ReasonSettled},
		"Deleted":    {"there are no settings", &v1alpha1.CNBiConfig{}, ReasonSettled},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			if got := stateOf(tc.config); got.reason != tc.want || (got.status == metav1.ConditionTrue) != (tc.want == ReasonSettled) {
				t.Errorf("%s: got %+v, want reason %s", tc.reason, got, tc.want)
			}
		})
	}
}

func TestReconcile(t *testing.T) {
	scheme := runtime.NewScheme()
	if err := v1alpha1.AddToScheme(scheme); err != nil {
		t.Fatal(err)
	}
	req := reconcile.Request{NamespacedName: types.NamespacedName{Name: v1alpha1.CNBiConfigName}}
	installing := config(v1alpha1.StateManaged, metav1.ConditionTrue, 1, 0)
	configs := fake.NewClientBuilder().WithScheme(scheme).WithObjects(installing).Build()
	olm := &recorder{}
	r := &reconciler{configs: configs, condition: olm}
	for range 2 {
		if _, err := r.Reconcile(t.Context(), req); err != nil {
			t.Fatal(err)
		}
	}
	r.configs = fake.NewClientBuilder().WithScheme(scheme).Build()
	if _, err := r.Reconcile(t.Context(), req); err != nil {
		t.Fatal(err)
	}
	want := []metav1.Condition{
		{Status: metav1.ConditionFalse, Reason: ReasonInstallingPipelines},
		{Status: metav1.ConditionTrue, Reason: ReasonSettled},
	}
	if diff := cmp.Diff(want, olm.set); diff != "" {
		t.Errorf("each change is to be told once (-want +got):\n%s", diff)
	}
}

func TestAbsentCondition(t *testing.T) {
	resource := schema.GroupResource{Group: "operators.coreos.com", Resource: "operatorconditions"}
	other := errors.New("the apiserver is away")
	cases := map[string]struct {
		err, want error
	}{
		"NoObject": {err: apierrors.NewNotFound(resource, "meteor-operator.v1"), want: nil},
		"NoKind":   {err: &apimeta.NoKindMatchError{}, want: nil},
		"Other":    {err: other, want: other},
	}
	scheme := runtime.NewScheme()
	if err := v1alpha1.AddToScheme(scheme); err != nil {
		t.Fatal(err)
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			r := &reconciler{configs: fake.NewClientBuilder().WithScheme(scheme).Build(), condition: &recorder{err: tc.err}}
			if _, err := r.Reconcile(t.Context(), reconcile.Request{}); !errors.Is(err, tc.want) {
				t.Errorf("got %v, want %v", err, tc.want)
			}
		})
	}
}
