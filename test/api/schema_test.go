package api

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	"sigs.k8s.io/yaml"
)

// borrowed are the fields whose schema comes from Kubernetes itself.
var borrowed = []string{
	".spec.resources", ".spec.build.resources", ".spec.build.tolerations",
	".spec.build.affinity", ".spec.namespaces.selector", ".status.conditions",
}

// TestEveryFieldIsDescribedAndBounded looks at what kubectl explain shows, and
// at what OLM refuses to be tightened later.
func TestEveryFieldIsDescribedAndBounded(t *testing.T) {
	for _, crd := range readCRDs(t) {
		t.Run(crd.Spec.Names.Kind, func(t *testing.T) {
			schema := crd.Spec.Versions[0].Schema.OpenAPIV3Schema
			checkSchema(t, "", "", schema)
			if crd.Spec.Versions[0].Subresources == nil {
				t.Error("there is no status subresource")
			}
			if !slices.Contains(crd.Spec.Names.Categories, "opendatahub") {
				t.Error("the kind is not of category opendatahub")
			}
		})
	}
}

func checkSchema(t *testing.T, path, name string, schema *apiextensionsv1.JSONSchemaProps) {
	t.Helper()
	if slices.Contains(borrowed, path) || path == ".metadata" || path == ".apiVersion" || path == ".kind" {
		return
	}
	if path != "" && !strings.HasSuffix(path, "[]") && !strings.HasPrefix(schema.Description, name+" ") {
		t.Errorf("the description of %s does not start with its name: %q", path, schema.Description)
	}
	for _, complaint := range missingBounds(schema) {
		t.Errorf("%s has no %s", path, complaint)
	}
	for child, props := range schema.Properties {
		checkSchema(t, path+"."+child, child, &props)
	}
	if schema.Items != nil {
		checkSchema(t, path+"[]", name, schema.Items.Schema)
	}
}

// missingBounds names the bounds that a schema should have and has not.
func missingBounds(schema *apiextensionsv1.JSONSchemaProps) []string {
	var missing []string
	switch {
	case schema.Type == "string" && schema.MaxLength == nil && len(schema.Enum) == 0 && schema.Format != "date-time":
		missing = append(missing, "maxLength or enum")
	case schema.Type == "array" && schema.MaxItems == nil:
		missing = append(missing, "maxItems")
	case schema.Type == "integer" && schema.Minimum == nil && len(schema.XValidations) == 0:
		missing = append(missing, "minimum")
	}
	if schema.Type == "array" && schema.XListType == nil {
		missing = append(missing, "x-kubernetes-list-type")
	}
	return missing
}

func readCRDs(t *testing.T) []apiextensionsv1.CustomResourceDefinition {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(root, "config", "crd", "bases", "*.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	var crds []apiextensionsv1.CustomResourceDefinition
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		var crd apiextensionsv1.CustomResourceDefinition
		if err := yaml.UnmarshalStrict(data, &crd); err != nil {
			t.Fatalf("cannot read %s: %v", file, err)
		}
		crds = append(crds, crd)
	}
	if len(crds) != 3 {
		t.Fatalf("there are %d CRDs, want 3", len(crds))
	}
	return crds
}
