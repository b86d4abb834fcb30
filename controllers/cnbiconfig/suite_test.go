package cnbiconfig_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/meteor-zone/meteor-operator/apis/v1alpha1"
	"github.com/meteor-zone/meteor-operator/controllers/cnbiconfig"
	"github.com/meteor-zone/meteor-operator/controllers/internal/capabilities"
	"github.com/meteor-zone/meteor-operator/controllers/internal/conditionstest"
	"github.com/meteor-zone/meteor-operator/controllers/internal/fixture"
	"github.com/meteor-zone/meteor-operator/controllers/internal/install"
	"github.com/meteor-zone/meteor-operator/controllers/internal/testenv"
	"github.com/meteor-zone/meteor-operator/manifests"
)

const (
	account   = "meteor-pipeline"
	pipeline  = "cnbi-import"
	gitrepo   = "cnbi-gitrepo"
	task      = "meteor-inspect-image"
	fetchTask = "meteor-fetch-repository"
	// objects is how many objects a namespace gets.
	objects = 7
	// quiet is how long a test watches that nothing happens.
	quiet = 2500 * time.Millisecond
	// operatorImage is the image of the steps.
	operatorImage = "operator:1"
)

var env *testenv.Env

func TestMain(m *testing.M) { testenv.Main(m, &env) }

// objectsOf stands for the manifests: objects of each kind, of which the second pipeline needs a task more.
func objectsOf(o manifests.Options) []*unstructured.Unstructured {
	object := func(apiVersion, kind, name string, rest map[string]any) *unstructured.Unstructured {
		u := &unstructured.Unstructured{Object: rest}
		u.SetAPIVersion(apiVersion)
		u.SetKind(kind)
		u.SetName(name)
		return u
	}
	const rbac = "rbac.authorization.k8s.io/v1"
	step := func(name, image string) map[string]any {
		return map[string]any{"spec": map[string]any{
			"params": []any{map[string]any{"name": "image", "type": "string", "default": ""}},
			"steps":  []any{map[string]any{"name": name, "image": image, "command": []any{"/builder"}, "args": []any{name}}},
		}}
	}
	tasks := func(names ...string) map[string]any {
		var list []any
		for _, n := range names {
			list = append(list, map[string]any{"name": n, "taskRef": map[string]any{"name": n}})
		}
		return map[string]any{"spec": map[string]any{"tasks": list}}
	}
	return []*unstructured.Unstructured{
		object("v1", "ServiceAccount", account, map[string]any{"automountServiceAccountToken": false}),
		object(rbac, "Role", account, map[string]any{"rules": []any{map[string]any{
			"apiGroups": []any{"image.openshift.io"}, "resources": []any{"imagestreams/layers"}, "verbs": []any{"get", "update"},
		}}}),
		object(rbac, "RoleBinding", account, map[string]any{
			"roleRef":  map[string]any{"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": account},
			"subjects": []any{map[string]any{"kind": "ServiceAccount", "name": account}},
		}),
		object("tekton.dev/v1", "Task", fetchTask, step("fetch", "builder:1")),
		object("tekton.dev/v1", "Task", task, step("inspect", o.BuilderImage)),
		object("tekton.dev/v1", "Pipeline", gitrepo, tasks(fetchTask, task)),
		object("tekton.dev/v1", "Pipeline", pipeline, tasks(task)),
	}
}

func render(o manifests.Options) ([]*unstructured.Unstructured, string, error) {
	objs := objectsOf(o)
	return objs, manifests.Revision(objs), nil
}

// setting is what a manager is started with.
type setting struct {
	render     install.Render
	namespaces []string
	own        string
	linger     time.Duration
}

func startManager(t *testing.T, watchNamespaces ...string) (*testenv.Requests, func()) {
	t.Helper()
	return start(t, setting{namespaces: watchNamespaces})
}

func start(t *testing.T, s setting) (*testenv.Requests, func()) {
	t.Helper()
	if s.render == nil {
		s.render = render
	}
	return env.StartManager(t, s.namespaces, func(ctx context.Context, mgr ctrl.Manager) error {
		tracker, err := capabilities.New(mgr.GetConfig(), mgr.GetHTTPClient(), capabilities.Every(200*time.Millisecond))
		if err != nil {
			return err
		}
		tracker.Look(ctx)
		_, err = cnbiconfig.Setup(ctx, mgr, cnbiconfig.Options{
			Tracker:         tracker,
			Catalogue:       install.NewCatalogue(s.render, install.Defaults{BuilderImage: operatorImage}),
			WatchNamespaces: s.namespaces,
			Namespace:       s.own,
			Linger:          s.linger,
		})
		return errors.Join(err, mgr.Add(tracker))
	})
}

