package bundle

import (
	"strings"
	"testing"

	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// TestLaterCRD applies a CRD over a later operator's, whose objects are stored in another version: the API server says no.
// It does so with copies of the kinds under other names, since the tests share an API server.
func TestLaterCRD(t *testing.T) {
	for _, crd := range built.V1CRDs {
		ours := crd.DeepCopy()
		ours.Spec.Group = "later.example.com"
		ours.Spec.Names.ShortNames, ours.Spec.Names.Categories = nil, nil
		ours.Annotations = nil
		ours.Name = ours.Spec.Names.Plural + "." + ours.Spec.Group
		theirs := ours.DeepCopy()
		theirs.Spec.Versions = append(theirs.Spec.Versions, *theirs.Spec.Versions[0].DeepCopy())
		theirs.Spec.Versions[0].Storage = false
		theirs.Spec.Versions[1].Name = "v1beta1"
		apply(t, theirs, nil)
		apply(t, ours, []string{"status.storedVersions[0]", "v1beta1", "missing from spec.versions"})
	}
}

// apply applies a CRD as kubectl does with force, and wants it refused with these words, if any.
func apply(t *testing.T, crd *apiextensionsv1.CustomResourceDefinition, refusal []string) {
	t.Helper()
	object, err := runtime.DefaultUnstructuredConverter.ToUnstructured(crd)
	must(t, err)
	obj := &unstructured.Unstructured{Object: object}
	obj.SetGroupVersionKind(apiextensionsv1.SchemeGroupVersion.WithKind("CustomResourceDefinition"))
	unstructured.RemoveNestedField(obj.Object, "status")
	err = k8s.Apply(t.Context(), client.ApplyConfigurationFromUnstructured(obj), client.FieldOwner("kubectl"), client.ForceOwnership)
	if refusal == nil {
		must(t, err)
		return
	}
	if !apierrors.IsInvalid(err) {
		t.Errorf("%s takes the place of a later one: %v", crd.Name, err)
		return
	}
	for _, words := range refusal {
		if !strings.Contains(err.Error(), words) {
			t.Errorf("%s is refused without %q: %v", crd.Name, words, err)
		}
	}
}
