//go:build e2e

package olm

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	operatorsv1alpha1 "github.com/operator-framework/api/pkg/operators/v1alpha1"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/meteor-zone/meteor-operator/apis/v1alpha1"
)

const (
	imagesCRD = "customnbimages.meteor.zone"
	// later is a version of the kind that this operator does not know, and laterField a field that it has.
	later      = "v1beta1"
	laterField = "colour"
)

var crdNames = []string{imagesCRD, "meteors.meteor.zone", "cnbiconfigs.meteor.zone"}

// TestNewerCRD installs where a later operator has been, one that stores a kind in a version which this one does not know.
// OLM refuses and leaves kind and objects as they are; what docs/install.md tells to do helps.
func TestNewerCRD(t *testing.T) {
	removeCRDs(t)
	theirs := laterCRD(t)
	configure(t)
	users, into := namespace(t, restricted), namespace(t, restricted)
	theirObject(t, users)
	i := install(t, catalogueBefore, into)
	refused(t, i)
	if csv, err := i.csv(t.Context(), before); err != nil || csv.Status.Phase != operatorsv1alpha1.CSVPhasePending || len(i.managers(t)) > 0 {
		t.Errorf("beside a CRD of a later version there are managers %v, and: %v %s", i.managers(t), err, i.state())
	}
	crd := getCRD(t)
	if diff := cmp.Diff(theirs.Spec, crd.Spec); diff != "" {
		t.Errorf("OLM has changed a CRD of a later version (-before +after):\n%s", diff)
	}
	if colour := field(t, users, later); colour != "green" {
		t.Errorf("an object of a later version has lost what it said: %q is left", colour)
	}
	storeInOurs(t, users)
	i.again()
	i.succeeds(before)
	ready(t, users, "kept")
	if versions := getCRD(t).Spec.Versions; len(versions) != 1 || versions[0].Name != v1alpha1.GroupVersion.Version {
		t.Errorf("OLM has not brought the CRD of its version: %d versions", len(versions))
	}
	i.uninstall()
	removeCRDs(t)
}

// laterCRD makes the kinds as a later operator would have: one has another version, which objects are stored in, with a
// new field.
func laterCRD(t *testing.T) *apiextensionsv1.CustomResourceDefinition {
	t.Helper()
	for _, ours := range crdsOf(t) {
		crd := ours.DeepCopy()
		if crd.Name == imagesCRD {
			next := crd.Spec.Versions[0].DeepCopy()
			next.Name = later
			next.Schema.OpenAPIV3Schema.Properties["spec"].Properties[laterField] = apiextensionsv1.JSONSchemaProps{Type: "string"}
			crd.Spec.Versions[0].Storage = false
			crd.Spec.Versions = append(crd.Spec.Versions, *next)
		}
		must(t, k8s.Create(t.Context(), crd))
	}
	until(t, "the later kinds are served", func() string { return fmt.Sprint(getCRD(t).Status) }, func(ctx context.Context) (bool, error) {
		images, configs := k8s.List(ctx, listOf(later)), k8s.List(ctx, &v1alpha1.CNBiConfigList{})
		return images == nil && configs == nil, nil
	})
	return getCRD(t)
}

func crdsOf(t *testing.T) []*apiextensionsv1.CustomResourceDefinition {
	t.Helper()
	if len(source.CRDs) != len(crdNames) {
		t.Fatalf("there are %d kinds, the test knows %v", len(source.CRDs), crdNames)
	}
	return source.CRDs
}

func getCRD(t *testing.T) *apiextensionsv1.CustomResourceDefinition {
	t.Helper()
	crd := &apiextensionsv1.CustomResourceDefinition{}
	must(t, k8s.Get(t.Context(), client.ObjectKey{Name: imagesCRD}, crd))
	return crd
}

func listOf(version string) *unstructured.UnstructuredList {
	list := &unstructured.UnstructuredList{}
	list.SetGroupVersionKind(schema.GroupVersionKind{Group: v1alpha1.GroupVersion.Group, Version: version, Kind: "CustomNBImageList"})
	return list
}