// fresh starts a test with Tekton and without CNBiConfig.
func fresh(t *testing.T) {
	t.Helper()
	env.InstallTekton(t)
	clean := func() { env.Clear(t, &v1alpha1.CNBiConfigList{}, &v1alpha1.CustomNBImageList{}) }
	clean()
	t.Cleanup(func() {
		clean()
		removeOurs(t)
	})
}

// removeOurs does what the garbage collector would.
func removeOurs(t *testing.T) {
	t.Helper()
	ctx := context.Background()
	for _, gvk := range append(slices.Clone(install.Kinds), install.CopyKinds...) {
		list := &metav1.PartialObjectMetadataList{}
		list.SetGroupVersionKind(gvk.GroupVersion().WithKind(gvk.Kind + "List"))
		if err := env.Client.List(ctx, list, client.HasLabels{v1alpha1.LabelRevision}); meta.IsNoMatchError(err) || apierrors.IsNotFound(err) {
			continue
		} else if err != nil {
			t.Errorf("cannot list what is left: %v", err)
		}
		for i := range list.Items {
			if err := client.IgnoreNotFound(env.Client.Delete(ctx, &list.Items[i])); err != nil {
				t.Errorf("cannot remove what is left: %v", err)
			}
		}
	}
}

func create(t *testing.T, obj client.Object) {
	t.Helper()
	if err := env.Client.Create(t.Context(), obj); err != nil {
		t.Fatalf("cannot create %s: %v", obj.GetName(), err)
	}
}

// inUse starts from nothing, and a manager, and returns a namespace that it has installed everything in.
func inUse(t *testing.T) (namespace string, requests *testenv.Requests) {
	t.Helper()
	fresh(t)
	namespace = env.Namespace(t)
	newImage(t, namespace)
	requests, _ = startManager(t)
	testenv.Eventually(t, "the namespace is installed", installed(namespace))
	return namespace, requests
}

func editConfig(t *testing.T, fn func(*v1alpha1.CNBiConfig)) {
	t.Helper()
	testenv.Edit(t, env, fixture.Config().Obj(), fn)
}

// configIs waits until the CNBiConfig satisfies check, and checks its conditions.
func configIs(t *testing.T, what string, check func(*v1alpha1.CNBiConfig) error) *v1alpha1.CNBiConfig {
	t.Helper()
	c := &v1alpha1.CNBiConfig{}
	testenv.Eventually(t, what, func() error {
		if err := env.Client.Get(t.Context(), types.NamespacedName{Name: v1alpha1.CNBiConfigName}, c); err != nil {
			return err
		}
		if len(c.Status.Conditions) == 0 {
			return errors.New("no status yet")
		}
		if err := check(c); err != nil {
			return fmt.Errorf("%w: %+v", err, c.Status)
		}
		return nil
	})
	conditionstest.Check(t, c)
	return c
}

// condition checks a condition's status and reason, of the present generation.
func condition(kind string, status metav1.ConditionStatus, reason string) func(*v1alpha1.CNBiConfig) error {
	return func(c *v1alpha1.CNBiConfig) error {
		got := meta.FindStatusCondition(c.Status.Conditions, kind)
		if got == nil || got.Status != status || got.Reason != reason || got.ObservedGeneration != c.Generation {
			return fmt.Errorf("%s is not %s for reason %s", kind, status, reason)
		}
		return nil
	}
}

// counted checks the numbers of namespaces.
func counted(ready, pending, failed int32) func(*v1alpha1.CNBiConfig) error {
	return func(c *v1alpha1.CNBiConfig) error {
		n := c.Status.Namespaces
		if n.Ready != ready || n.Pending != pending || n.Failed != failed {
			return fmt.Errorf("not %d ready, %d pending and %d failed", ready, pending, failed)
		}
		return nil
	}
}

