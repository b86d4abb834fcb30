package controllers_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"
	authorizationv1 "k8s.io/api/authorization/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
	utilyaml "k8s.io/apimachinery/pkg/util/yaml"
	"k8s.io/client-go/rest"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/meteor-zone/meteor-operator/apis/v1alpha1"
	"github.com/meteor-zone/meteor-operator/controllers"
	"github.com/meteor-zone/meteor-operator/controllers/internal/fixture"
	"github.com/meteor-zone/meteor-operator/controllers/internal/testenv"
	"github.com/meteor-zone/meteor-operator/manifests"
)

const (
	operatorNamespace = "meteor-operator-system"
	operatorAccount   = "system:serviceaccount:meteor-operator-system:meteor-operator-controller-manager"
)

// kustomized renders a folder of config as kubectl does.
func kustomized(t *testing.T, folder string) []*unstructured.Unstructured {
	t.Helper()
	out, err := exec.Command(filepath.Join(os.Getenv("KUBEBUILDER_ASSETS"), "kubectl"), "kustomize", filepath.Join("..", "config", folder)).Output()
	if err != nil {
		t.Fatalf("cannot render config/%s: %v", folder, err)
	}
	var objs []*unstructured.Unstructured
	for dec := utilyaml.NewYAMLOrJSONDecoder(bytes.NewReader(out), 4096); ; {
		u := &unstructured.Unstructured{}
		if err := dec.Decode(u); errors.Is(err, io.EOF) {
			return objs
		} else if err != nil {
			t.Fatal(err)
		}
		objs = append(objs, u)
	}
}

// install applies a folder of config, and takes it away with the test, except for the kinds, which others need.
func install(t *testing.T, folder, namespace string) {
	t.Helper()
	for _, u := range kustomized(t, folder) {
		if namespace != "" && u.GetNamespace() == "" {
			u.SetNamespace(namespace)
		}
		if err := env.Client.Apply(t.Context(), client.ApplyConfigurationFromUnstructured(u), client.FieldOwner("kubectl"), client.ForceOwnership); err != nil {
			t.Fatalf("cannot apply %s %q of config/%s: %v", u.GetKind(), u.GetName(), folder, err)
		}
		if u.GetKind() == "CustomResourceDefinition" || u.GetKind() == "Namespace" {
			continue
		}
		t.Cleanup(func() {
			if err := client.IgnoreNotFound(env.Client.Delete(context.Background(), u)); err != nil {
				t.Error(err)
			}
		})
	}
}

// startAsOperator starts everything with the rights of the operator's account.
func startAsOperator(t *testing.T, namespaces ...string) *testenv.Requests {
	t.Helper()
	requests, _ := env.As(t, operatorAccount).StartManager(t, namespaces, func(ctx context.Context, mgr ctrl.Manager) error {
		return controllers.SetupAll(ctx, mgr, controllers.Options{
			OperatorImage:   "registry.example.com/meteor-operator:1",
			Namespace:       operatorNamespace,
			WatchNamespaces: namespaces,
			Registerer:      prometheus.NewRegistry(),
			LookEvery:       200 * time.Millisecond,
		})
	})
	return requests
}

func editConfig(t *testing.T, fn func(*v1alpha1.CNBiConfig)) {
	t.Helper()
	testenv.Edit(t, env, fixture.Config().Obj(), fn)
}

// configured waits until the CNBiConfig is acted on and Ready, with so many namespaces.
func configured(t *testing.T, namespaces int32) {
	t.Helper()
	testenv.Eventually(t, "the CNBiConfig is Ready", func() error {
		c := &v1alpha1.CNBiConfig{}
		if err := env.Client.Get(t.Context(), types.NamespacedName{Name: v1alpha1.CNBiConfigName}, c); err != nil {
			return err
		}
		ready := meta.FindStatusCondition(c.Status.Conditions, v1alpha1.ConditionReady)
		if ready == nil || ready.Status != metav1.ConditionTrue || c.Status.ObservedGeneration != c.Generation || c.Status.Namespaces.Ready != namespaces {
			return fmt.Errorf("not yet: %+v", c.Status)
		}
		return nil
	})
}

func removeConfig(t *testing.T) {
	t.Helper()
	remove := func() {
		if err := client.IgnoreNotFound(env.Client.Delete(context.Background(), fixture.Config().Obj())); err != nil {
			t.Error(err)
		}
	}
	remove()
	t.Cleanup(remove)
}

