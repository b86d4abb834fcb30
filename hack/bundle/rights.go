package bundle

import (
	"fmt"
	"strings"

	operatorsv1alpha1 "github.com/operator-framework/api/pkg/operators/v1alpha1"
	rbacv1 "k8s.io/api/rbac/v1"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

// clusterScoped are the resources of others that are in no namespace and that an operator may want. "*" stands for all
// of a group.
var clusterScoped = map[schema.GroupResource]bool{
	{Resource: "namespaces"}:                                              true,
	{Resource: "nodes"}:                                                   true,
	{Resource: "persistentvolumes"}:                                       true,
	{Group: "apiextensions.k8s.io", Resource: "*"}:                        true,
	{Group: "apiregistration.k8s.io", Resource: "*"}:                      true,
	{Group: "authentication.k8s.io", Resource: "*"}:                       true,
	{Group: "authorization.k8s.io", Resource: "selfsubjectaccessreviews"}: true,
	{Group: "authorization.k8s.io", Resource: "subjectaccessreviews"}:     true,
	{Group: "config.openshift.io", Resource: "*"}:                         true,
	{Group: "rbac.authorization.k8s.io", Resource: "clusterrolebindings"}: true,
	{Group: "rbac.authorization.k8s.io", Resource: "clusterroles"}:        true,
	{Group: "scheduling.k8s.io", Resource: "*"}:                           true,
	{Group: "security.openshift.io", Resource: "*"}:                       true,
	{Group: "storage.k8s.io", Resource: "*"}:                              true,
}

// rights are an account's rules, by where OLM grants them: in the namespaces that are watched, or in all the cluster.
type rights struct {
	account    string
	namespaced []rbacv1.PolicyRule
	cluster    []rbacv1.PolicyRule
}

// readRights gathers the rules that config/default binds to the manager's account. How they are bound there, by a role
// or by a cluster role, does not matter: what is in a namespace is granted in the namespaces that the operator watches.
func (s *Source) readRights() (rights, error) {
	r := rights{account: s.Deployment.Spec.Template.Spec.ServiceAccountName}
	rules := map[string][]rbacv1.PolicyRule{}
	for _, obj := range of(s.Install, "Role", "ClusterRole") {
		var role rbacv1.ClusterRole
		if err := convert(obj, &role); err != nil {
			return r, err
		}
		rules[obj.GetKind()+"/"+obj.GetName()] = role.Rules
	}
	for _, obj := range of(s.Install, "RoleBinding", "ClusterRoleBinding") {
		var binding rbacv1.RoleBinding
		if err := convert(obj, &binding); err != nil {
			return r, err
		}
		if len(binding.Subjects) != 1 || binding.Subjects[0].Name != r.account {
			return r, fmt.Errorf("%s %q binds more than the manager's account: OLM cannot grant that", obj.GetKind(), obj.GetName())
		}
		role := binding.RoleRef.Kind + "/" + binding.RoleRef.Name
		if _, ok := rules[role]; !ok {
			return r, fmt.Errorf("%s %q binds %s, which is not there", obj.GetKind(), obj.GetName(), role)
		}
		for _, rule := range rules[role] {
			r.add(rule, s.CRDs)
		}
	}
	return r, nil
}

// add splits a rule by the scope of its resources.
func (r *rights) add(rule rbacv1.PolicyRule, crds []*apiextensionsv1.CustomResourceDefinition) {
	if len(rule.NonResourceURLs) > 0 {
		r.cluster = append(r.cluster, rule)
		return
	}
	here, everywhere := *rule.DeepCopy(), *rule.DeepCopy()
	here.Resources, everywhere.Resources = nil, nil
	for _, resource := range rule.Resources {
		if inNoNamespace(rule.APIGroups[0], resource, crds) {
			everywhere.Resources = append(everywhere.Resources, resource)
		} else {
			here.Resources = append(here.Resources, resource)
		}
	}
	if len(here.Resources) > 0 {
		r.namespaced = append(r.namespaced, here)
	}
	if len(everywhere.Resources) > 0 {
		r.cluster = append(r.cluster, everywhere)
	}
}

func inNoNamespace(group, resource string, crds []*apiextensionsv1.CustomResourceDefinition) bool {
	plural, _, _ := strings.Cut(resource, "/")
	for _, crd := range crds {
		if crd.Spec.Group == group && crd.Spec.Names.Plural == plural {
			return crd.Spec.Scope == apiextensionsv1.ClusterScoped
		}
	}
	return clusterScoped[schema.GroupResource{Group: group, Resource: plural}] || clusterScoped[schema.GroupResource{Group: group, Resource: "*"}]
}

func (r rights) permissions() (namespaced, cluster []operatorsv1alpha1.StrategyDeploymentPermissions) {
	namespaced = []operatorsv1alpha1.StrategyDeploymentPermissions{{ServiceAccountName: r.account, Rules: r.namespaced}}
	cluster = []operatorsv1alpha1.StrategyDeploymentPermissions{{ServiceAccountName: r.account, Rules: r.cluster}}
	return namespaced, cluster
}
