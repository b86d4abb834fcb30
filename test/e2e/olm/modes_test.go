//go:build e2e

package olm

import (
	"context"
	"slices"
	"testing"

	operatorsv1alpha1 "github.com/operator-framework/api/pkg/operators/v1alpha1"
	authorizationv1 "k8s.io/api/authorization/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/meteor-zone/meteor-operator/apis/v1alpha1"
	"github.com/meteor-zone/meteor-operator/hack/operator"
)

// TestInstallModes installs for namespaces and for all. Objects elsewhere are left alone, and nothing may be done there.
func TestInstallModes(t *testing.T) {
	cases := map[string]func(own, one, two string) []string{
		"OwnNamespace":    func(own, _, _ string) []string { return []string{own} },
		"SingleNamespace": func(_, one, _ string) []string { return []string{one} },
		"MultiNamespace":  func(_, one, two string) []string { return []string{one, two} },
		"AllNamespaces":   func(_, _, _ string) []string { return nil },
	}
	for name, targets := range cases {
		t.Run(name, func(t *testing.T) {
			own, one, two := namespace(t, restricted), namespace(t, restricted), namespace(t, restricted)
			elsewhere := namespace(t, restricted)
			watched := targets(own, one, two)
			i := install(t, catalogueBefore, own, watched...)
			i.succeeds(before)
			configure(t)
			image(t, elsewhere, "elsewhere", "jupyter")
			here := watched
			if len(here) == 0 {
				here = []string{own, one, two, elsewhere}
			}
			for _, ns := range here {
				if ns != elsewhere {
					image(t, ns, "here", "jupyter")
				}
			}
			for _, ns := range here {
				if ns != elsewhere {
					ready(t, ns, "here")
				}
			}
			if len(watched) == 0 {
				ready(t, elsewhere, "elsewhere")
			} else {
				alone(t, elsewhere)
				shown(t, watched, elsewhere)
				bounded(t, own, watched, elsewhere)
			}
			if name == "SingleNamespace" {
				overlap(t, i, two, one)
				i.regroup(append(watched, elsewhere)...)
				ready(t, elsewhere, "elsewhere")
			}
			i.uninstall()
		})
	}
}

// alone wants an object on which nobody has acted.
func alone(t *testing.T, in string) {
	t.Helper()
	obj := &v1alpha1.CustomNBImage{}
	must(t, k8s.Get(t.Context(), client.ObjectKey{Namespace: in, Name: "elsewhere"}, obj))
	// Phase and generation are the CRD's defaults for what nobody has looked at.
	if len(obj.Status.Conditions) > 0 || obj.Status.ObservedGeneration != -1 || obj.Status.Phase != v1alpha1.PhasePending {
		t.Errorf("an object that is not the operator's has status %+v", obj.Status)
	}
	if runs := runsIn(t, in); len(runs) > 0 {
		t.Errorf("there are runs where the operator has no business: %v", runs)
	}
}

// shown wants what a user can tell by who looks after a namespace: OLM copies the version to those that are watched.
func shown(t *testing.T, watched []string, elsewhere string) {
	t.Helper()
	for _, ns := range append(slices.Clone(watched), elsewhere) {
		list := &operatorsv1alpha1.ClusterServiceVersionList{}
		must(t, k8s.List(t.Context(), list, client.InNamespace(ns)))
		if there := len(list.Items) == 1; there != (ns != elsewhere) {
			t.Errorf("there are %d versions shown in %s, which is one of those to be watched: %t", len(list.Items), ns, ns != elsewhere)
		}
	}
}

// overlap asks for a second operator in another namespace, for one that the first looks after: OLM does not start it.
func overlap(t *testing.T, first *installation, into, target string) {
	t.Helper()
	i := &installation{t: t, namespace: into, source: first.source}
	i.group(target)
	i.subscribe()
	until(t, "OLM refuses a second operator for a namespace", i.state, func(ctx context.Context) (bool, error) {
		csv, err := i.csv(ctx, before)
		return csv.Status.Reason == operatorsv1alpha1.CSVReasonInterOperatorGroupOwnerConflict, client.IgnoreNotFound(err)
	})
	i.uninstall()
	first.succeeds(before)
}

// bounded asks the cluster what the manager's account may do.
func bounded(t *testing.T, own string, watched []string, elsewhere string) {
	t.Helper()
	account := rbacv1.Subject{Kind: rbacv1.ServiceAccountKind, Namespace: own, Name: operator.Deployment}
	for _, asked := range []authorizationv1.ResourceAttributes{
		{Verb: "create", Group: "tekton.dev", Resource: "pipelineruns"},
		{Verb: "list", Group: "meteor.zone", Resource: "customnbimages"},
		{Verb: "get", Resource: "secrets"},
	} {
		for _, ns := range watched {
			if !may(t, account, ns, asked) {
				t.Errorf("the manager may not %s %s in %s, which it watches", asked.Verb, asked.Resource, ns)
			}
		}
		for _, ns := range []string{elsewhere, ""} {
			if may(t, account, ns, asked) {
				t.Errorf("the manager may %s %s in %q, which it does not watch", asked.Verb, asked.Resource, ns)
			}
		}
	}
}

func may(t *testing.T, account rbacv1.Subject, in string, asked authorizationv1.ResourceAttributes) bool {
	t.Helper()
	asked.Namespace = in
	review := &authorizationv1.SubjectAccessReview{Spec: authorizationv1.SubjectAccessReviewSpec{
		User: "system:serviceaccount:" + account.Namespace + ":" + account.Name, ResourceAttributes: &asked,
		Groups: []string{"system:serviceaccounts", "system:serviceaccounts:" + account.Namespace, "system:authenticated"},
	}}
	must(t, k8s.Create(t.Context(), review))
	return review.Status.Allowed
}
