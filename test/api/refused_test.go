package api

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/yaml"

	"github.com/meteor-zone/meteor-operator/apis/v1alpha1"
)

// sketch is an object of the tables: what matters of it, and what the
// apiserver says to it.
type sketch struct {
	Name string         `json:"name"`
	Spec map[string]any `json:"spec"`
	Want []string       `json:"want"`
}

func TestRefused(t *testing.T) {
	kinds := map[string]struct {
		file string
		name string
	}{
		v1alpha1.CustomNBImageKind: {file: "customnbimage.yaml", name: "bad"},
		v1alpha1.MeteorKind:        {file: "meteor.yaml", name: "bad"},
		v1alpha1.CNBiConfigKind:    {file: "cnbiconfig.yaml", name: v1alpha1.CNBiConfigName},
	}
	for kind, k := range kinds {
		for name, tc := range readSketches(t, filepath.Join("testdata", "bad", k.file)) {
			t.Run(kind+"/"+name, func(t *testing.T) {
				obj := tc.object(kind, k.name)
				err := k8s.Create(context.Background(), obj, client.DryRunAll, client.FieldValidation("Strict"))
				if len(tc.Want) == 0 {
					t.Error("the table has no message for the object")
				}
				if diff := cmp.Diff(tc.Want, complaints(err)); diff != "" {
					t.Errorf("complaints of the apiserver (-want, +got):\n%s", diff)
				}
			})
		}
	}
}

func readSketches(t *testing.T, path string) map[string]sketch {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var sketches map[string]sketch
	if err := yaml.UnmarshalStrict(data, &sketches); err != nil {
		t.Fatalf("cannot read %s: %v", path, err)
	}
	return sketches
}

// object makes the object that the sketch is of. A CNBiConfig has no namespace.
func (s sketch) object(kind, name string) *unstructured.Unstructured {
	obj := &unstructured.Unstructured{Object: map[string]any{}}
	obj.SetGroupVersionKind(v1alpha1.GroupVersion.WithKind(kind))
	obj.SetName(name)
	if s.Name != "" {
		obj.SetName(s.Name)
	}
	if kind != v1alpha1.CNBiConfigKind {
		obj.SetNamespace("default")
	}
	if s.Spec != nil {
		obj.Object["spec"] = s.Spec
	}
	return obj
}

// complaints returns what an error of the apiserver says, a line for each
// field, sorted. Where an object breaks a bound, the apiserver evaluates no CEL
// rule and adds a line about that, which says nothing about the object.
func complaints(err error) []string {
	if err == nil {
		return []string{"applied"}
	}
	var status apierrors.APIStatus
	if !errors.As(err, &status) {
		return []string{err.Error()}
	}
	details := status.Status().Details
	if details == nil || len(details.Causes) == 0 {
		return []string{status.Status().Message}
	}
	var lines []string
	for _, cause := range details.Causes {
		if strings.Contains(cause.Message, "some validation rules were not checked") {
			continue
		}
		lines = append(lines, fmt.Sprintf("%s: %s", cause.Field, cause.Message))
	}
	slices.Sort(lines)
	return slices.Compact(lines)
}
