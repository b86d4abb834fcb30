package cnbiconfig_test

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"testing"
	"time"

	tektonv1 "github.com/tektoncd/pipeline/pkg/apis/pipeline/v1"
	admissionv1 "k8s.io/api/admissionregistration/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"knative.dev/pkg/apis"
	duckv1 "knative.dev/pkg/apis/duck/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/meteor-zone/meteor-operator/apis/v1alpha1"
	"github.com/meteor-zone/meteor-operator/controllers/internal/capabilities"
	"github.com/meteor-zone/meteor-operator/controllers/internal/fixture"
	"github.com/meteor-zone/meteor-operator/controllers/internal/install"
	"github.com/meteor-zone/meteor-operator/controllers/internal/testenv"
	"github.com/meteor-zone/meteor-operator/manifests"
)

// newer stands for the manifests of a newer operator: one task is another, one pipeline and its task are no more.
func newer(o manifests.Options) []*unstructured.Unstructured {
	objs := slices.DeleteFunc(objectsOf(o), func(u *unstructured.Unstructured) bool {
		return u.GetName() == gitrepo || u.GetName() == fetchTask
	})
	for _, u := range objs {
		if u.GetName() == task {
			u.Object["spec"].(map[string]any)["steps"].([]any)[0].(map[string]any)["args"] = []any{"inspect", "--more"}
		}
	}
	return objs
}

func renderNewer(o manifests.Options) ([]*unstructured.Unstructured, string, error) {
	objs := newer(o)
	return objs, manifests.Revision(objs), nil
}

func newRun(t *testing.T, namespace, name string) *tektonv1.PipelineRun {
	t.Helper()
	run := &tektonv1.PipelineRun{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name, Labels: map[string]string{v1alpha1.LabelPartOf: v1alpha1.PartOfValue}},
		Spec:       tektonv1.PipelineRunSpec{PipelineRef: &tektonv1.PipelineRef{Name: pipeline}},
	}
	create(t, run)
	return run
}

func endRun(t *testing.T, run *tektonv1.PipelineRun) {
	t.Helper()
	run.Status.Status = duckv1.Status{Conditions: duckv1.Conditions{{Type: apis.ConditionSucceeded, Status: corev1.ConditionTrue, Reason: "Succeeded"}}}
	if err := env.Client.Status().Update(t.Context(), run); err != nil {
		t.Fatal(err)
	}
}

// TestUpgrade rolls a newer operator's manifests out, once the builds that run have ended.
func TestUpgrade(t *testing.T) {
	fresh(t)
	calm, busy := env.Namespace(t), env.Namespace(t)
	newImage(t, calm)
	newImage(t, busy)
	_, stop := startManager(t)
	testenv.Eventually(t, "it is installed", installed(calm))
	testenv.Eventually(t, "it is installed", installed(busy))
	run := newRun(t, busy, "run")
	stop()

	requests, _ := start(t, setting{render: renderNewer})
	want := newer(manifests.Options{BuilderImage: operatorImage})
	testenv.Eventually(t, "the new revision is there, and what is no more shipped is gone", has(calm, want))
	configIs(t, "the status says that one waits", counted(1, 1, 0))
	isQuiet(t, requests)
	if err := installed(busy)(); err != nil {
		t.Errorf("what a running build may still need has changed: %v", err)
	}
	endRun(t, run)
	testenv.Eventually(t, "the other follows", has(busy, want))
	testenv.Eventually(t, "by one write an object that differs, and a status", writes(requests, 1+2+1))
	configIs(t, "all is well", counted(2, 0, 0))
}

