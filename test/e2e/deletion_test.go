//go:build e2e

package e2e

import (
	"testing"

	imagev1 "github.com/openshift/api/image/v1"
	tektonv1 "github.com/tektoncd/pipeline/pkg/apis/pipeline/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/meteor-zone/meteor-operator/apis/v1alpha1"
	"github.com/meteor-zone/meteor-operator/hack/operator"
)

// deletedWhileBuilding takes an object away, then a namespace.
func deletedWhileBuilding(t *testing.T) {
	for name, stage := range map[string]v1alpha1.CustomNBImageStage{"importing": v1alpha1.StageImporting, "validating": v1alpha1.StageValidating} {
		u := newUser(t)
		u.create(u.imports("object", image("jupyter-slow")))
		u.untilStage("object", stage)
		u.remove("object")
		u.goesWith("object")
		u.create(u.imports("rest", image("jupyter-slow")))
		u.untilStage("rest", stage)
		u.removeNamespace()
		t.Logf("nothing is left of what was deleted while it was %s", name)
	}
}

// remove deletes an object as kubectl does.
func (u *user) remove(name string) {
	u.t.Helper()
	must(u.t, u.client.Delete(u.t.Context(), &v1alpha1.CustomNBImage{ObjectMeta: metav1.ObjectMeta{Name: name, Namespace: u.namespace}}))
}

// goesWith waits until all is gone that an object made.
func (u *user) goesWith(name string) {
	u.t.Helper()
	opts := labelled(u.namespace, name)
	gone(u.t, "the object", &v1alpha1.CustomNBImageList{}, operator.Named(u.namespace, name))
	gone(u.t, "its PipelineRuns", &tektonv1.PipelineRunList{}, opts...)
	gone(u.t, "its TaskRuns", &tektonv1.TaskRunList{}, opts...)
	gone(u.t, "its pods", &corev1.PodList{}, opts...)
	if u.streams != nil {
		gone(u.t, "its ImageStream", &imagev1.ImageStreamList{}, opts...)
	}
}

func (u *user) removeNamespace() {
	u.t.Helper()
	must(u.t, on.Client.Delete(u.t.Context(), &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: u.namespace}}))
	gone(u.t, "the namespace", &corev1.NamespaceList{}, operator.Named("", u.namespace))
}
