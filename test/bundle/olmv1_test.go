package bundle

import (
	"slices"
	"strings"
	"testing"

	operatorsv1alpha1 "github.com/operator-framework/api/pkg/operators/v1alpha1"
	corev1 "k8s.io/api/core/v1"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	"k8s.io/apimachinery/pkg/util/sets"
	"k8s.io/apimachinery/pkg/util/validation"
)

// installed are the kinds that both OLMs take from a bundle's manifests.
var installed = sets.New("ClusterServiceVersion", "CustomResourceDefinition", "ClusterRole", "ClusterRoleBinding", "Role", "RoleBinding",
	"ConfigMap", "Secret", "Service", "ServiceAccount", "PodDisruptionBudget", "PriorityClass")

// breaking are kinds whose API may be absent, or that catalogues refuse.
var breaking = sets.New("ServiceMonitor", "PrometheusRule", "NetworkPolicy", "ConsoleYAMLSample", "ConsoleQuickStart", "ConsolePlugin", "ConsoleLink", "ConsoleCLIDownload")

// TestOLMv1 wants nothing in the bundle that OLM v1 refuses, and nothing that makes an install of either OLM fail where an
// API is absent.
func TestOLMv1(t *testing.T) {
	spec := built.CSV.Spec
	modes := map[operatorsv1alpha1.InstallModeType]bool{}
	for _, mode := range spec.InstallModes {
		modes[mode.Type] = mode.Supported
	}
	for _, mode := range []operatorsv1alpha1.InstallModeType{"AllNamespaces", "OwnNamespace", "SingleNamespace", "MultiNamespace"} {
		if !modes[mode] {
			t.Errorf("install mode %s is not supported: OLM v1 needs the first, users want all", mode)
		}
	}
	if len(spec.WebhookDefinitions) > 0 || len(spec.APIServiceDefinitions.Owned)+len(spec.APIServiceDefinitions.Required) > 0 {
		t.Error("the bundle has webhooks or API services: OLM v1 installs none without a certificate provider")
	}
	if len(built.Dependencies) > 0 {
		t.Error("the bundle has dependencies: OLM v1 resolves none")
	}
	for _, entry := range readStream(t, "catalog/meteor-operator/catalog.yaml") {
		properties, _ := entry["properties"].([]any)
		for _, p := range properties {
			kind, _ := p.(map[string]any)["type"].(string)
			if strings.HasSuffix(kind, ".required") || kind == "olm.constraint" || kind == "olm.maxOpenShiftVersion" {
				t.Errorf("%s has the property %s", entry["name"], kind)
			}
		}
	}
	seen := sets.New[string]()
	for _, obj := range built.Objects {
		key := obj.GetKind() + "/" + obj.GetName()
		if seen.Has(key) || !installed.Has(obj.GetKind()) || breaking.Has(obj.GetKind()) {
			t.Errorf("%s is there twice, or of a kind that no bundle should have", key)
		}
		seen.Insert(key)
		if obj.GetNamespace() != "" {
			t.Errorf("%s names its namespace: it is the admin who chooses one", key)
		}
	}
}

// TestOLMv1Strategy checks names and accounts as OLM v1 does before it installs.
func TestOLMv1Strategy(t *testing.T) {
	strategy := built.CSV.Spec.InstallStrategy.StrategySpec
	if built.CSV.Spec.InstallStrategy.StrategyName != operatorsv1alpha1.InstallStrategyNameDeployment {
		t.Errorf("install strategy %q", built.CSV.Spec.InstallStrategy.StrategyName)
	}
	for _, deployment := range strategy.DeploymentSpecs {
		if problems := validation.IsDNS1123Subdomain(deployment.Name); len(problems) > 0 {
			t.Errorf("Deployment %q: %v", deployment.Name, problems)
		}
		account := deployment.Spec.Template.Spec.ServiceAccountName
		granted := func(p operatorsv1alpha1.StrategyDeploymentPermissions) bool { return p.ServiceAccountName == account }
		if account == "default" || !slices.ContainsFunc(strategy.Permissions, granted) || !slices.ContainsFunc(strategy.ClusterPermissions, granted) {
			t.Errorf("account %q of Deployment %q has no rights", account, deployment.Name)
		}
		variables := deployment.Spec.Template.Spec.Containers[0].Env
		i := slices.IndexFunc(variables, func(v corev1.EnvVar) bool { return v.Name == "WATCH_NAMESPACE" })
		if i < 0 || variables[i].ValueFrom == nil || variables[i].ValueFrom.FieldRef.FieldPath != "metadata.annotations['olm.targetNamespaces']" {
			t.Error("the manager does not ask OLM which namespaces to watch")
		}
	}
}

// TestUpgradesOfCRDs wants of each CRD what OLM v1 checks before it replaces one: a single way of conversion, and each
// version that is stored also served.
func TestUpgradesOfCRDs(t *testing.T) {
	for _, crd := range built.V1CRDs {
		if c := crd.Spec.Conversion; c != nil && c.Strategy != apiextensionsv1.NoneConverter {
			t.Errorf("%s is converted by %s", crd.Name, c.Strategy)
		}
		for _, version := range crd.Spec.Versions {
			if version.Storage && !version.Served || version.Deprecated {
				t.Errorf("%s %s is stored and not served, or deprecated", crd.Name, version.Name)
			}
		}
	}
}
