package bundle

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	operatorsv1alpha1 "github.com/operator-framework/api/pkg/operators/v1alpha1"
	rbacv1 "k8s.io/api/rbac/v1"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/yaml"
)

// TestKinds compares the CRDs with those that the API's types give, and the CSV's list of kinds with the CRDs.
func TestKinds(t *testing.T) {
	var shipped, owned []string
	for _, crd := range built.V1CRDs {
		shipped = append(shipped, crd.Name)
		content, err := os.ReadFile(filepath.Join(root, "config", "crd", "bases", "meteor.zone_"+crd.Spec.Names.Plural+".yaml"))
		must(t, err)
		want := &apiextensionsv1.CustomResourceDefinition{}
		must(t, yaml.Unmarshal(content, want))
		if diff := cmp.Diff(want.Spec, crd.Spec); diff != "" {
			t.Errorf("the bundle's %s is not config/crd's, run make bundle (-want +got):\n%s", crd.Name, diff)
		}
	}
	for _, d := range built.CSV.Spec.CustomResourceDefinitions.Owned {
		owned = append(owned, d.Name)
		if d.DisplayName == "" || d.Description == "" || len(d.Resources) == 0 || d.Version != "v1alpha1" {
			t.Errorf("the CSV says too little of %s", d.Name)
		}
	}
	slices.Sort(shipped)
	slices.Sort(owned)
	if diff := cmp.Diff(shipped, owned); diff != "" {
		t.Errorf("kinds (-CRDs +CSV):\n%s", diff)
	}
	if len(built.CSV.Spec.CustomResourceDefinitions.Required) > 0 || len(built.Dependencies) > 0 {
		t.Error("the bundle depends on something: no catalogue has it under one name")
	}
}

// TestRights compares what OLM grants with what config/default grants, verb by verb.
func TestRights(t *testing.T) {
	want := map[string]bool{}
	roles := map[string][]rbacv1.PolicyRule{}
	for _, obj := range source.Install {
		if kind := obj.GetKind(); kind == "Role" || kind == "ClusterRole" {
			var role rbacv1.Role
			must(t, runtime.DefaultUnstructuredConverter.FromUnstructured(obj.Object, &role))
			roles[kind+role.Name] = role.Rules
		}
	}
	for _, obj := range source.Install {
		if kind := obj.GetKind(); kind == "RoleBinding" || kind == "ClusterRoleBinding" {
			var binding rbacv1.RoleBinding
			must(t, runtime.DefaultUnstructuredConverter.FromUnstructured(obj.Object, &binding))
			spell(want, roles[binding.RoleRef.Kind+binding.RoleRef.Name])
		}
	}
	got := map[string]bool{}
	strategy := built.CSV.Spec.InstallStrategy.StrategySpec
	account := source.Deployment.Spec.Template.Spec.ServiceAccountName
	for _, p := range append(slices.Clone(strategy.Permissions), strategy.ClusterPermissions...) {
		if p.ServiceAccountName != account {
			t.Errorf("rights for account %q, the manager runs as %q", p.ServiceAccountName, account)
		}
		spell(got, p.Rules)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("rights (-config/default +CSV):\n%s", diff)
	}
}

func spell(into map[string]bool, rules []rbacv1.PolicyRule) {
	for _, rule := range rules {
		for _, group := range rule.APIGroups {
			for _, resource := range rule.Resources {
				for _, verb := range rule.Verbs {
					into[fmt.Sprintf("%s %s/%s %v", verb, group, resource, rule.ResourceNames)] = true
				}
			}
		}
		for _, url := range rule.NonResourceURLs {
			into[fmt.Sprintf("%v %s", rule.Verbs, url)] = true
		}
	}
}

// TestScopes asks a real kube-apiserver which resources are in namespaces: those must be granted where the install mode
// says, and the others for the cluster, or OLM grants them in vain.
func TestScopes(t *testing.T) {
	lists, err := served.ServerPreferredResources()
	must(t, err)
	namespaced := map[string]bool{}
	for _, list := range lists {
		group, _, found := strings.Cut(list.GroupVersion, "/")
		if !found {
			group = ""
		}
		for _, r := range list.APIResources {
			namespaced[group+"/"+r.Name] = r.Namespaced
		}
	}
	// Of others, all in namespaces.
	others := []string{"tekton.dev", "image.openshift.io", "route.openshift.io", "build.openshift.io"}
	strategy := built.CSV.Spec.InstallStrategy.StrategySpec
	check := func(permissions []operatorsv1alpha1.StrategyDeploymentPermissions, want bool) {
		for _, p := range permissions {
			for _, rule := range p.Rules {
				for _, resource := range rule.Resources {
					resource, _, _ = strings.Cut(resource, "/")
					got, known := namespaced[rule.APIGroups[0]+"/"+resource]
					if !known {
						got = slices.Contains(others, rule.APIGroups[0])
					}
					if len(rule.APIGroups) != 1 || got != want {
						t.Errorf("%v %s: in a namespace: %t, granted as if: %t", rule.APIGroups, resource, got, want)
					}
				}
			}
		}
	}
	check(strategy.Permissions, true)
	check(strategy.ClusterPermissions, false)
}