// sources makes what a CNBiConfig can have copied, in the operator's namespace.
func sources(t *testing.T) {
	t.Helper()
	for _, obj := range []client.Object{
		&corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: operatorNamespace, Name: "company-ca"}, Data: map[string]string{"ca-bundle.crt": certificate(t)}},
		&corev1.Secret{
			ObjectMeta: metav1.ObjectMeta{Namespace: operatorNamespace, Name: "push"}, Type: corev1.SecretTypeDockerConfigJson,
			Data: map[string][]byte{corev1.DockerConfigJsonKey: []byte(`{"auths":{}}`)},
		},
		&corev1.Secret{
			ObjectMeta: metav1.ObjectMeta{Namespace: operatorNamespace, Name: "index"}, Type: corev1.SecretTypeBasicAuth,
			Data: map[string][]byte{"username": []byte("u"), "password": []byte("p")},
		},
	} {
		if err := env.Client.Create(t.Context(), obj); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			if err := env.Client.Delete(context.Background(), obj); err != nil {
				t.Error(err)
			}
		})
	}
}

// exercise has the operator do all that it does in namespaces, and looks that nothing was refused. In between, once
// the namespace has all that it gets, look looks at it.
func exercise(t *testing.T, requests *testenv.Requests, namespace string, look func(t *testing.T, namespace string)) {
	t.Helper()
	obj := fixture.Import(namespace, "image", "registry.example.com/a/b:1").Obj()
	if err := env.Client.Create(t.Context(), obj); err != nil {
		t.Fatal(err)
	}
	testenv.Eventually(t, "the build starts", ready(obj, v1alpha1.ReasonImporting))
	configured(t, 1)
	look(t, namespace)

	sources(t)
	editConfig(t, func(c *v1alpha1.CNBiConfig) {
		ca := &v1alpha1.ConfigMapKeyReference{Name: "company-ca", Key: "ca-bundle.crt"}
		c.Spec.Registry.CA, c.Spec.PackageIndex.CA, c.Spec.Network.TrustedCA = ca, ca, ca
		c.Spec.Registry.PushSecret = &v1alpha1.SharedSecretReference{Name: "push", Source: v1alpha1.SecretFromOperator}
		c.Spec.PackageIndex.Credentials = &v1alpha1.SharedSecretReference{Name: "index", Source: v1alpha1.SecretFromOperator}
	})
	for _, copied := range []client.Object{
		&corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: "meteor-ca"}},
		&corev1.Secret{ObjectMeta: metav1.ObjectMeta{Name: "meteor-push"}},
		&corev1.Secret{ObjectMeta: metav1.ObjectMeta{Name: "meteor-index"}},
	} {
		copied.SetNamespace(namespace)
		testenv.Eventually(t, copied.GetName()+" is there", func() error {
			return env.Client.Get(context.Background(), client.ObjectKeyFromObject(copied), copied)
		})
	}
	if err := env.Client.Delete(t.Context(), obj); err != nil {
		t.Fatal(err)
	}
	testenv.Eventually(t, "its run goes too", func() error {
		items, err := runs(namespace)
		for i := range items {
			err = errors.Join(err, client.IgnoreNotFound(env.Client.Delete(context.Background(), &items[i])))
		}
		return err
	})
	editConfig(t, func(c *v1alpha1.CNBiConfig) { c.Spec.ManagementState = v1alpha1.StateRemoved })
	testenv.Eventually(t, "everything is taken away", func() error {
		sa := &corev1.ServiceAccount{}
		err := env.Client.Get(context.Background(), types.NamespacedName{Namespace: namespace, Name: "meteor-pipeline"}, sa)
		if apierrors.IsNotFound(err) {
			return nil
		}
		return errors.Join(err, errors.New("still there"))
	})
	configured(t, 0)
	if refused := requests.Refused(); len(refused) > 0 {
		t.Errorf("these rights are missing: %s", strings.Join(refused, "\n"))
	}
}

// accountsMayNothing asks the API server whether the accounts of builds may do more in their namespace than an account
// that was given nothing.
func accountsMayNothing(t *testing.T, namespace string) {
	t.Helper()
	accountsMay(t, namespace, rulesOf(t, namespace, "default"))
}

