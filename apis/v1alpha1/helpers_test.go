package v1alpha1

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

func TestBuildTypeCanonical(t *testing.T) {
	tests := map[BuildType]BuildType{
		BuildTypeImageImport:   BuildTypeImageImport,
		BuildTypeImportImage:   BuildTypeImageImport,
		BuildTypePackageList:   BuildTypePackageList,
		BuildTypeGitRepository: BuildTypeGitRepository,
	}
	for given, want := range tests {
		if got := given.Canonical(); got != want {
			t.Errorf("%s.Canonical() = %s, want %s", given, got, want)
		}
	}
}

func TestAliases(t *testing.T) {
	type names struct{ Base, Repository string }
	tests := map[string]struct {
		spec CustomNBImageSpec
		want names
	}{
		"neither":     {},
		"newer names": {spec: CustomNBImageSpec{BuilderImage: "a", RepositoryURL: "b"}, want: names{"a", "b"}},
		"older names": {spec: CustomNBImageSpec{BaseImage: "a", Repository: "b"}, want: names{"a", "b"}},
		"both names": {
			spec: CustomNBImageSpec{BuilderImage: "a", BaseImage: "a", RepositoryURL: "b", Repository: "b"},
			want: names{"a", "b"},
		},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			got := names{tc.spec.Base(), tc.spec.RepositoryAddress()}
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Errorf("resolved names (-want, +got):\n%s", diff)
			}
		})
	}
}

func TestPresentation(t *testing.T) {
	type presentation struct{ Name, Description, Creator string }
	tests := map[string]struct {
		annotations map[string]string
		want        presentation
	}{
		"no annotations": {want: presentation{Name: "minimal"}},
		"blank name": {
			annotations: map[string]string{AnnotationNotebookImageName: " \n"},
			want:        presentation{Name: "minimal"},
		},
		"all three": {
			annotations: map[string]string{
				AnnotationNotebookImageName:    "Minimal notebook",
				AnnotationNotebookImageDesc:    "Nothing else",
				AnnotationNotebookImageCreator: "admin",
			},
			want: presentation{Name: "Minimal notebook", Description: "Nothing else", Creator: "admin"},
		},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			image := &CustomNBImage{ObjectMeta: metav1.ObjectMeta{Name: "minimal", Annotations: tc.annotations}}
			got := presentation{image.DisplayName(), image.Description(), image.Creator()}
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Errorf("presentation (-want, +got):\n%s", diff)
			}
		})
	}
}

func TestRefreshPolicyOrDefault(t *testing.T) {
	tests := map[string]struct {
		refresh *RefreshSpec
		want    RefreshPolicy
	}{
		"left out":  {want: RefreshNever},
		"no policy": {refresh: &RefreshSpec{}, want: RefreshNever},
		"a policy":  {refresh: &RefreshSpec{Policy: RefreshInterval}, want: RefreshInterval},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			spec := CustomNBImageSpec{Refresh: tc.refresh}
			if got := spec.RefreshPolicyOrDefault(); got != tc.want {
				t.Errorf("RefreshPolicyOrDefault() = %s, want %s", got, tc.want)
			}
		})
	}
}

func TestValidationSeverities(t *testing.T) {
	spec := ValidationSpec{Checks: []CheckSeverity{
		{Name: CheckPip, Severity: SeverityWarning},
		{Name: CheckJupyter, Severity: SeverityError},
		{Name: CheckHome, Severity: SeverityWarning},
	}}
	want := map[ValidationCheck]ValidationSeverity{
		CheckPip:     SeverityWarning,
		CheckJupyter: SeverityError,
		CheckStartup: SeverityError,
	}
	for check, severity := range want {
		if got := spec.Severity(check); got != severity {
			t.Errorf("Severity(%s) = %s, want %s", check, got, severity)
		}
	}
	if diff := cmp.Diff([]string{"home", "pip"}, spec.Warnings()); diff != "" {
		t.Errorf("Warnings() (-want, +got):\n%s", diff)
	}
}

func TestRuntimeEnvironmentImage(t *testing.T) {
	env := RuntimeEnvironment{OSName: "ubi", OSVersion: "9", PythonVersion: "3.11"}
	spec := CNBiConfigSpec{RuntimeEnvironments: []RuntimeEnvironmentImage{{RuntimeEnvironment: env, Image: "quay.io/org/image:1"}}}
	if got, ok := spec.Image(env); got != "quay.io/org/image:1" || !ok {
		t.Errorf("Image(%v) = %q, %t, want the image", env, got, ok)
	}
	env.PythonVersion = "3.12"
	if got, ok := spec.Image(env); got != "" || ok {
		t.Errorf("Image(%v) = %q, %t, want none", env, got, ok)
	}
}

func TestExcludes(t *testing.T) {
	spec := NamespacesSpec{Exclude: []string{"default", "openshift-*"}}
	tests := map[string]bool{
		"default":          true,
		"default-2":        false,
		"openshift-config": true,
		"openshift":        false,
		"team":             false,
	}
	for namespace, want := range tests {
		if got := spec.Excludes(namespace); got != want {
			t.Errorf("Excludes(%q) = %t, want %t", namespace, got, want)
		}
	}
}

func TestInsecureFor(t *testing.T) {
	tests := map[string]struct {
		spec RegistrySpec
		host string
		want RegistryInsecurity
	}{
		"nothing said": {host: "quay.io", want: InsecureNever},
		"no registry":  {spec: RegistrySpec{Insecure: InsecurePlainHTTP}, host: "", want: InsecureNever},
		"registry of the template": {
			spec: RegistrySpec{Repository: "registry.local:5000/{namespace}/{name}", Insecure: InsecurePlainHTTP},
			host: "registry.local:5000",
			want: InsecurePlainHTTP,
		},
		"listed": {
			spec: RegistrySpec{Insecure: InsecureSkipVerify, InsecureHosts: []string{"registry.local:5000"}},
			host: "registry.local:5000",
			want: InsecureSkipVerify,
		},
		"listed with another port": {
			spec: RegistrySpec{Insecure: InsecureSkipVerify, InsecureHosts: []string{"registry.local:5000"}},
			host: "registry.local",
			want: InsecureNever,
		},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			if got := tc.spec.InsecureFor(tc.host); got != tc.want {
				t.Errorf("InsecureFor(%q) = %s, want %s", tc.host, got, tc.want)
			}
		})
	}
}