// theirObject makes an object that says something which only the later version knows.
func theirObject(t *testing.T, in string) {
	t.Helper()
	obj := &unstructured.Unstructured{Object: map[string]any{"spec": map[string]any{
		"buildType": string(v1alpha1.BuildTypeImageImport), "fromImage": on.Local.Images["jupyter"], laterField: "green",
	}}}
	obj.SetGroupVersionKind(schema.GroupVersionKind{Group: v1alpha1.GroupVersion.Group, Version: later, Kind: "CustomNBImage"})
	obj.SetNamespace(in)
	obj.SetName("kept")
	must(t, k8s.Create(t.Context(), obj))
}

// field is what that object says there.
func field(t *testing.T, in, version string) string {
	t.Helper()
	list := listOf(version)
	must(t, k8s.List(t.Context(), list, client.InNamespace(in)))
	if len(list.Items) != 1 {
		t.Fatalf("there are %d objects, not one", len(list.Items))
	}
	value, _, err := unstructured.NestedString(list.Items[0].Object, "spec", laterField)
	must(t, err)
	return value
}

// refused waits until OLM gives up, and wants it to say why.
func refused(t *testing.T, i *installation) {
	t.Helper()
	said := ""
	until(t, "OLM refuses", i.state, func(ctx context.Context) (bool, error) {
		plans := &operatorsv1alpha1.InstallPlanList{}
		err := k8s.List(ctx, plans, client.InNamespace(i.namespace))
		for _, plan := range plans.Items {
			if plan.Status.Phase == operatorsv1alpha1.InstallPlanPhaseFailed && len(plan.Status.Conditions) > 0 {
				said = plan.Status.Conditions[0].Message
			}
		}
		return said != "", err
	})
	if !strings.Contains(said, "risk of data loss") || !strings.Contains(said, imagesCRD) || !strings.Contains(said, later) {
		t.Errorf("what OLM says does not tell what is wrong: %s", said)
	}
}

// storeInOurs has the objects stored in the version that this operator knows, as docs/install.md tells.
func storeInOurs(t *testing.T, in string) {
	t.Helper()
	crd := getCRD(t)
	for n := range crd.Spec.Versions {
		crd.Spec.Versions[n].Storage = crd.Spec.Versions[n].Name == v1alpha1.GroupVersion.Version
	}
	must(t, k8s.Update(t.Context(), crd))
	// The API server begins to store in the other version a moment after it has taken the CRD.
	time.Sleep(2 * time.Second)
	list := listOf(v1alpha1.GroupVersion.Version)
	must(t, k8s.List(t.Context(), list, client.InNamespace(in)))
	for n := range list.Items {
		// Nobody has set anything, or the notes of who has set what in the other version keep everybody from applying.
		list.Items[n].SetManagedFields([]metav1.ManagedFieldsEntry{{}})
		must(t, k8s.Update(t.Context(), &list.Items[n]))
	}
	patch, err := json.Marshal(map[string]any{"status": map[string]any{"storedVersions": []string{v1alpha1.GroupVersion.Version}}})
	must(t, err)
	must(t, k8s.Status().Patch(t.Context(), crd, client.RawPatch("application/merge-patch+json", patch)))
}

// again subscribes once more, as one must after an InstallPlan that has failed.
func (i *installation) again() {
	i.t.Helper()
	ctx := i.t.Context()
	in := client.InNamespace(i.namespace)
	for _, obj := range []client.Object{&operatorsv1alpha1.Subscription{}, &operatorsv1alpha1.ClusterServiceVersion{}, &operatorsv1alpha1.InstallPlan{}} {
		must(i.t, k8s.DeleteAllOf(ctx, obj, in))
	}
	until(i.t, "what was refused is gone", i.state, func(ctx context.Context) (bool, error) {
		_, err := i.csv(ctx, before)
		return absent(err)
	})
	// OLM may still remember the plan that is gone, and would have the new Subscription wait for it.
	time.Sleep(10 * time.Second)
	i.subscribe()
}

// removeCRDs takes the kinds away, and all objects with them.
func removeCRDs(t *testing.T) {
	t.Helper()
	for _, name := range crdNames {
		crd := &apiextensionsv1.CustomResourceDefinition{}
		crd.Name = name
		must(t, client.IgnoreNotFound(k8s.Delete(t.Context(), crd)))
	}
	for _, name := range crdNames {
		until(t, name+" is gone", func() string { return name + " is there" }, func(ctx context.Context) (bool, error) {
			return absent(k8s.Get(ctx, client.ObjectKey{Name: name}, &apiextensionsv1.CustomResourceDefinition{}))
		})
	}
}