// oneAccountMayPush is the same where images go to OpenShift's registry.
func oneAccountMayPush(t *testing.T, namespace string) {
	t.Helper()
	const layers = "image.openshift.io/imagestreams/layers []"
	want := append([]string{"get " + layers, "update " + layers}, rulesOf(t, namespace, "default")...)
	slices.Sort(want)
	accountsMay(t, namespace, want)
}

func accountsMay(t *testing.T, namespace string, pushes []string) {
	t.Helper()
	nothing := rulesOf(t, namespace, "default")
	for account, want := range map[string][]string{"meteor-pipeline": pushes, "meteor-validate": nothing, "meteor-containerfile": nothing} {
		testenv.Eventually(t, account+" may do what a build does, and nothing else", func() error {
			if diff := cmp.Diff(want, rulesOf(t, namespace, account)); diff != "" {
				return fmt.Errorf("-want, +got: %s", diff)
			}
			return nil
		})
	}
}

// rulesOf spells out what an account may do in its namespace.
func rulesOf(t *testing.T, namespace, account string) []string {
	t.Helper()
	cfg := rest.CopyConfig(env.Config)
	cfg.Impersonate = rest.ImpersonationConfig{
		UserName: "system:serviceaccount:" + namespace + ":" + account,
		Groups:   []string{"system:serviceaccounts", "system:serviceaccounts:" + namespace, "system:authenticated"},
	}
	as, err := client.New(cfg, client.Options{})
	if err != nil {
		t.Fatal(err)
	}
	review := &authorizationv1.SelfSubjectRulesReview{Spec: authorizationv1.SelfSubjectRulesReviewSpec{Namespace: namespace}}
	if err := as.Create(t.Context(), review); err != nil {
		t.Fatal(err)
	}
	var all []string
	for _, rule := range review.Status.ResourceRules {
		forEach(rbacv1.PolicyRule{APIGroups: rule.APIGroups, Resources: rule.Resources, Verbs: rule.Verbs}, func(group, resource, verb string) {
			all = append(all, fmt.Sprintf("%s %s/%s %v", verb, group, resource, rule.ResourceNames))
		})
	}
	for _, rule := range review.Status.NonResourceRules {
		all = append(all, fmt.Sprintf("%v %v", rule.Verbs, rule.NonResourceURLs))
	}
	slices.Sort(all)
	return slices.Compact(all)
}

// TestRightsSuffice runs the operator with what config/default gives it.
func TestRightsSuffice(t *testing.T) {
	env.InstallTekton(t)
	removeConfig(t)
	install(t, "default", "")
	env.InstallImageStreams(t)
	t.Cleanup(func() { env.RemoveImageStreams(t) })
	exercise(t, startAsOperator(t), env.Namespace(t), oneAccountMayPush)
}

// TestRightsInSomeNamespaces runs it with what config/namespaced gives it: rights in one namespace, and on its own
// settings.
func TestRightsInSomeNamespaces(t *testing.T) {
	env.InstallTekton(t)
	removeConfig(t)
	install(t, "namespaced", "")
	ns, other := env.Namespace(t), env.Namespace(t)
	install(t, filepath.Join("namespaced", "namespace"), ns)
	obj := fixture.Import(other, "image", "registry.example.com/a/b:1").Obj()
	if err := env.Client.Create(t.Context(), obj); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := env.Client.Delete(context.Background(), obj); err != nil {
			t.Error(err)
		}
	})
	config := fixture.Config().Edit(func(c *v1alpha1.CNBiConfig) {
		c.Spec.Namespaces = v1alpha1.NamespacesSpec{
			Mode:     v1alpha1.NamespacesSelected,
			Selector: &metav1.LabelSelector{MatchExpressions: []metav1.LabelSelectorRequirement{{Key: "none", Operator: metav1.LabelSelectorOpDoesNotExist}}},
		}
	}).Obj()
	if err := env.Client.Create(t.Context(), config); err != nil {
		t.Fatal(err)
	}
	requests := startAsOperator(t, ns)
	exercise(t, requests, ns, accountsMayNothing)
	for _, w := range requests.Writes() {
		if strings.Contains(w, "/"+other+"/") {
			t.Errorf("another namespace was touched: %s", w)
		}
	}
}

