package cnbiconfig_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/meteor-zone/meteor-operator/controllers/internal/capabilities"
	"github.com/meteor-zone/meteor-operator/controllers/internal/install"
	"github.com/meteor-zone/meteor-operator/controllers/internal/testenv"
)

// harm is what somebody does to an object of ours.
type harm struct {
	reason string
	gvk    schema.GroupVersionKind
	name   string
	do     func(ctx context.Context, obj *unstructured.Unstructured) error
}

func update(edit func(obj map[string]any) error) func(context.Context, *unstructured.Unstructured) error {
	return func(ctx context.Context, obj *unstructured.Unstructured) error {
		if err := edit(obj.Object); err != nil {
			return err
		}
		return env.Client.Update(ctx, obj, client.FieldOwner("kubectl-edit"))
	}
}

func set(value any, fields ...string) func(context.Context, *unstructured.Unstructured) error {
	return update(func(obj map[string]any) error { return unstructured.SetNestedField(obj, value, fields...) })
}

func without(fields ...string) func(context.Context, *unstructured.Unstructured) error {
	return update(func(obj map[string]any) error {
		unstructured.RemoveNestedField(obj, fields...)
		return nil
	})
}

func patch(text string) func(context.Context, *unstructured.Unstructured) error {
	return func(ctx context.Context, obj *unstructured.Unstructured) error {
		return env.Client.Patch(ctx, obj, client.RawPatch(types.MergePatchType, []byte(text)))
	}
}

func harms() map[string]harm {
	return map[string]harm{
		"DeletedPipeline": {
			reason: "what is deleted comes back", gvk: capabilities.Pipeline, name: pipeline,
			do: func(ctx context.Context, obj *unstructured.Unstructured) error { return env.Client.Delete(ctx, obj) },
		},
		"DeletedAccount": {
			reason: "so does an account", gvk: install.ServiceAccount, name: account,
			do: func(ctx context.Context, obj *unstructured.Unstructured) error { return env.Client.Delete(ctx, obj) },
		},
		"Stripped": {reason: "an object without labels gets them again", gvk: capabilities.Task, name: task, do: patch(`{"metadata":{"labels":null}}`)},
		"OneLabel": {
			reason: "so does one that lacks a single label", gvk: capabilities.Task, name: task,
			do: patch(`{"metadata":{"labels":{"app.kubernetes.io/managed-by":null}}}`),
		},
		"OtherRevision": {
			reason: "a wrong revision is put right", gvk: install.ServiceAccount, name: account,
			do: patch(`{"metadata":{"labels":{"meteor.zone/revision":"x"}}}`),
		},
		"Orphaned": {reason: "an orphan is owned again", gvk: capabilities.Pipeline, name: gitrepo, do: patch(`{"metadata":{"ownerReferences":null}}`)},
		"OrphanedAndStripped": {
			reason: "even without labels", gvk: install.Role, name: account,
			do: patch(`{"metadata":{"ownerReferences":null,"labels":null}}`),
		},
		"EditedTask": {
			reason: "an edit that leaves the labels is undone", gvk: capabilities.Task, name: task,
			do: set([]any{map[string]any{"name": "inspect", "image": "evil:1"}}, "spec", "steps"),
		},
		"EditedPipeline": {
			reason: "in a pipeline too", gvk: capabilities.Pipeline, name: pipeline,
			do: set([]any{map[string]any{"name": "inspect", "taskRef": map[string]any{"name": "another"}}}, "spec", "tasks"),
		},
		"TakenAwayField": {reason: "a field that is taken away comes back", gvk: capabilities.Task, name: task, do: without("spec", "params")},
		"WiderRole": {
			reason: "nobody widens the account's rights", gvk: install.Role, name: account,
			do: set([]any{map[string]any{"apiGroups": []any{""}, "resources": []any{"secrets"}, "verbs": []any{"get"}}}, "rules"),
		},
		"OtherSubjects": {
			reason: "nor hands them to others", gvk: install.RoleBinding, name: account,
			do: set([]any{map[string]any{"kind": "ServiceAccount", "name": "default"}}, "subjects"),
		},
		"Automount": {reason: "a changed value is put right", gvk: install.ServiceAccount, name: account, do: set(true, "automountServiceAccountToken")},
		"ForgottenFields": {
			reason: "an object whose list of fields was emptied is applied again", gvk: capabilities.Task, name: task,
			do: patch(`{"metadata":{"managedFields":[{}]}}`),
		},
	}
}

