package bundle

import (
	"maps"
	"slices"
	"strings"
	"unicode"

	operatorsv1alpha1 "github.com/operator-framework/api/pkg/operators/v1alpha1"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
)

// What the console of OpenShift knows.
const (
	tectonic   = "urn:alm:descriptor:com.tectonic.ui:"
	kubernetes = "urn:alm:descriptor:io.kubernetes:"

	asText       = tectonic + "text"
	asNumber     = tectonic + "number"
	asSwitch     = tectonic + "booleanSwitch"
	asSelect     = tectonic + "select:"
	asHidden     = tectonic + "hidden"
	asAdvanced   = tectonic + "advanced"
	asResources  = tectonic + "resourceRequirements"
	asSelector   = tectonic + "selector:"
	asPods       = tectonic + "podStatuses"
	inGroup      = tectonic + "fieldGroup:"
	inArray      = tectonic + "arrayFieldGroup:"
	whenIs       = tectonic + "fieldDependency:"
	asLink       = "urn:alm:descriptor:org.w3:link"
	asPhase      = "urn:alm:descriptor:io.kubernetes.phase"
	asConditions = "urn:alm:descriptor:io.kubernetes.conditions"
)

// shown is how single fields are shown, by kind and path, where their type does not tell.
var shown = map[string]map[string][]string{
	"CustomNBImage": {
		"spec.fromImage":            {asText, whenIs + "buildType:ImageImport"},
		"spec.packageVersions":      {asText, whenIs + "buildType:PackageList"},
		"spec.repositoryUrl":        {asText, whenIs + "buildType:GitRepository"},
		"spec.gitRef":               {asText, whenIs + "buildType:GitRepository"},
		"spec.gitSecret":            {inGroup + "gitSecret", whenIs + "buildType:GitRepository"},
		"spec.baseImage":            {asHidden},
		"spec.repository":           {asHidden},
		"spec.timeout":              {asText, asAdvanced},
		"spec.suspend":              {asSwitch, asAdvanced},
		"status.imageStreamTag":     {asText},
		"status.pipelineRunName":    {kubernetes + "tekton.dev:v1:PipelineRun"},
		"status.observedGeneration": {asHidden},
	},
	"Meteor": {
		"status.stage":              {asPods},
		"status.observedGeneration": {asHidden},
		"status.customNBImageName":  {kubernetes + "meteor.zone:v1alpha1:CustomNBImage"},
	},
	"CNBiConfig": {
		"spec.namespaces.selector":  {asSelector + "core:v1:Namespace"},
		"spec.build.nodeSelector":   {asSelector + "core:v1:Node", asAdvanced},
		"spec.build.serviceAccount": {kubernetes + "ServiceAccount", asAdvanced},
		"status.observedGeneration": {asHidden},
	},
}

// references are the objects with a name, by what they refer to.
var references = map[string]string{
	"imagePullSecret": "Secret", "gitSecret": "Secret", "pushSecret": "Secret", "credentials": "Secret",
	"ca": "ConfigMap", "trustedCA": "ConfigMap",
}

// wholes are fields of Kubernetes' own types, which the console shows in one piece.
var wholes = map[string]string{
	"resources":       asResources,
	"nodeAffinity":    tectonic + "nodeAffinity",
	"podAffinity":     tectonic + "podAffinity",
	"podAntiAffinity": tectonic + "podAntiAffinity",
	"tolerations":     inArray + "tolerations",
	"conditions":      asConditions,
}

// names are words that are not written as their letters say.
var names = map[string]string{
	"api": "API", "ca": "CA", "cnb": "CNB", "http": "HTTP", "https": "HTTPS", "id": "ID", "os": "OS", "ttl": "TTL", "uid": "UID", "url": "URL", "urls": "URLs", "gcs": "GCs",
}

// field is a field of a CRD.
type field struct {
	path, name string
	schema     apiextensionsv1.JSONSchemaProps
	// group is the outermost object or list that the field is in.
	group, groupKind string
	// parent is the name of the object that the field is in.
	parent string
	status bool
}

// describe fills in the descriptors of a kind from its schema.
func describe(d *operatorsv1alpha1.CRDDescription, crd *apiextensionsv1.CustomResourceDefinition) {
	root := crd.Spec.Versions[0].Schema.OpenAPIV3Schema
	d.Description = sentence("", root.Description)
	if d.Description == "" {
		d.Description = sentence("", root.Properties["spec"].Description)
	}
	for _, f := range fields(root, "spec") {
		d.SpecDescriptors = append(d.SpecDescriptors, operatorsv1alpha1.SpecDescriptor{
			Path: f.path, DisplayName: title(f.name), Description: sentence(f.name, f.schema.Description), XDescriptors: f.shown(d.Kind),
		})
	}
	for _, f := range fields(root, "status") {
		d.StatusDescriptors = append(d.StatusDescriptors, operatorsv1alpha1.StatusDescriptor{
			Path: f.path, DisplayName: title(f.name), Description: sentence(f.name, f.schema.Description), XDescriptors: f.shown(d.Kind),
		})
	}
}

