package controllers_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	tektonv1 "github.com/tektoncd/pipeline/pkg/apis/pipeline/v1"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/yaml"

	"github.com/meteor-zone/meteor-operator/apis/v1alpha1"
	"github.com/meteor-zone/meteor-operator/controllers"
	"github.com/meteor-zone/meteor-operator/controllers/internal/conditionstest"
	"github.com/meteor-zone/meteor-operator/controllers/internal/fixture"
	"github.com/meteor-zone/meteor-operator/controllers/internal/testenv"
	"github.com/meteor-zone/meteor-operator/manifests"
)

var env *testenv.Env

func TestMain(m *testing.M) { testenv.Main(m, &env) }

func startAll(t *testing.T) (*testenv.Requests, *prometheus.Registry, func()) {
	t.Helper()
	reg := prometheus.NewRegistry()
	requests, stop := env.StartManager(t, nil, func(ctx context.Context, mgr ctrl.Manager) error {
		return controllers.SetupAll(ctx, mgr, controllers.Options{
			OperatorImage: "registry.example.com/meteor-operator:1",
			Registerer:    reg,
			LookEvery:     200 * time.Millisecond,
		})
	})
	return requests, reg, stop
}

func ready(obj *v1alpha1.CustomNBImage, reason string) func() error {
	return func() error {
		if err := env.Client.Get(context.Background(), client.ObjectKeyFromObject(obj), obj); err != nil {
			return err
		}
		c := meta.FindStatusCondition(obj.Status.Conditions, v1alpha1.ConditionReady)
		if c == nil || c.Reason != reason {
			return fmt.Errorf("not %s: %+v", reason, obj.Status)
		}
		return nil
	}
}

func runs(namespace string) ([]tektonv1.PipelineRun, error) {
	list := &tektonv1.PipelineRunList{}
	err := env.Client.List(context.Background(), list, client.InNamespace(namespace))
	return list.Items, err
}

// TestEverythingComesAndGoes has the kinds that the operator can do without come after it, go, and come again.
func TestEverythingComesAndGoes(t *testing.T) {
	env.RemoveTekton(t)
	env.RemoveImageStreams(t)
	obj := fixture.Import(env.Namespace(t), "image", "registry.example.com/a/b:1").Obj()
	if err := env.Client.Create(t.Context(), obj); err != nil {
		t.Fatal(err)
	}
	requests, reg, stop := startAll(t)
	testenv.Eventually(t, "the object says what is missing", ready(obj, v1alpha1.ReasonTektonUnavailable))
	conditionstest.Check(t, obj)
	if n, err := testutil.GatherAndCount(reg, "meteor_objects"); err != nil || n == 0 {
		t.Errorf("objects are counted: %d, %v", n, err)
	}

	env.InstallTekton(t)
	t.Cleanup(func() { env.RemoveTekton(t) })
	testenv.Eventually(t, "the build starts by itself", func() error {
		items, err := runs(obj.Namespace)
		if err == nil && len(items) != 1 {
			err = fmt.Errorf("%d runs", len(items))
		}
		return err
	})
	testenv.Eventually(t, "the object says so", ready(obj, v1alpha1.ReasonImporting))
	conditionstest.Check(t, obj)

	env.InstallImageStreams(t)
	t.Cleanup(func() { env.RemoveImageStreams(t) })
	config := &v1alpha1.CNBiConfig{}
	testenv.Eventually(t, "ImageStreams are noticed", func() error {
		if err := env.Client.Get(t.Context(), types.NamespacedName{Name: v1alpha1.CNBiConfigName}, config); err != nil {
			return err
		}
		if !meta.IsStatusConditionTrue(config.Status.Conditions, v1alpha1.ConditionImageStreamsAvailable) {
			return errors.New("not yet")
		}
		return nil
	})
	conditionstest.Check(t, config)

	// What is still being written has ended when two looks in a row see nothing.
	testenv.Eventually(t, "it is quiet", func() error {
		requests.Reset()
		time.Sleep(time.Second)
		return quiet(requests)
	})
	stop()
	requests, _, _ = startAll(t)
	testenv.Steady(t, "a restart writes nothing", 3*time.Second, func() error { return quiet(requests) })

	env.RemoveTekton(t)
	env.RemoveImageStreams(t)
	testenv.Eventually(t, "Tekton's going is told", func() error {
		if err := env.Client.Get(t.Context(), types.NamespacedName{Name: v1alpha1.CNBiConfigName}, config); err != nil {
			return err
		}
		if !meta.IsStatusConditionFalse(config.Status.Conditions, v1alpha1.ConditionTektonAvailable) {
			return errors.New("not yet")
		}
		return nil
	})
	env.InstallTekton(t)
	testenv.Eventually(t, "the object is built again once Tekton is back", func() error {
		items, err := runs(obj.Namespace)
		if err == nil && len(items) == 0 {
			err = errors.New("no run")
		}
		return err
	})
}