func live(t *testing.T, gvk schema.GroupVersionKind, namespace, name string) *unstructured.Unstructured {
	t.Helper()
	u := &unstructured.Unstructured{}
	u.SetGroupVersionKind(gvk)
	if err := env.Client.Get(t.Context(), types.NamespacedName{Namespace: namespace, Name: name}, u); err != nil {
		t.Fatal(err)
	}
	return u
}

func writes(r *testenv.Requests, want int) func() error {
	return func() error {
		if got := r.Writes(); len(got) != want {
			return fmt.Errorf("%d writes, not %d: %v", len(got), want, got)
		}
		return nil
	}
}

// isQuiet waits until nothing has been written for a while.
func isQuiet(t *testing.T, r *testenv.Requests) {
	t.Helper()
	testenv.Eventually(t, "it is quiet", func() error {
		r.Reset()
		time.Sleep(time.Second)
		return nothingWritten(r)()
	})
}

func TestDrift(t *testing.T) {
	ns, requests := inUse(t)
	for name, h := range harms() {
		t.Run(name, func(t *testing.T) {
			isQuiet(t, requests)
			if err := h.do(t.Context(), live(t, h.gvk, ns, h.name)); err != nil {
				t.Fatal(err)
			}
			testenv.Eventually(t, h.reason, func() error { return errors.Join(writes(requests, 1)(), installed(ns)()) })
			testenv.Steady(t, "with one write", time.Second, writes(requests, 1))
		})
	}
}

// TestDriftWhileAway has all of it happen while no manager runs.
func TestDriftWhileAway(t *testing.T) {
	fresh(t)
	namespaces := map[string]string{}
	for name := range harms() {
		namespaces[name] = env.Namespace(t)
		newImage(t, namespaces[name])
	}
	requests, stop := startManager(t)
	for name := range harms() {
		testenv.Eventually(t, "the namespace is installed", installed(namespaces[name]))
	}
	isQuiet(t, requests)
	stop()
	for name, h := range harms() {
		if err := h.do(t.Context(), live(t, h.gvk, namespaces[name], h.name)); err != nil {
			t.Fatal(err)
		}
	}
	requests, _ = startManager(t)
	for name, h := range harms() {
		testenv.Eventually(t, h.reason, installed(namespaces[name]))
	}
	testenv.Steady(t, "one write each", quiet, writes(requests, len(namespaces)))
}

// TestWhatOthersAddStays also when the object is repaired.
func TestWhatOthersAddStays(t *testing.T) {
	fresh(t)
	ns := env.Namespace(t)
	newImage(t, ns)
	requests, stop := startManager(t)
	testenv.Eventually(t, "the namespace is installed", installed(ns))
	isQuiet(t, requests)

	sa := &corev1.ServiceAccount{}
	if err := env.Client.Get(t.Context(), types.NamespacedName{Namespace: ns, Name: account}, sa); err != nil {
		t.Fatal(err)
	}
	metav1.SetMetaDataLabel(&sa.ObjectMeta, "team", "data")
	metav1.SetMetaDataAnnotation(&sa.ObjectMeta, "note", "ours")
	sa.ImagePullSecrets = []corev1.LocalObjectReference{{Name: "pull"}}
	if err := env.Client.Update(t.Context(), sa); err != nil {
		t.Fatal(err)
	}
	testenv.Steady(t, "what is added is no drift", quiet, nothingWritten(requests))

	harm := harms()["Automount"]
	if err := harm.do(t.Context(), live(t, harm.gvk, ns, harm.name)); err != nil {
		t.Fatal(err)
	}
	testenv.Eventually(t, harm.reason, installed(ns))
	if err := env.Client.Get(t.Context(), types.NamespacedName{Namespace: ns, Name: account}, sa); err != nil {
		t.Fatal(err)
	}
	if sa.Labels["team"] != "data" || sa.Annotations["note"] != "ours" || len(sa.ImagePullSecrets) != 1 {
		t.Errorf("what was added is gone: %v %v %v", sa.Labels, sa.Annotations, sa.ImagePullSecrets)
	}

	stop()
	requests, _ = startManager(t)
	testenv.Steady(t, "a restart finds nothing to do", quiet, nothingWritten(requests))
}

// TestCopyOfSomebody is about a user's own task, made from ours.
func TestCopyOfSomebody(t *testing.T) {
	ns, requests := inUse(t)
	mine := live(t, capabilities.Task, ns, task)
	mine.SetName("my-inspect")
	mine.SetResourceVersion("")
	mine.SetUID("")
	mine.SetManagedFields(nil)
	create(t, mine)
	isQuiet(t, requests)
	testenv.Steady(t, "it is not taken for ours", quiet, func() error {
		return env.Client.Get(t.Context(), client.ObjectKeyFromObject(mine), mine.DeepCopy())
	})
}