// fields walks a part of a kind: each object before what is in it, in the order of their names.
func fields(root *apiextensionsv1.JSONSchemaProps, part string) []field {
	var out []field
	var walk func(parent field, schema apiextensionsv1.JSONSchemaProps, prefix string)
	walk = func(parent field, schema apiextensionsv1.JSONSchemaProps, prefix string) {
		for _, name := range slices.Sorted(maps.Keys(schema.Properties)) {
			f := field{
				path: prefix + name, name: name, schema: schema.Properties[name],
				group: parent.group, groupKind: parent.groupKind, parent: parent.name, status: part == "status",
			}
			items := f.schema.Items
			inside, list := f.schema, items != nil && items.Schema != nil
			if list {
				inside = *items.Schema
			}
			if f.group == "" && len(inside.Properties) > 0 {
				f.group, f.groupKind = name, inGroup
				if list {
					f.groupKind = inArray
				}
			}
			out = append(out, f)
			if _, whole := wholes[name]; whole || f.opaque() {
				continue
			}
			if list {
				walk(f, inside, f.path+"[0].")
			} else {
				walk(f, inside, f.path+".")
			}
		}
	}
	walk(field{}, root.Properties[part], "")
	return out
}

// opaque are objects that are shown as one: label selectors, and the donut of stages.
func (f field) opaque() bool {
	_, selector := f.schema.Properties["matchLabels"]
	return selector || f.status && f.path == "stage"
}

// shown is how the console is to show a field.
func (f field) shown(kind string) []string {
	part := "spec."
	if f.status {
		part = "status."
	}
	out := slices.Clone(shown[kind][part+f.path])
	if out == nil {
		out = f.byType()
	}
	if !f.status && f.group != "" && f.group != f.path && !slices.Contains(out, f.groupKind+f.group) {
		out = append(out, f.groupKind+f.group)
	}
	return out
}

// byType is how fields of a type, or of a name that says what they are, are shown.
func (f field) byType() []string {
	if whole, ok := wholes[f.name]; ok {
		return []string{whole}
	}
	if f.status {
		return []string{f.statusByName()}
	}
	kind, refers := references[f.parent]
	switch {
	case refers && f.name == "name":
		return []string{kubernetes + kind}
	case len(f.schema.Enum) > 0:
		var out []string
		for _, value := range f.schema.Enum {
			out = append(out, asSelect+strings.Trim(string(value.Raw), `"`))
		}
		return out
	case f.schema.Type == "boolean":
		return []string{asSwitch}
	case f.schema.Type == "integer":
		return []string{asNumber}
	case len(f.schema.Properties) > 0:
		return []string{inGroup + f.path}
	case f.schema.Items != nil && f.schema.Items.Schema != nil && len(f.schema.Items.Schema.Properties) > 0:
		return []string{inArray + f.path}
	}
	return []string{asText}
}

func (f field) statusByName() string {
	switch f.name {
	case "phase":
		return asPhase
	case "url":
		return asLink
	}
	return asText
}

// title makes words of a field's name.
func title(name string) string {
	var words []string
	start := 0
	runes := []rune(name)
	for i := 1; i <= len(runes); i++ {
		ends := i == len(runes) || unicode.IsUpper(runes[i]) && (!unicode.IsUpper(runes[i-1]) || i+1 < len(runes) && unicode.IsLower(runes[i+1]))
		if !ends {
			continue
		}
		word := string(runes[start:i])
		if known, ok := names[strings.ToLower(word)]; ok {
			word = known
		} else if !unicode.IsUpper(runes[start]) || start > 0 {
			word = strings.ToLower(word)
		}
		words = append(words, word)
		start = i
	}
	out := strings.Join(words, " ")
	return strings.ToUpper(out[:1]) + out[1:]
}

// sentence is the first paragraph of a description, without the field's name with which the Go comment begins.
func sentence(name, description string) string {
	paragraph, _, _ := strings.Cut(description, "\n\n")
	text := strings.Join(strings.Fields(paragraph), " ")
	if rest, ok := strings.CutPrefix(text, name+" "); ok && name != "" {
		for _, verb := range []string{"is ", "are "} {
			if after, ok := strings.CutPrefix(rest, verb); ok {
				rest = after
				break
			}
		}
		if !strings.HasPrefix(rest, "of ") && !strings.HasPrefix(rest, "in ") {
			text = rest
		}
	}
	if text == "" {
		return ""
	}
	return strings.ToUpper(text[:1]) + text[1:]
}