// TestNamespaceIsNotSelected has objects in a namespace that the selector leaves out say what an admin can do.
func TestNamespaceIsNotSelected(t *testing.T) {
	env.InstallTekton(t)
	removeConfig(t)
	ns := env.Namespace(t)
	config := fixture.Config().Edit(func(c *v1alpha1.CNBiConfig) {
		c.Spec.Namespaces = v1alpha1.NamespacesSpec{
			Mode: v1alpha1.NamespacesSelected, Selector: &metav1.LabelSelector{MatchLabels: map[string]string{"notebooks": "yes"}},
		}
	}).Obj()
	image := fixture.Import(ns, "image", "registry.example.com/a/b:1").Obj()
	site := &v1alpha1.Meteor{ObjectMeta: metav1.ObjectMeta{Namespace: ns, Name: "site"}, Spec: v1alpha1.MeteorSpec{
		URL: "https://git.example.com/a/b", Pipelines: []string{v1alpha1.PipelineJupyterBook},
	}}
	for _, obj := range []client.Object{config, image, site} {
		if err := env.Client.Create(t.Context(), obj); err != nil {
			t.Fatal(err)
		}
	}
	startAll(t)
	says := func(conditions func() []metav1.Condition, kind, reason, word string) func() error {
		return func() error {
			for _, obj := range []client.Object{image, site} {
				if err := env.Client.Get(t.Context(), client.ObjectKeyFromObject(obj), obj); err != nil {
					return err
				}
			}
			c := meta.FindStatusCondition(conditions(), kind)
			if c == nil || c.Reason != reason || !strings.Contains(c.Message, word) {
				return fmt.Errorf("not %s with %q: %+v", reason, word, c)
			}
			return nil
		}
	}
	ofImage := func() []metav1.Condition { return image.Status.Conditions }
	ofSite := func() []metav1.Condition { return site.Status.Conditions }
	const book = v1alpha1.ConditionPipelinePrefix + v1alpha1.PipelineJupyterBook
	testenv.Eventually(t, "the CustomNBImage names the labels", says(ofImage, v1alpha1.ConditionReady, v1alpha1.ReasonNamespaceExcluded, "notebooks=yes"))
	testenv.Eventually(t, "so does the Meteor", says(ofSite, book, v1alpha1.ReasonNamespaceExcluded, "notebooks=yes"))

	label := client.RawPatch(types.MergePatchType, []byte(`{"metadata":{"labels":{"notebooks":"yes"}}}`))
	if err := env.Client.Patch(t.Context(), &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: ns}}, label); err != nil {
		t.Fatal(err)
	}
	testenv.Eventually(t, "the image is imported", ready(image, v1alpha1.ReasonImporting))
	testenv.Eventually(t, "the Meteor goes on too", func() error {
		if err := says(ofSite, book, v1alpha1.ReasonNamespaceExcluded, "")(); err == nil {
			return errors.New("it is still excluded")
		}
		return nil
	})
}