// TestOneTaskChanged costs one write a namespace.
func TestOneTaskChanged(t *testing.T) {
	fresh(t)
	var namespaces []string
	for range 3 {
		namespaces = append(namespaces, env.Namespace(t))
		newImage(t, namespaces[len(namespaces)-1])
	}
	requests, _ := startManager(t)
	for _, ns := range namespaces {
		testenv.Eventually(t, "it is installed", installed(ns))
	}
	isQuiet(t, requests)
	editConfig(t, func(c *v1alpha1.CNBiConfig) { c.Spec.Images.Builder = "registry.example.com/builder:2" })
	for _, ns := range namespaces {
		testenv.Eventually(t, "the new image is there", installedFrom(ns, "registry.example.com/builder:2"))
	}
	configIs(t, "all is well", counted(3, 0, 0))
	got := slices.DeleteFunc(requests.Writes(), func(w string) bool { return w == "PATCH /apis/meteor.zone/v1alpha1/cnbiconfigs/cluster/status" })
	if len(got) != len(namespaces) {
		t.Errorf("one write a namespace, not %v", got)
	}
	isQuiet(t, requests)
	editConfig(t, func(c *v1alpha1.CNBiConfig) { c.Spec.Retention.Failed = v1alpha1.RunRetention{} })
	configIs(t, "the edit is acted on", func(c *v1alpha1.CNBiConfig) error {
		if c.Status.ObservedGeneration != c.Generation {
			return errors.New("not yet")
		}
		return nil
	})
	testenv.Steady(t, "an edit that concerns no object writes none", quiet, writes(requests, 1))
}

// TestFailingNamespace has a policy refuse a task in one namespace.
func TestFailingNamespace(t *testing.T) {
	fresh(t)
	good, bad := env.Namespace(t), env.Namespace(t)
	labelled(t, bad, "refuses", "tasks")
	refuse(t)
	newImage(t, good)
	newImage(t, bad)
	requests, _ := startManager(t)
	testenv.Eventually(t, "the others are not held up", installed(good))
	c := configIs(t, "the failing one is named", counted(1, 0, 1))
	if msg, _ := failing(c, bad); !regexp.MustCompile(`^Cannot apply Task "meteor-fetch-repository": .* no tasks here`).MatchString(msg) {
		t.Errorf("the message is %q", msg)
	}
	testenv.Eventually(t, "what does not need it is there", func() error {
		return errors.Join(exists(capabilities.Pipeline, bad, pipeline), absentNow(capabilities.Pipeline, bad, gitrepo))
	})
	requests.Reset()
	time.Sleep(4 * time.Second)
	if n := len(requests.Writes()); n > 4 {
		t.Errorf("it is tried ever less often, not %d times in 4 seconds", n)
	}
	labelled(t, bad, "refuses", "nothing")
	testenv.Eventually(t, "it goes on by itself", installed(bad))
	configIs(t, "all is well", counted(2, 0, 0))
}

// refuse has the API server refuse a task in namespaces of a label.
func refuse(t *testing.T) {
	t.Helper()
	name := "no-tasks"
	policy := &admissionv1.ValidatingAdmissionPolicy{
		ObjectMeta: metav1.ObjectMeta{Name: name},
		Spec: admissionv1.ValidatingAdmissionPolicySpec{
			MatchConstraints: &admissionv1.MatchResources{ResourceRules: []admissionv1.NamedRuleWithOperations{{
				RuleWithOperations: admissionv1.RuleWithOperations{
					Operations: []admissionv1.OperationType{admissionv1.Create},
					Rule:       admissionv1.Rule{APIGroups: []string{"tekton.dev"}, APIVersions: []string{"*"}, Resources: []string{"tasks"}},
				},
			}}},
			Validations: []admissionv1.Validation{{Expression: "object.metadata.name != '" + fetchTask + "'", Message: "no tasks here"}},
		},
	}
	binding := &admissionv1.ValidatingAdmissionPolicyBinding{
		ObjectMeta: metav1.ObjectMeta{Name: name},
		Spec: admissionv1.ValidatingAdmissionPolicyBindingSpec{
			PolicyName:        name,
			ValidationActions: []admissionv1.ValidationAction{admissionv1.Deny},
			MatchResources: &admissionv1.MatchResources{
				NamespaceSelector: &metav1.LabelSelector{MatchLabels: map[string]string{"refuses": "tasks"}},
			},
		},
	}
	create(t, policy)
	create(t, binding)
	t.Cleanup(func() {
		for _, obj := range []client.Object{binding, policy} {
			if err := env.Client.Delete(context.Background(), obj); err != nil {
				t.Error(err)
			}
		}
	})
	// A policy takes a moment to hold.
	probe := env.Namespace(t)
	labelled(t, probe, "refuses", "tasks")
	testenv.Eventually(t, "the policy holds", func() error {
		u := objectsOf(manifests.Options{BuilderImage: "any"})[3].DeepCopy()
		u.SetNamespace(probe)
		err := env.Client.Create(context.Background(), u)
		if err == nil {
			return errors.Join(errors.New("not yet"), env.Client.Delete(context.Background(), u))
		}
		return client.IgnoreAlreadyExists(ignoreRefusal(err))
	})
}

