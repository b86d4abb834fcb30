package bundle

import (
	"encoding/base64"
	"fmt"
	"os"
	"path/filepath"
	"slices"

	operatorsv1alpha1 "github.com/operator-framework/api/pkg/operators/v1alpha1"
	appsv1 "k8s.io/api/apps/v1"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/kustomize/api/krusty"
	"sigs.k8s.io/kustomize/kyaml/filesys"
	"sigs.k8s.io/yaml"
)

// Package is the operator's name in a catalogue.
const Package = "meteor-operator"

// Source is what the repository says.
type Source struct {
	// Root is the checkout.
	Root string
	// Base is the hand-written part of the CSV, with the icon.
	Base *operatorsv1alpha1.ClusterServiceVersion
	// Install are the objects of config/default.
	Install []*unstructured.Unstructured
	// Deployment is the manager's, from Install.
	Deployment *appsv1.Deployment
	// CRDs are those in Install.
	CRDs []*apiextensionsv1.CustomResourceDefinition
	// Samples are the objects of config/samples.
	Samples []*unstructured.Unstructured
	// Scorecard is the configuration of the scorecard's tests.
	Scorecard []byte
	// Template is the catalogue's template.
	Template []byte
	// Catalogue is the rendered catalogue as it is, where there is one.
	Catalogue []byte
}

// Read reads the sources in a checkout.
func Read(root string) (*Source, error) {
	s := &Source{Root: root}
	var err error
	if s.Base, err = readBase(root); err != nil {
		return nil, err
	}
	if s.Install, err = build(root, "config/default"); err != nil {
		return nil, err
	}
	if s.Samples, err = build(root, "config/samples"); err != nil {
		return nil, err
	}
	for file, into := range map[string]*[]byte{"config/scorecard/config.yaml": &s.Scorecard, templateFile: &s.Template} {
		if *into, err = os.ReadFile(filepath.Join(root, file)); err != nil {
			return nil, fmt.Errorf("cannot read %s: %w", file, err)
		}
	}
	if s.Catalogue, err = os.ReadFile(filepath.Join(root, catalogueFile)); err != nil && !os.IsNotExist(err) {
		return nil, fmt.Errorf("cannot read the catalogue: %w", err)
	}
	return s, s.sort()
}

// sort finds the objects that are needed as what they are.
func (s *Source) sort() error {
	for _, obj := range s.Install {
		switch obj.GetKind() {
		case "Deployment":
			s.Deployment = &appsv1.Deployment{}
			if err := convert(obj, s.Deployment); err != nil {
				return err
			}
		case "CustomResourceDefinition":
			crd := &apiextensionsv1.CustomResourceDefinition{}
			if err := convert(obj, crd); err != nil {
				return err
			}
			s.CRDs = append(s.CRDs, crd)
		}
	}
	if s.Deployment == nil || len(s.CRDs) == 0 {
		return fmt.Errorf("config/default has no Deployment or no CRDs")
	}
	return nil
}

func readBase(root string) (*operatorsv1alpha1.ClusterServiceVersion, error) {
	content, err := os.ReadFile(filepath.Join(root, "config/manifests/clusterserviceversion.yaml"))
	if err != nil {
		return nil, fmt.Errorf("cannot read the CSV's base: %w", err)
	}
	csv := &operatorsv1alpha1.ClusterServiceVersion{}
	if err := yaml.UnmarshalStrict(content, csv); err != nil {
		return nil, fmt.Errorf("cannot parse the CSV's base: %w", err)
	}
	icon, err := os.ReadFile(filepath.Join(root, "config/manifests/icon.svg"))
	if err != nil {
		return nil, fmt.Errorf("cannot read the icon: %w", err)
	}
	csv.Spec.Icon = []operatorsv1alpha1.Icon{{Data: base64.StdEncoding.EncodeToString(icon), MediaType: "image/svg+xml"}}
	return csv, nil
}

// build does what `kustomize build` does.
func build(root, dir string) ([]*unstructured.Unstructured, error) {
	resources, err := krusty.MakeKustomizer(krusty.MakeDefaultOptions()).Run(filesys.MakeFsOnDisk(), filepath.Join(root, dir))
	if err != nil {
		return nil, fmt.Errorf("cannot build %s: %w", dir, err)
	}
	var objects []*unstructured.Unstructured
	for _, r := range resources.Resources() {
		content, err := r.AsYAML()
		if err != nil {
			return nil, fmt.Errorf("cannot write down %s: %w", r.CurId(), err)
		}
		obj := &unstructured.Unstructured{}
		if err := yaml.Unmarshal(content, &obj.Object); err != nil {
			return nil, fmt.Errorf("cannot parse %s: %w", r.CurId(), err)
		}
		objects = append(objects, obj)
	}
	return objects, nil
}

func convert(from *unstructured.Unstructured, into any) error {
	if err := runtime.DefaultUnstructuredConverter.FromUnstructuredWithValidation(from.Object, into, true); err != nil {
		return fmt.Errorf("cannot read %s %q: %w", from.GetKind(), from.GetName(), err)
	}
	return nil
}

// of returns the objects of a kind.
func of(objects []*unstructured.Unstructured, kinds ...string) []*unstructured.Unstructured {
	var out []*unstructured.Unstructured
	for _, obj := range objects {
		if slices.Contains(kinds, obj.GetKind()) {
			out = append(out, obj)
		}
	}
	return out
}