// installed checks that the namespace has everything as the manifests have it, and that nothing else of ours is there.
func installed(namespace string) func() error { return installedFrom(namespace, operatorImage) }

func installedFrom(namespace, image string) func() error {
	return has(namespace, objectsOf(manifests.Options{BuilderImage: image}))
}

func has(namespace string, want []*unstructured.Unstructured) func() error {
	return func() error {
		ctx := context.Background()
		config := &v1alpha1.CNBiConfig{}
		if err := env.Client.Get(ctx, types.NamespacedName{Name: v1alpha1.CNBiConfigName}, config); err != nil {
			return err
		}
		for _, w := range want {
			o, err := install.NewObject(w, "")
			if err != nil {
				return err
			}
			got := &unstructured.Unstructured{}
			got.SetGroupVersionKind(w.GroupVersionKind())
			if err := env.Client.Get(ctx, types.NamespacedName{Namespace: namespace, Name: w.GetName()}, got); err != nil {
				return err
			}
			l := got.GetLabels()
			if l[v1alpha1.LabelRevision] != o.Revision || l[v1alpha1.LabelPartOf] != v1alpha1.PartOfValue || l[v1alpha1.LabelManagedBy] != v1alpha1.ManagedByValue {
				return fmt.Errorf("%s has labels %v, not revision %s", o, l, o.Revision)
			}
			if len(got.GetOwnerReferences()) != 1 || !install.Owned(got, config) {
				return fmt.Errorf("%s has owners %v", o, got.GetOwnerReferences())
			}
			for _, field := range []string{"spec", "rules", "roleRef", "automountServiceAccountToken"} {
				if diff := cmp.Diff(w.Object[field], got.Object[field]); diff != "" {
					return fmt.Errorf("%s has another %s: %s", o, field, diff)
				}
			}
		}
		ours, err := countOurs(namespace)
		if err == nil && ours != len(want) {
			err = fmt.Errorf("%d objects of ours, not %d", ours, len(want))
		}
		return err
	}
}

func countOurs(namespace string) (int, error) {
	n := 0
	for _, gvk := range append(slices.Clone(install.Kinds), install.CopyKinds...) {
		list := &metav1.PartialObjectMetadataList{}
		list.SetGroupVersionKind(gvk.GroupVersion().WithKind(gvk.Kind + "List"))
		if err := env.Client.List(context.Background(), list, client.InNamespace(namespace), client.HasLabels{v1alpha1.LabelRevision}); err != nil {
			return 0, err
		}
		n += len(list.Items)
	}
	return n, nil
}

// empty checks that the namespace has nothing of ours.
func empty(namespace string) func() error {
	return func() error {
		n, err := countOurs(namespace)
		if err == nil && n > 0 {
			err = fmt.Errorf("%d objects are there", n)
		}
		return err
	}
}

func nothingWritten(r *testenv.Requests) func() error {
	return func() error {
		if w := r.Writes(); len(w) > 0 {
			return fmt.Errorf("writes: %v", w)
		}
		return nil
	}
}

func newImage(t *testing.T, namespace string) {
	t.Helper()
	create(t, fixture.Import(namespace, "image", "registry.example.com/a/b:1").Obj())
}

func absent(obj client.Object) func() error {
	return func() error {
		err := env.Client.Get(context.Background(), client.ObjectKeyFromObject(obj), obj)
		if apierrors.IsNotFound(err) {
			return nil
		}
		return fmt.Errorf("%s is there: %w", obj.GetName(), err)
	}
}

func labelled(t *testing.T, namespace, key, value string) {
	t.Helper()
	ns := &corev1.Namespace{}
	if err := env.Client.Get(context.Background(), types.NamespacedName{Name: namespace}, ns); err != nil {
		t.Fatal(err)
	}
	metav1.SetMetaDataLabel(&ns.ObjectMeta, key, value)
	if err := env.Client.Update(context.Background(), ns); err != nil {
		t.Fatal(err)
	}
}

func failing(c *v1alpha1.CNBiConfig, namespace string) (string, bool) {
	i := slices.IndexFunc(c.Status.Namespaces.Failing, func(f v1alpha1.FailingNamespace) bool { return f.Name == namespace })
	if i < 0 {
		return "", false
	}
	return c.Status.Namespaces.Failing[i].Message, true
}