// ignoreRefusal returns err unless a policy refused something.
func ignoreRefusal(err error) error {
	if apierrors.IsInvalid(err) || apierrors.IsForbidden(err) {
		return nil
	}
	return err
}

func TestRemovedLetsBuildsFinish(t *testing.T) {
	ns, _ := inUse(t)
	run := newRun(t, ns, "run")
	time.Sleep(300 * time.Millisecond)
	editConfig(t, func(c *v1alpha1.CNBiConfig) { c.Spec.ManagementState = v1alpha1.StateRemoved })
	configIs(t, "the status says what is waited for", condition(v1alpha1.ConditionReady, metav1.ConditionFalse, v1alpha1.ReasonRemoving))
	if err := installed(ns)(); err != nil {
		t.Errorf("everything stays while a build runs: %v", err)
	}
	endRun(t, run)
	testenv.Eventually(t, "then it goes", empty(ns))
	configIs(t, "and the status says so", condition(v1alpha1.ConditionReady, metav1.ConditionTrue, v1alpha1.ReasonSucceeded))
}

func TestUnmanagedTouchesNothing(t *testing.T) {
	ns, requests := inUse(t)
	editConfig(t, func(c *v1alpha1.CNBiConfig) { c.Spec.ManagementState = v1alpha1.StateUnmanaged })
	c := configIs(t, "it says so", condition(v1alpha1.ConditionNamespacesReady, metav1.ConditionUnknown, v1alpha1.ReasonUnmanaged))
	if err := condition(v1alpha1.ConditionReady, metav1.ConditionTrue, v1alpha1.ReasonSucceeded)(c); err != nil {
		t.Error(err)
	}
	isQuiet(t, requests)
	for _, name := range []string{"EditedTask", "DeletedPipeline", "Orphaned"} {
		h := harms()[name]
		if err := h.do(t.Context(), live(t, h.gvk, ns, h.name)); err != nil {
			t.Fatal(err)
		}
	}
	testenv.Steady(t, "hands off", quiet, nothingWritten(requests))
	editConfig(t, func(c *v1alpha1.CNBiConfig) { c.Spec.ManagementState = v1alpha1.StateManaged })
	testenv.Eventually(t, "it is put right when asked for", installed(ns))
}

