package bundle

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/blang/semver/v4"
	opver "github.com/operator-framework/api/pkg/lib/version"
	operatorsv1alpha1 "github.com/operator-framework/api/pkg/operators/v1alpha1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

// Options are what differs from the sources, in tests.
type Options struct {
	// Version is another version than the sources'.
	Version string
	// Replaces is the version that is replaced, instead of what the sources say. "none" replaces nothing.
	Replaces string
	// Images are other images, by the environment variable that names them to the manager. The manager's own is under
	// OPERATOR_IMAGE.
	Images map[string]string
}

// operatorImage is the variable that names the manager's own image to the manager.
const operatorImage = "OPERATOR_IMAGE"

// csv makes the ClusterServiceVersion.
func (s *Source) csv(o Options) (*operatorsv1alpha1.ClusterServiceVersion, error) {
	csv := s.Base.DeepCopy()
	if err := setVersion(csv, o); err != nil {
		return nil, err
	}
	deployment := s.Deployment.DeepCopy()
	setImages(deployment.Spec.Template.Spec.Containers, o.Images)
	rights, err := s.readRights()
	if err != nil {
		return nil, err
	}
	csv.Spec.InstallStrategy.StrategyName = operatorsv1alpha1.InstallStrategyNameDeployment
	strategy := &csv.Spec.InstallStrategy.StrategySpec
	strategy.Permissions, strategy.ClusterPermissions = rights.permissions()
	strategy.DeploymentSpecs = []operatorsv1alpha1.StrategyDeploymentSpec{{
		Name: deployment.Name, Label: deployment.Labels, Spec: deployment.Spec,
	}}
	if csv.Spec.RelatedImages, err = relatedImages(deployment.Spec.Template.Spec.Containers); err != nil {
		return nil, err
	}
	csv.Annotations["containerImage"] = deployment.Spec.Template.Spec.Containers[0].Image
	if err := s.examples(csv); err != nil {
		return nil, err
	}
	return csv, s.owned(csv)
}

func setVersion(csv *operatorsv1alpha1.ClusterServiceVersion, o Options) error {
	if o.Version != "" {
		version, err := semver.Parse(o.Version)
		if err != nil {
			return fmt.Errorf("cannot use version %q: %w", o.Version, err)
		}
		csv.Spec.Version = opver.OperatorVersion{Version: version}
	}
	csv.Name = Name(csv.Spec.Version.String())
	switch o.Replaces {
	case "":
	case "none":
		csv.Spec.Replaces = ""
		delete(csv.Annotations, "olm.skipRange")
	default:
		csv.Spec.Replaces = Name(o.Replaces)
		delete(csv.Annotations, "olm.skipRange")
	}
	return nil
}

// Name is the name of a version's ClusterServiceVersion.
func Name(version string) string { return Package + ".v" + version }

func setImages(containers []corev1.Container, images map[string]string) {
	for i := range containers {
		if image := images[operatorImage]; image != "" {
			containers[i].Image = image
		}
		for j, variable := range containers[i].Env {
			if image, ok := images[variable.Name]; ok {
				containers[i].Env[j].Value = image
			}
		}
	}
}

// relatedImages are all that must be mirrored for a cluster without the internet: the manager's own image and those that
// it is told by its environment.
func relatedImages(containers []corev1.Container) ([]operatorsv1alpha1.RelatedImage, error) {
	var out []operatorsv1alpha1.RelatedImage
	add := func(name, image string) error {
		if !strings.Contains(image, "@sha256:") {
			return fmt.Errorf("image %q is not pinned by its digest", image)
		}
		if !slices.ContainsFunc(out, func(r operatorsv1alpha1.RelatedImage) bool { return r.Image == image }) {
			out = append(out, operatorsv1alpha1.RelatedImage{Name: name, Image: image})
		}
		return nil
	}
	for _, container := range containers {
		if err := add(container.Name, container.Image); err != nil {
			return nil, err
		}
		for _, variable := range container.Env {
			name, isImage := strings.CutSuffix(variable.Name, "_IMAGE")
			if !isImage || variable.Value == "" {
				continue
			}
			if err := add(strings.ToLower(strings.ReplaceAll(name, "_", "-")), variable.Value); err != nil {
				return nil, err
			}
		}
	}
	return out, nil
}

// examples are the samples, and the settings that come first.
func (s *Source) examples(csv *operatorsv1alpha1.ClusterServiceVersion) error {
	all, err := json.MarshalIndent(content(s.Samples), "", "  ")
	if err != nil {
		return fmt.Errorf("cannot write the examples: %w", err)
	}
	csv.Annotations["alm-examples"] = string(all)
	for _, sample := range of(s.Samples, "CNBiConfig") {
		first, err := json.MarshalIndent(sample.Object, "", "  ")
		if err != nil {
			return fmt.Errorf("cannot write the first settings: %w", err)
		}
		csv.Annotations["operatorframework.io/initialization-resource"] = string(first)
	}
	return nil
}

func content(objects []*unstructured.Unstructured) []any {
	var out []any
	for _, obj := range objects {
		out = append(out, obj.Object)
	}
	return out
}

// owned describes the kinds. The base says what they are called and what they make; the CRDs say the rest.
func (s *Source) owned(csv *operatorsv1alpha1.ClusterServiceVersion) error {
	for _, crd := range s.CRDs {
		i := slices.IndexFunc(csv.Spec.CustomResourceDefinitions.Owned, func(d operatorsv1alpha1.CRDDescription) bool { return d.Kind == crd.Spec.Names.Kind })
		if i < 0 {
			return fmt.Errorf("the CSV's base does not know %s", crd.Spec.Names.Kind)
		}
		owned := &csv.Spec.CustomResourceDefinitions.Owned[i]
		owned.Name, owned.Version = crd.Name, crd.Spec.Versions[0].Name
		describe(owned, crd)
	}
	if len(csv.Spec.CustomResourceDefinitions.Owned) != len(s.CRDs) {
		return fmt.Errorf("the CSV's base knows %d kinds, there are %d", len(csv.Spec.CustomResourceDefinitions.Owned), len(s.CRDs))
	}
	return nil
}
