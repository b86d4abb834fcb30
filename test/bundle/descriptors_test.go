package bundle

import (
	"slices"
	"strings"
	"testing"

	operatorsv1alpha1 "github.com/operator-framework/api/pkg/operators/v1alpha1"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
)

// What the console knows: names in full, and beginnings that something follows.
var (
	knownOfBoth = []string{
		"urn:alm:descriptor:com.tectonic.ui:text", "urn:alm:descriptor:com.tectonic.ui:hidden",
		"urn:alm:descriptor:com.tectonic.ui:password", "urn:alm:descriptor:io.kubernetes:*",
	}
	knownOfSpec = append([]string{
		"urn:alm:descriptor:com.tectonic.ui:number", "urn:alm:descriptor:com.tectonic.ui:booleanSwitch",
		"urn:alm:descriptor:com.tectonic.ui:checkbox", "urn:alm:descriptor:com.tectonic.ui:advanced",
		"urn:alm:descriptor:com.tectonic.ui:resourceRequirements", "urn:alm:descriptor:com.tectonic.ui:nodeAffinity",
		"urn:alm:descriptor:com.tectonic.ui:podAffinity", "urn:alm:descriptor:com.tectonic.ui:podAntiAffinity",
		"urn:alm:descriptor:com.tectonic.ui:podCount", "urn:alm:descriptor:com.tectonic.ui:endpointList",
		"urn:alm:descriptor:com.tectonic.ui:imagePullPolicy", "urn:alm:descriptor:com.tectonic.ui:updateStrategy",
		"urn:alm:descriptor:com.tectonic.ui:select:*", "urn:alm:descriptor:com.tectonic.ui:selector:*",
		"urn:alm:descriptor:com.tectonic.ui:fieldGroup:*", "urn:alm:descriptor:com.tectonic.ui:arrayFieldGroup:*",
		"urn:alm:descriptor:com.tectonic.ui:fieldDependency:*",
	}, knownOfBoth...)
	knownOfStatus = append([]string{
		"urn:alm:descriptor:io.kubernetes.phase", "urn:alm:descriptor:io.kubernetes.phase:reason",
		"urn:alm:descriptor:io.kubernetes.conditions", "urn:alm:descriptor:org.w3:link",
		"urn:alm:descriptor:com.tectonic.ui:podStatuses", "urn:alm:descriptor:com.tectonic.ui:podCount",
		"urn:alm:descriptor:prometheusEndpoint",
	}, knownOfBoth...)
)

// inOnePiece are fields whose inside is Kubernetes' own, or one picture.
var inOnePiece = []string{"resources", "tolerations", "nodeAffinity", "podAffinity", "podAntiAffinity", "conditions", "selector"}

// TestDescriptors wants a descriptor of every field, of fields only, and of a sort that the console knows.
func TestDescriptors(t *testing.T) {
	for _, crd := range built.V1CRDs {
		kind := crd.Spec.Names.Kind
		i := slices.IndexFunc(built.CSV.Spec.CustomResourceDefinitions.Owned, func(d operatorsv1alpha1.CRDDescription) bool { return d.Kind == kind })
		if i < 0 {
			t.Fatalf("the CSV has no %s", kind)
		}
		owned := built.CSV.Spec.CustomResourceDefinitions.Owned[i]
		root := crd.Spec.Versions[0].Schema.OpenAPIV3Schema
		spec, status := map[string][]string{}, map[string][]string{}
		for _, d := range owned.SpecDescriptors {
			spec[d.Path] = d.XDescriptors
			complete(t, kind+".spec."+d.Path, d.DisplayName, d.Description)
		}
		for _, d := range owned.StatusDescriptors {
			status[d.Path] = d.XDescriptors
			complete(t, kind+".status."+d.Path, d.DisplayName, d.Description)
		}
		compare(t, kind+".spec.", paths(root.Properties["spec"], ""), spec, knownOfSpec)
		compare(t, kind+".status.", paths(root.Properties["status"], ""), status, knownOfStatus)
	}
}

func complete(t *testing.T, what, title, description string) {
	t.Helper()
	if title == "" || description == "" {
		t.Errorf("%s has title %q and description %q", what, title, description)
	}
}

func compare(t *testing.T, prefix string, want []string, got map[string][]string, known []string) {
	t.Helper()
	for _, path := range want {
		if len(got[path]) == 0 {
			t.Errorf("%s%s has no descriptor", prefix, path)
		}
	}
	for path, descriptors := range got {
		if !slices.Contains(want, path) {
			t.Errorf("%s%s has a descriptor and is no field", prefix, path)
		}
		for _, descriptor := range descriptors {
			if !isKnown(descriptor, known) {
				t.Errorf("%s%s: the console does not know %s", prefix, path, descriptor)
			}
		}
	}
}

func isKnown(descriptor string, known []string) bool {
	return slices.ContainsFunc(known, func(k string) bool {
		start, open := strings.CutSuffix(k, "*")
		return descriptor == k || open && strings.HasPrefix(descriptor, start) && descriptor != start
	})
}

// paths are all fields below a schema.
func paths(schema apiextensionsv1.JSONSchemaProps, prefix string) []string {
	var out []string
	for name, property := range schema.Properties {
		path := prefix + name
		out = append(out, path)
		if slices.Contains(inOnePiece, name) || path == "stage" {
			continue
		}
		if property.Items != nil && property.Items.Schema != nil {
			out = append(out, paths(*property.Items.Schema, path+"[0].")...)
		}
		out = append(out, paths(property, path+".")...)
	}
	return out
}
