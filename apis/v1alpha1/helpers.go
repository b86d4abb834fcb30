package v1alpha1

import (
	"slices"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// Canonical returns the build type by its present name.
func (b BuildType) Canonical() BuildType {
	if b == BuildTypeImportImage {
		return BuildTypeImageImport
	}
	return b
}

// Base returns the image to build on: builderImage, or baseImage, its older
// name. It is empty when a runtime environment is asked for instead.
func (s *CustomNBImageSpec) Base() string {
	if s.BuilderImage != "" {
		return string(s.BuilderImage)
	}
	return string(s.BaseImage)
}

// RepositoryAddress returns the repository to build from: repositoryUrl, or
// repository, its older name.
func (s *CustomNBImageSpec) RepositoryAddress() string {
	if s.RepositoryURL != "" {
		return string(s.RepositoryURL)
	}
	return string(s.Repository)
}

// RefreshPolicyOrDefault returns when to build again without an edit.
func (s *CustomNBImageSpec) RefreshPolicyOrDefault() RefreshPolicy {
	if s.Refresh == nil || s.Refresh.Policy == "" {
		return RefreshNever
	}
	return s.Refresh.Policy
}

// DisplayName returns the name to show for the image.
func (c *CustomNBImage) DisplayName() string {
	if name := strings.TrimSpace(c.Annotations[AnnotationNotebookImageName]); name != "" {
		return name
	}
	return c.Name
}

// Description returns the description to show for the image.
func (c *CustomNBImage) Description() string {
	return c.Annotations[AnnotationNotebookImageDesc]
}

// Creator returns who is shown as the image's creator.
func (c *CustomNBImage) Creator() string {
	return c.Annotations[AnnotationNotebookImageCreator]
}

// Severity returns how much a failed check matters.
func (v *ValidationSpec) Severity(check ValidationCheck) ValidationSeverity {
	for _, c := range v.Checks {
		if c.Name == check {
			return c.Severity
		}
	}
	return SeverityError
}

// Warnings returns the names of the checks that only warn, sorted.
func (v *ValidationSpec) Warnings() []string {
	var names []string
	for _, c := range v.Checks {
		if c.Severity == SeverityWarning {
			names = append(names, string(c.Name))
		}
	}
	slices.Sort(names)
	return names
}

// Image returns the image of a runtime environment, if there is one.
func (s *CNBiConfigSpec) Image(env RuntimeEnvironment) (string, bool) {
	for _, e := range s.RuntimeEnvironments {
		if e.RuntimeEnvironment == env {
			return string(e.Image), true
		}
	}
	return "", false
}

// UsesInternalRegistry tells whether built images go to OpenShift's internal
// registry, pushed with a service account's own token.
func (s *CNBiConfigSpec) UsesInternalRegistry() bool {
	return s.Registry.Repository == "" && s.Registry.PushSecret == nil && s.Publish.ImageStreams != ImageStreamsNever
}

// Excludes tells whether a namespace never gets pipelines.
func (n *NamespacesSpec) Excludes(namespace string) bool {
	return slices.ContainsFunc(n.Exclude, func(pattern string) bool {
		if prefix, ok := strings.CutSuffix(pattern, "*"); ok {
			return strings.HasPrefix(namespace, prefix)
		}
		return namespace == pattern
	})
}

// InsecureFor returns what is let pass when talking to a registry, given by
// host or host:port.
func (r *RegistrySpec) InsecureFor(host string) RegistryInsecurity {
	own, _, _ := strings.Cut(r.Repository, "/")
	if r.Insecure != "" && (slices.Contains(r.InsecureHosts, host) || own != "" && own == host) {
		return r.Insecure
	}
	return InsecureNever
}

// GetConditions returns the object's conditions.
func (c *CustomNBImage) GetConditions() []metav1.Condition { return c.Status.Conditions }

// SetConditions sets the object's conditions.
func (c *CustomNBImage) SetConditions(conditions []metav1.Condition) {
	c.Status.Conditions = conditions
}

// GetConditions returns the object's conditions.
func (m *Meteor) GetConditions() []metav1.Condition { return m.Status.Conditions }

// SetConditions sets the object's conditions.
func (m *Meteor) SetConditions(conditions []metav1.Condition) { m.Status.Conditions = conditions }

// GetConditions returns the object's conditions.
func (c *CNBiConfig) GetConditions() []metav1.Condition { return c.Status.Conditions }

// SetConditions sets the object's conditions.
func (c *CNBiConfig) SetConditions(conditions []metav1.Condition) { c.Status.Conditions = conditions }