// TestWhatAnEditOvertookGoes has what a Meteor's pipelines made, and its status does not tell of, go when they are not
// wanted: an edit may come between the making and the telling.
func TestWhatAnEditOvertookGoes(t *testing.T) {
	env.InstallTekton(t)
	ns := env.Namespace(t)
	m := &v1alpha1.Meteor{ObjectMeta: metav1.ObjectMeta{Namespace: ns, Name: "m"}, Spec: v1alpha1.MeteorSpec{
		URL: "https://git.example.com/a/b", Pipelines: []string{"somebody-elses"},
	}}
	if err := env.Client.Create(t.Context(), m); err != nil {
		t.Fatal(err)
	}
	owned := metav1.ObjectMeta{
		Namespace: ns, Name: "m", Labels: map[string]string{v1alpha1.LabelPartOf: v1alpha1.PartOfValue, "site": "m"},
		OwnerReferences: []metav1.OwnerReference{*metav1.NewControllerRef(m, v1alpha1.GroupVersion.WithKind(v1alpha1.MeteorKind))},
	}
	image := fixture.Import(ns, "m", "registry.example.com/a/b:1").Edit(func(o *v1alpha1.CustomNBImage) { o.ObjectMeta = owned }).Obj()
	owned.Name = "meteor-m"
	deployment := &appsv1.Deployment{ObjectMeta: owned, Spec: appsv1.DeploymentSpec{
		Selector: &metav1.LabelSelector{MatchLabels: map[string]string{"site": "m"}},
		Template: corev1.PodTemplateSpec{
			ObjectMeta: metav1.ObjectMeta{Labels: owned.Labels},
			Spec:       corev1.PodSpec{Containers: []corev1.Container{{Name: "site", Image: "registry.example.com/a/b:1"}}},
		},
	}}
	service := &corev1.Service{ObjectMeta: owned, Spec: corev1.ServiceSpec{Ports: []corev1.ServicePort{{Port: 80}}}}
	for _, obj := range []client.Object{image, deployment, service} {
		if err := env.Client.Create(t.Context(), obj); err != nil {
			t.Fatal(err)
		}
	}
	startAll(t)
	for _, obj := range []client.Object{image, deployment, service} {
		testenv.Eventually(t, fmt.Sprintf("the %T goes", obj), func() error {
			err := env.Client.Get(t.Context(), client.ObjectKeyFromObject(obj), obj)
			if apierrors.IsNotFound(err) || err == nil && !obj.GetDeletionTimestamp().IsZero() {
				return nil
			}
			return errors.Join(err, errors.New("still there"))
		})
	}
}

func quiet(r *testenv.Requests) error {
	if w := r.Writes(); len(w) > 0 {
		return fmt.Errorf("writes: %v", w)
	}
	return nil
}

func TestImageIsNeeded(t *testing.T) {
	env.StartManager(t, nil, func(ctx context.Context, mgr ctrl.Manager) error {
		if err := controllers.SetupAll(ctx, mgr, controllers.Options{Registerer: prometheus.NewRegistry()}); err == nil {
			return errors.New("an operator that does not know its image must not start")
		}
		return nil
	})
}

// TestRoleHoldsWhatItHandsOut keeps the manager able to install the pipelines' role: nobody can hand out what they do
// not hold.
func TestRoleHoldsWhatItHandsOut(t *testing.T) {
	data, err := os.ReadFile(filepath.Join("..", "config", "rbac", "role.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	own := &rbacv1.ClusterRole{}
	if err := yaml.UnmarshalStrict(data, own); err != nil {
		t.Fatal(err)
	}
	objs, err := manifests.Objects(manifests.Options{BuilderImage: "any"})
	if err != nil {
		t.Fatal(err)
	}
	for _, u := range objs {
		if u.GetKind() != "Role" {
			continue
		}
		role := &rbacv1.Role{}
		if err := runtime.DefaultUnstructuredConverter.FromUnstructured(u.Object, role); err != nil {
			t.Fatal(err)
		}
		for _, rule := range role.Rules {
			forEach(rule, func(group, resource, verb string) {
				if !slices.ContainsFunc(own.Rules, func(r rbacv1.PolicyRule) bool {
					return slices.Contains(r.APIGroups, group) && slices.Contains(r.Resources, resource) && slices.Contains(r.Verbs, verb)
				}) {
					t.Errorf("the manager cannot %s %s of %q, which Role %q grants", verb, resource, group, role.Name)
				}
			})
		}
	}
}

func forEach(rule rbacv1.PolicyRule, fn func(group, resource, verb string)) {
	for _, g := range rule.APIGroups {
		for _, r := range rule.Resources {
			for _, v := range rule.Verbs {
				fn(g, r, v)
			}
		}
	}
}