// TestDeployment compares what OLM starts with what config/default starts.
func TestDeployment(t *testing.T) {
	deployments := built.CSV.Spec.InstallStrategy.StrategySpec.DeploymentSpecs
	if len(deployments) != 1 {
		t.Fatalf("the CSV has %d Deployments, not one", len(deployments))
	}
	if deployments[0].Name != source.Deployment.Name {
		t.Errorf("the Deployment is called %q, not %q", deployments[0].Name, source.Deployment.Name)
	}
	if diff := cmp.Diff(source.Deployment.Spec, deployments[0].Spec); diff != "" {
		t.Errorf("the Deployment (-config/default +CSV):\n%s", diff)
	}
}

// TestImages wants every image by its digest and on the list of those to mirror.
func TestImages(t *testing.T) {
	related := map[string]bool{}
	for _, r := range built.CSV.Spec.RelatedImages {
		related[r.Image] = true
		if _, digest, _ := strings.Cut(r.Image, "@sha256:"); len(digest) != 64 || r.Name == "" {
			t.Errorf("%q is not a name and an image by digest", r)
		}
	}
	for _, container := range built.CSV.Spec.InstallStrategy.StrategySpec.DeploymentSpecs[0].Spec.Template.Spec.Containers {
		if !related[container.Image] {
			t.Errorf("%s is not a related image", container.Image)
		}
		if built.CSV.Annotations["containerImage"] != container.Image {
			t.Errorf("the annotation says image %s, the Deployment %s", built.CSV.Annotations["containerImage"], container.Image)
		}
		for _, variable := range container.Env {
			if strings.HasSuffix(variable.Name, "_IMAGE") && variable.Value != "" && !related[variable.Value] {
				t.Errorf("%s=%s is not a related image", variable.Name, variable.Value)
			}
		}
	}
}

// TestExamples applies them to a real kube-apiserver.
func TestExamples(t *testing.T) {
	var examples []map[string]any
	must(t, json.Unmarshal([]byte(built.CSV.Annotations["alm-examples"]), &examples))
	var want []map[string]any
	for _, sample := range source.Samples {
		want = append(want, sample.Object)
	}
	if diff := cmp.Diff(want, examples); diff != "" {
		t.Errorf("examples (-config/samples +CSV):\n%s", diff)
	}
	var first map[string]any
	must(t, json.Unmarshal([]byte(built.CSV.Annotations["operatorframework.io/initialization-resource"]), &first))
	if first["kind"] != "CNBiConfig" {
		t.Errorf("the console asks to begin with a %s, not with a CNBiConfig", first["kind"])
	}
	kinds := map[string]bool{}
	for _, example := range append(examples, first) {
		kinds[fmt.Sprint(example["kind"])] = true
		obj := unstructuredOf(example)
		if obj.GetKind() != "CNBiConfig" {
			obj.SetNamespace("default")
		}
		if err := k8s.Apply(t.Context(), client.ApplyConfigurationFromUnstructured(obj), client.FieldOwner("console")); err != nil {
			t.Errorf("%s %q is refused: %v", obj.GetKind(), obj.GetName(), err)
		}
	}
	for _, crd := range built.V1CRDs {
		if !kinds[crd.Spec.Names.Kind] {
			t.Errorf("there is no example of %s", crd.Spec.Names.Kind)
		}
	}
}

// TestInstallFile compares dist/install.yaml with config/default.
func TestInstallFile(t *testing.T) {
	want := map[string]any{}
	for _, obj := range source.Install {
		want[obj.GetKind()+"/"+obj.GetNamespace()+"/"+obj.GetName()] = obj.Object
	}
	got := map[string]any{}
	for _, object := range readStream(t, "dist/install.yaml") {
		obj := unstructuredOf(object)
		got[obj.GetKind()+"/"+obj.GetNamespace()+"/"+obj.GetName()] = object
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("what is installed, run make bundle (-config/default +dist/install.yaml):\n%s", diff)
	}
}