// TestNobodyGetsMoreThanTheManagerHas asks the API server, as the manager, for a role with more rights than its own.
func TestNobodyGetsMoreThanTheManagerHas(t *testing.T) {
	install(t, "default", "")
	ns := env.Namespace(t)
	c, err := client.New(env.As(t, operatorAccount).Config, client.Options{})
	if err != nil {
		t.Fatal(err)
	}
	for name, rule := range map[string]rbacv1.PolicyRule{
		"everything":            {APIGroups: []string{"*"}, Resources: []string{"*"}, Verbs: []string{"*"}},
		"all secrets":           {APIGroups: []string{""}, Resources: []string{"secrets"}, Verbs: []string{"list"}},
		"escalation":            {APIGroups: []string{"rbac.authorization.k8s.io"}, Resources: []string{"roles"}, Verbs: []string{"escalate", "bind"}},
		"a role of any name":    {APIGroups: []string{"rbac.authorization.k8s.io"}, Resources: []string{"roles"}, Verbs: []string{"create"}},
		"impersonating anybody": {APIGroups: []string{""}, Resources: []string{"users"}, Verbs: []string{"impersonate"}},
	} {
		role := &unstructured.Unstructured{Object: map[string]any{"rules": []any{map[string]any{
			"apiGroups": anyOf(rule.APIGroups), "resources": anyOf(rule.Resources), "verbs": anyOf(rule.Verbs),
		}}}}
		role.SetAPIVersion("rbac.authorization.k8s.io/v1")
		role.SetKind("Role")
		role.SetNamespace(ns)
		role.SetName("meteor-pipeline")
		err := c.Apply(t.Context(), client.ApplyConfigurationFromUnstructured(role), client.FieldOwner("x"), client.ForceOwnership)
		if !apierrors.IsForbidden(err) {
			t.Errorf("%s: want it forbidden, got %v", name, err)
		}
	}
	binding := &unstructured.Unstructured{Object: map[string]any{
		"roleRef":  map[string]any{"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "cluster-admin"},
		"subjects": []any{map[string]any{"kind": "ServiceAccount", "name": "meteor-pipeline"}},
	}}
	binding.SetAPIVersion("rbac.authorization.k8s.io/v1")
	binding.SetKind("RoleBinding")
	binding.SetNamespace(ns)
	binding.SetName("meteor-pipeline")
	err = c.Apply(t.Context(), client.ApplyConfigurationFromUnstructured(binding), client.FieldOwner("x"), client.ForceOwnership)
	if !apierrors.IsForbidden(err) {
		t.Errorf("cluster-admin: want it forbidden, got %v", err)
	}
}

func anyOf(texts []string) []any {
	var all []any
	for _, t := range texts {
		all = append(all, t)
	}
	return all
}

// TestRightsNameWhatIsInstalled holds the rights on kinds that are granted by name against what is installed.
func TestRightsNameWhatIsInstalled(t *testing.T) {
	objs, err := manifests.Objects(manifests.Options{BuilderImage: "any", BuildahImage: "any", IndexForwarder: true, Containerfiles: "Unprivileged"})
	if err != nil {
		t.Fatal(err)
	}
	role := &rbacv1.ClusterRole{}
	for _, u := range kustomized(t, "default") {
		if u.GetKind() == "ClusterRole" && u.GetName() == "meteor-operator-manager" {
			decode(t, u, role)
		}
	}
	resources := map[string]string{
		"ServiceAccount": "serviceaccounts", "Secret": "secrets", "ConfigMap": "configmaps", "Role": "roles",
		"RoleBinding": "rolebindings", "Task": "tasks", "Pipeline": "pipelines",
	}
	for _, u := range objs {
		for _, verb := range []string{"list", "watch", "create", "patch", "delete"} {
			if !slices.ContainsFunc(role.Rules, func(r rbacv1.PolicyRule) bool {
				return slices.Contains(r.APIGroups, u.GroupVersionKind().Group) && slices.Contains(r.Resources, resources[u.GetKind()]) &&
					slices.Contains(r.Verbs, verb) && (len(r.ResourceNames) == 0 || slices.Contains(r.ResourceNames, u.GetName()))
			}) {
				t.Errorf("the manager may not %s %s %q: add the name to the markers in controllers/cnbiconfig", verb, u.GetKind(), u.GetName())
			}
		}
	}
	for _, rule := range role.Rules {
		for _, verb := range append(slices.Clone(rule.Verbs), rule.Resources...) {
			if slices.Contains([]string{"*", "escalate", "bind", "impersonate", "deletecollection"}, verb) {
				t.Errorf("the manager may %s %v", verb, rule.Resources)
			}
		}
	}
}
