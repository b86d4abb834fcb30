package api

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	utilyaml "k8s.io/apimachinery/pkg/util/yaml"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/meteor-zone/meteor-operator/apis/v1alpha1"
)

// TestFilesApply applies whole files, unchanged and with all their fields
// known, each in a namespace of its own.
func TestFilesApply(t *testing.T) {
	folders := map[string]struct {
		path  string
		files int
	}{
		"design documents": {path: filepath.Join("testdata", "seeds"), files: 10},
		"released CRDs":    {path: filepath.Join("testdata", "released"), files: 6},
		"samples":          {path: filepath.Join(root, "config", "samples"), files: 13},
	}
	for name, folder := range folders {
		t.Run(name, func(t *testing.T) {
			files, err := filepath.Glob(filepath.Join(folder.path, "*.yaml"))
			if err != nil {
				t.Fatal(err)
			}
			applied := 0
			for _, file := range files {
				if filepath.Base(file) == "kustomization.yaml" {
					continue
				}
				applied++
				t.Run(filepath.Base(file), func(t *testing.T) { applyFile(t, file) })
			}
			if applied != folder.files {
				t.Errorf("%s has %d files to apply, want %d", folder.path, applied, folder.files)
			}
		})
	}
}

func applyFile(t *testing.T, file string) {
	namespace := newNamespace(t)
	for _, obj := range readObjects(t, file) {
		if obj.GetKind() != v1alpha1.CNBiConfigKind {
			obj.SetNamespace(namespace)
		}
		if err := k8s.Create(context.Background(), obj, client.FieldValidation("Strict")); err != nil {
			t.Errorf("cannot apply %s %q: %v", obj.GetKind(), obj.GetName(), err)
			continue
		}
		if obj.GetKind() == v1alpha1.CNBiConfigKind {
			removeAtEnd(t, obj)
		}
	}
}

// TestDoubtfulApplies creates objects that are good although they do not look
// it, and reads them into the Go types: an object that the apiserver takes and
// the types do not would end every list of its kind.
func TestDoubtfulApplies(t *testing.T) {
	kinds := map[string]struct {
		file string
		name string
	}{
		v1alpha1.CustomNBImageKind: {file: "customnbimage.yaml", name: "good"},
		v1alpha1.MeteorKind:        {file: "meteor.yaml", name: "good"},
		v1alpha1.CNBiConfigKind:    {file: "cnbiconfig.yaml", name: v1alpha1.CNBiConfigName},
	}
	for kind, k := range kinds {
		for name, tc := range readSketches(t, filepath.Join("testdata", "good", k.file)) {
			t.Run(kind+"/"+name, func(t *testing.T) {
				obj := tc.object(kind, k.name)
				if err := k8s.Create(context.Background(), obj, client.DryRunAll, client.FieldValidation("Strict")); err != nil {
					t.Fatalf("the apiserver refuses it: %v", complaints(err))
				}
				typed, err := k8s.Scheme().New(obj.GroupVersionKind())
				if err != nil {
					t.Fatal(err)
				}
				if err := runtime.DefaultUnstructuredConverter.FromUnstructured(obj.Object, typed); err != nil {
					t.Errorf("the Go type does not take it: %v", err)
				}
			})
		}
	}
}

// TestLargestPackageListApplies has the apiserver evaluate the costliest rules
// on as much as the bounds let through.
func TestLargestPackageListApplies(t *testing.T) {
	const marker = `; python_version in "3.8 3.9 3.10 3.11" and sys_platform not in "win32 darwin"`
	image := &v1alpha1.CustomNBImage{
		ObjectMeta: metav1.ObjectMeta{Name: "largest", Namespace: "default"},
		Spec:       v1alpha1.CustomNBImageSpec{BuildType: v1alpha1.BuildTypePackageList, BuilderImage: "python"},
	}
	for i := range 256 {
		requirement := fmt.Sprintf("package-%d[a,b]>=1.0,<2,!=1.", i)
		requirement += strings.Repeat("0", 256-len(requirement)-len(marker)) + marker
		image.Spec.PackageVersions = append(image.Spec.PackageVersions, requirement)
	}
	if err := k8s.Create(context.Background(), image, client.DryRunAll); err != nil {
		t.Errorf("the apiserver refuses it: %v", complaints(err))
	}
}

func newNamespace(t *testing.T) string {
	t.Helper()
	ns := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{GenerateName: "test-"}}
	if err := k8s.Create(context.Background(), ns); err != nil {
		t.Fatal(err)
	}
	return ns.Name
}

func removeAtEnd(t *testing.T, obj client.Object) {
	t.Helper()
	t.Cleanup(func() {
		if err := k8s.Delete(context.Background(), obj); err != nil && !apierrors.IsNotFound(err) {
			t.Errorf("cannot remove %q: %v", obj.GetName(), err)
		}
	})
}

func readObjects(t *testing.T, file string) []*unstructured.Unstructured {
	t.Helper()
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var objs []*unstructured.Unstructured
	decoder := utilyaml.NewYAMLOrJSONDecoder(bytes.NewReader(data), len(data))
	for {
		obj := &unstructured.Unstructured{}
		err := decoder.Decode(obj)
		if errors.Is(err, io.EOF) {
			return objs
		}
		if err != nil {
			t.Fatalf("cannot read %s: %v", file, err)
		}
		objs = append(objs, obj)
	}
}
