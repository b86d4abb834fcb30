//go:build e2e

package olm

import (
	"context"
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	apimeta "k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/meteor-zone/meteor-operator/apis/v1alpha1"
)

// TestWithoutTekton installs where there is no Tekton: OLM is content, the manager stays up, all who look are told, and
// what was asked for is made when Tekton comes.
func TestWithoutTekton(t *testing.T) {
	must(t, on.LocalCommand(t.Context(), "remove", "tekton"))
	t.Cleanup(func() {
		if err := on.LocalCommand(context.Background(), "up"); err != nil {
			t.Errorf("Tekton is not brought back: %v", err)
		}
	})
	into, users := namespace(t, restricted), namespace(t, restricted)
	i := install(t, catalogueBefore, into)
	i.succeeds(before)
	configure(t)
	tekton(t, metav1.ConditionFalse)
	image(t, users, "early", "jupyter")
	waits(t, users, "early")
	manager := i.managers(t)
	must(t, on.LocalCommand(t.Context(), "up"))
	tekton(t, metav1.ConditionTrue)
	ready(t, users, "early")
	i.succeeds(before)
	if diff := cmp.Diff(manager, i.managers(t)); diff != "" {
		t.Errorf("Tekton's coming has disturbed the manager (-before +after):\n%s", diff)
	}
	i.uninstall()
}

// tekton waits until the CNBiConfig says whether there is Tekton, and why that matters.
func tekton(t *testing.T, want metav1.ConditionStatus) {
	t.Helper()
	config := &v1alpha1.CNBiConfig{}
	until(t, "the CNBiConfig says TektonAvailable="+string(want), func() string { return fmt.Sprintf("%+v", config.Status) }, func(ctx context.Context) (bool, error) {
		err := k8s.Get(ctx, client.ObjectKey{Name: v1alpha1.CNBiConfigName}, config)
		c := apimeta.FindStatusCondition(config.Status.Conditions, v1alpha1.ConditionTektonAvailable)
		return c != nil && c.Status == want && c.Message != "", client.IgnoreNotFound(err)
	})
}

// waits wants an object that says that it waits for Tekton, and that this is no fault of its own.
func waits(t *testing.T, in, name string) {
	t.Helper()
	obj := &v1alpha1.CustomNBImage{}
	until(t, in+"/"+name+" waits for Tekton", func() string { return fmt.Sprintf("%+v", obj.Status) }, func(ctx context.Context) (bool, error) {
		err := k8s.Get(ctx, client.ObjectKey{Namespace: in, Name: name}, obj)
		c := apimeta.FindStatusCondition(obj.Status.Conditions, v1alpha1.ConditionReady)
		return c != nil && c.Status == metav1.ConditionFalse && c.Reason == v1alpha1.ReasonTektonUnavailable, err
	})
	if obj.Status.Phase != v1alpha1.PhasePending || apimeta.IsStatusConditionTrue(obj.Status.Conditions, v1alpha1.ConditionStalled) {
		t.Errorf("an object that waits for Tekton is %s, with %+v", obj.Status.Phase, obj.Status.Conditions)
	}
}

// managers are the manager's pods, and how often each was started again.
func (i *installation) managers(t *testing.T) map[string]int32 {
	t.Helper()
	pods := &corev1.PodList{}
	must(t, k8s.List(t.Context(), pods, client.InNamespace(i.namespace), client.MatchingLabels{"app.kubernetes.io/component": "manager"}))
	out := map[string]int32{}
	for _, pod := range pods.Items {
		for _, container := range pod.Status.ContainerStatuses {
			out[pod.Name] += container.RestartCount
		}
	}
	return out
}
