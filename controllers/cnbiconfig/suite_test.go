package cnbiconfig_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

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
	account  = "meteor-pipeline"
	pipeline = "cnbi-import"
	task     = "meteor-inspect-image"
	// quiet is how long a test watches that nothing happens.
	quiet = 2500 * time.Millisecond
)

var env *testenv.Env

func TestMain(m *testing.M) { testenv.Main(m, &env) }

// render stands for the manifests: one object of each kind, and a revision that follows from the image.
func render(o manifests.Options) ([]*unstructured.Unstructured, string, error) {
	object := func(apiVersion, kind, name string, rest map[string]any) *unstructured.Unstructured {
		u := &unstructured.Unstructured{Object: map[string]any{}}
		for k, v := range rest {
			u.Object[k] = v
		}
		u.SetAPIVersion(apiVersion)
		u.SetKind(kind)
		u.SetName(name)
		return u
	}
	const rbac = "rbac.authorization.k8s.io/v1"
	return []*unstructured.Unstructured{
		object("v1", "ServiceAccount", account, map[string]any{"automountServiceAccountToken": false}),
		object(rbac, "Role", account, map[string]any{"rules": []any{map[string]any{
			"apiGroups": []any{"image.openshift.io"}, "resources": []any{"imagestreams/layers"}, "verbs": []any{"get", "update"},
		}}}),
		object(rbac, "RoleBinding", account, map[string]any{
			"roleRef":  map[string]any{"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": account},
			"subjects": []any{map[string]any{"kind": "ServiceAccount", "name": account}},
		}),
		object("tekton.dev/v1", "Task", task, map[string]any{"spec": map[string]any{
			"steps": []any{map[string]any{"name": "inspect", "image": o.BuilderImage, "command": []any{"/builder"}}},
		}}),
		object("tekton.dev/v1", "Pipeline", pipeline, map[string]any{"spec": map[string]any{
			"tasks": []any{map[string]any{"name": "inspect", "taskRef": map[string]any{"name": task}}},
		}}),
	}, fmt.Sprintf("r%d", len(o.BuilderImage)), nil
}

func startManager(t *testing.T, watchNamespaces ...string) (*testenv.Requests, func()) {
	t.Helper()
	return env.StartManager(t, watchNamespaces, func(ctx context.Context, mgr ctrl.Manager) error {
		tracker, err := capabilities.New(mgr.GetConfig(), mgr.GetHTTPClient(), capabilities.Every(200*time.Millisecond))
		if err != nil {
			return err
		}
		tracker.Look(ctx)
		return errors.Join(mgr.Add(tracker), cnbiconfig.Setup(ctx, mgr, cnbiconfig.Options{
			Tracker:         tracker,
			Catalogue:       install.NewCatalogue(render, install.Defaults{BuilderImage: "operator:1"}),
			WatchNamespaces: watchNamespaces,
		}))
	})
}

// fresh starts a test with Tekton and without CNBiConfig.
func fresh(t *testing.T) {
	t.Helper()
	env.InstallTekton(t)
	clean := func() {
		ctx := context.Background()
		if err := client.IgnoreNotFound(env.Client.Delete(ctx, fixture.Config().Obj())); err != nil {
			t.Errorf("cannot remove the CNBiConfig: %v", err)
		}
		images := &v1alpha1.CustomNBImageList{}
		if err := env.Client.List(ctx, images); err != nil {
			t.Errorf("cannot list CustomNBImages: %v", err)
		}
		for i := range images.Items {
			if err := client.IgnoreNotFound(env.Client.Delete(ctx, &images.Items[i])); err != nil {
				t.Errorf("cannot remove a CustomNBImage: %v", err)
			}
		}
	}
	clean()
	t.Cleanup(clean)
}

func create(t *testing.T, obj client.Object) {
	t.Helper()
	if err := env.Client.Create(t.Context(), obj); err != nil {
		t.Fatalf("cannot create %s: %v", obj.GetName(), err)
	}
}

func editConfig(t *testing.T, fn func(*v1alpha1.CNBiConfig)) {
	t.Helper()
	testenv.Eventually(t, "the CNBiConfig is edited", func() error {
		c := &v1alpha1.CNBiConfig{}
		if err := env.Client.Get(t.Context(), types.NamespacedName{Name: v1alpha1.CNBiConfigName}, c); err != nil {
			return err
		}
		fn(c)
		return env.Client.Update(t.Context(), c)
	})
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

// condition checks a condition's status and reason.
func condition(kind string, status metav1.ConditionStatus, reason string) func(*v1alpha1.CNBiConfig) error {
	return func(c *v1alpha1.CNBiConfig) error {
		got := meta.FindStatusCondition(c.Status.Conditions, kind)
		if got == nil || got.Status != status || got.Reason != reason {
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

// installed checks that the namespace has everything of the revision.
func installed(namespace, revision string) func() error {
	return func() error {
		ctx := context.Background()
		config := &v1alpha1.CNBiConfig{}
		if err := env.Client.Get(ctx, types.NamespacedName{Name: v1alpha1.CNBiConfigName}, config); err != nil {
			return err
		}
		objs, _, err := render(manifests.Options{BuilderImage: "any"})
		if err != nil {
			return err
		}
		for _, o := range objs {
			m, err := install.Metadata(ctx, env.Client, o.GroupVersionKind(), namespace, o.GetName())
			if err != nil {
				return err
			}
			if m == nil {
				return fmt.Errorf("%s %q is missing", o.GetKind(), o.GetName())
			}
			if m.Labels[v1alpha1.LabelRevision] != revision || m.Labels[v1alpha1.LabelPartOf] != v1alpha1.PartOfValue {
				return fmt.Errorf("%s %q has labels %v", o.GetKind(), o.GetName(), m.Labels)
			}
			if len(m.OwnerReferences) != 1 || !install.Owned(m, config) {
				return fmt.Errorf("%s %q has owners %v", o.GetKind(), o.GetName(), m.OwnerReferences)
			}
		}
		return nil
	}
}

// empty checks that the namespace has nothing of ours.
func empty(namespace string) func() error {
	return func() error {
		for _, gvk := range install.Kinds {
			list := &metav1.PartialObjectMetadataList{}
			list.SetGroupVersionKind(gvk.GroupVersion().WithKind(gvk.Kind + "List"))
			if err := env.Client.List(context.Background(), list, client.InNamespace(namespace), client.HasLabels{v1alpha1.LabelRevision}); err != nil {
				return err
			}
			if len(list.Items) > 0 {
				return fmt.Errorf("%s %q is there", gvk.Kind, list.Items[0].Name)
			}
		}
		return nil
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
	if err := env.Client.Get(t.Context(), types.NamespacedName{Name: namespace}, ns); err != nil {
		t.Fatal(err)
	}
	metav1.SetMetaDataLabel(&ns.ObjectMeta, key, value)
	if err := env.Client.Update(t.Context(), ns); err != nil {
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
