package api

import (
	"context"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/yaml"

	"github.com/meteor-zone/meteor-operator/apis/v1alpha1"
)

// block is an example in a page.
var block = regexp.MustCompile("(?s)```yaml\n(.*?)```")

func settingsPage(t *testing.T) string {
	t.Helper()
	page, err := os.ReadFile(filepath.Join(root, "docs", "cnbiconfig.md"))
	if err != nil {
		t.Fatal(err)
	}
	return string(page)
}

// TestSettingsPageApplies applies the page's examples as they stand.
func TestSettingsPageApplies(t *testing.T) {
	examples := block.FindAllStringSubmatch(settingsPage(t), -1)
	if len(examples) != 3 {
		t.Errorf("the page has %d examples, want one for OpenShift, one for plain Kubernetes and one for a disconnected site", len(examples))
	}
	for _, example := range examples {
		obj := &unstructured.Unstructured{}
		if err := yaml.Unmarshal([]byte(example[1]), &obj.Object); err != nil {
			t.Fatal(err)
		}
		if obj.GetKind() != v1alpha1.CNBiConfigKind {
			t.Errorf("an example is a %s", obj.GetKind())
		}
		if err := k8s.Create(context.Background(), obj, client.FieldValidation("Strict")); err != nil {
			t.Errorf("cannot apply an example: %v\n%s", err, example[1])
			continue
		}
		if err := k8s.Delete(context.Background(), obj); err != nil {
			t.Fatal(err)
		}
	}
}

// TestSettingsPageHasEveryField looks for every setting on the page.
func TestSettingsPageHasEveryField(t *testing.T) {
	data, err := os.ReadFile(filepath.Join(root, "config", "crd", "bases", "meteor.zone_cnbiconfigs.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	crd := &apiextensionsv1.CustomResourceDefinition{}
	if err := yaml.Unmarshal(data, crd); err != nil {
		t.Fatal(err)
	}
	// The effects are in the tables' first column.
	var fields []string
	for line := range strings.Lines(settingsPage(t)) {
		if cell, _, ok := strings.Cut(strings.TrimPrefix(line, "| "), " |"); ok && strings.HasPrefix(line, "| `") {
			fields = append(fields, strings.FieldsFunc(cell, func(r rune) bool { return strings.ContainsRune("`, .:[]", r) })...)
		}
	}
	spec := crd.Spec.Versions[0].Schema.OpenAPIV3Schema.Properties["spec"]
	for name, section := range spec.Properties {
		if !slices.Contains(fields, name) {
			t.Errorf("spec.%s is not on the page", name)
		}
		for field := range section.Properties {
			if !slices.Contains(fields, field) {
				t.Errorf("spec.%s.%s is not on the page", name, field)
			}
		}
	}
}