// TestNoLongerOurs takes the pipelines from namespaces that get none any more.
func TestNoLongerOurs(t *testing.T) {
	selected := func(c *v1alpha1.CNBiConfig) {
		c.Spec.Namespaces = v1alpha1.NamespacesSpec{
			Mode: v1alpha1.NamespacesSelected, Selector: &metav1.LabelSelector{MatchLabels: map[string]string{"wanted": "yes"}},
		}
	}
	cases := map[string]struct {
		reason string
		before func(*v1alpha1.CNBiConfig)
		leave  func(t *testing.T, ns string)
	}{
		"Deselected": {
			reason: "the label is gone", before: selected,
			leave: func(t *testing.T, ns string) { t.Helper(); labelled(t, ns, "wanted", "no") },
		},
		"Excluded": {
			reason: "an admin excludes it", before: selected,
			leave: func(t *testing.T, ns string) {
				t.Helper()
				editConfig(t, func(c *v1alpha1.CNBiConfig) { c.Spec.Namespaces.Exclude = []string{ns} })
			},
		},
		"NotAskedFor": {
			reason: "the last object is gone for long enough", before: func(*v1alpha1.CNBiConfig) {},
			leave: func(t *testing.T, ns string) {
				t.Helper()
				obj := fixture.Import(ns, "image", "any").Obj()
				if err := env.Client.Delete(t.Context(), obj); err != nil {
					t.Fatal(err)
				}
				if err := installed(ns)(); err != nil {
					t.Errorf("it keeps them for a while: %v", err)
				}
			},
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			fresh(t)
			ns := env.Namespace(t)
			labelled(t, ns, "wanted", "yes")
			newImage(t, ns)
			t.Cleanup(func() { labelled(t, ns, "wanted", "no") })
			create(t, fixture.Config().Edit(tc.before).Obj())
			requests, _ := start(t, setting{linger: 2 * time.Second})
			testenv.Eventually(t, "it is installed", installed(ns))
			configIs(t, "it is counted", counted(1, 0, 0))
			tc.leave(t, ns)
			testenv.Eventually(t, tc.reason, empty(ns))
			configIs(t, "it counts no more", counted(0, 0, 0))
			isQuiet(t, requests)
		})
	}
}

func TestSystemNamespacesAreLeftOutOfAll(t *testing.T) {
	fresh(t)
	system, asking, own := &corev1.Namespace{}, &corev1.Namespace{}, env.Namespace(t)
	system.GenerateName, asking.GenerateName = "openshift-", "openshift-"
	create(t, system)
	create(t, asking)
	newImage(t, asking.Name)
	create(t, fixture.Config().Edit(func(c *v1alpha1.CNBiConfig) { c.Spec.Namespaces.Mode = v1alpha1.NamespacesAll }).Obj())
	start(t, setting{own: own})
	testenv.Eventually(t, "one that asks for pipelines gets them", installed(asking.Name))
	for _, ns := range []string{system.Name, own, metav1.NamespaceSystem} {
		testenv.Steady(t, "the others do not", quiet/2, empty(ns))
	}
}

// TestConflictLeavesTheRest has a pipeline of the same name from somebody else.
func TestConflictLeavesTheRest(t *testing.T) {
	fresh(t)
	ns := env.Namespace(t)
	foreign := objectsOf(manifests.Options{BuilderImage: "theirs"})[5]
	foreign.SetNamespace(ns)
	foreign.SetLabels(map[string]string{v1alpha1.LabelPartOf: v1alpha1.PartOfValue})
	create(t, foreign)
	newImage(t, ns)
	requests, _ := startManager(t)
	c := configIs(t, "it is named", counted(0, 0, 1))
	if msg, _ := failing(c, ns); msg != `Pipeline "cnbi-gitrepo" exists and is not the operator's: rename or remove it` {
		t.Errorf("the message is %q", msg)
	}
	if err := exists(capabilities.Pipeline, ns, pipeline); err != nil {
		t.Errorf("the other pipeline is there: %v", err)
	}
	if got := live(t, capabilities.Pipeline, ns, gitrepo); got.GetResourceVersion() != foreign.GetResourceVersion() {
		t.Error("it was written to")
	}
	isQuiet(t, requests)
	if err := env.Client.Delete(t.Context(), foreign); err != nil {
		t.Fatal(err)
	}
	testenv.Eventually(t, "its going is noticed", installed(ns))
}

func exists(gvk schema.GroupVersionKind, namespace, name string) error {
	m := install.MetadataOf(gvk)
	return env.Client.Get(context.Background(), types.NamespacedName{Namespace: namespace, Name: name}, m)
}

func absentNow(gvk schema.GroupVersionKind, namespace, name string) error {
	if err := exists(gvk, namespace, name); err == nil {
		return fmt.Errorf("%s %q is there", gvk.Kind, name)
	}
	return nil
}
