package cnbiconfig_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/meteor-zone/meteor-operator/apis/v1alpha1"
	"github.com/meteor-zone/meteor-operator/controllers/internal/capabilities"
	"github.com/meteor-zone/meteor-operator/controllers/internal/fixture"
	"github.com/meteor-zone/meteor-operator/controllers/internal/testenv"
)

// TestSelectorThatIsNone is about what the API takes for a selector.
func TestSelectorThatIsNone(t *testing.T) {
	fresh(t)
	ns := env.Namespace(t)
	labelled(t, ns, "selected", "yes")
	t.Cleanup(func() { labelled(t, ns, "selected", "no") })
	selectBy := func(r metav1.LabelSelectorRequirement) func(*v1alpha1.CNBiConfig) {
		return func(c *v1alpha1.CNBiConfig) {
			c.Spec.Namespaces = v1alpha1.NamespacesSpec{
				Mode: v1alpha1.NamespacesSelected, Selector: &metav1.LabelSelector{MatchExpressions: []metav1.LabelSelectorRequirement{r}},
			}
		}
	}
	good := metav1.LabelSelectorRequirement{Key: "selected", Operator: metav1.LabelSelectorOpIn, Values: []string{"yes"}}
	bad := good
	bad.Operator = "in"
	create(t, fixture.Config().Edit(selectBy(good)).Obj())
	requests, _ := startManager(t)
	testenv.Eventually(t, "it is installed", installed(ns))
	configIs(t, "all is well", counted(1, 0, 0))

	editConfig(t, selectBy(bad))
	c := configIs(t, "the admin is told", condition(v1alpha1.ConditionReady, metav1.ConditionFalse, v1alpha1.ReasonInvalidSpec))
	if got := readyMessage(c); got != `The selector in spec.namespaces is none: "in" is not a valid label selector operator` {
		t.Errorf("the message is %q", got)
	}
	isQuiet(t, requests)
	if err := installed(ns)(); err != nil {
		t.Errorf("what is there stays: %v", err)
	}
	editConfig(t, selectBy(good))
	configIs(t, "all is well again", condition(v1alpha1.ConditionReady, metav1.ConditionTrue, v1alpha1.ReasonSucceeded))
}

// TestWatchedNamespaceThatIsNotThere does not keep the others from being called ready.
func TestWatchedNamespaceThatIsNotThere(t *testing.T) {
	for mode, spec := range map[v1alpha1.NamespaceMode]v1alpha1.NamespacesSpec{
		v1alpha1.NamespacesAll: {Mode: v1alpha1.NamespacesAll},
		v1alpha1.NamespacesSelected: {
			Mode: v1alpha1.NamespacesSelected, Selector: &metav1.LabelSelector{MatchLabels: map[string]string{"watched": "yes"}},
		},
	} {
		t.Run(string(mode), func(t *testing.T) {
			fresh(t)
			there, leaving := env.Namespace(t), env.Namespace(t)
			labelled(t, there, "watched", "yes")
			if err := env.Client.Delete(t.Context(), &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: leaving}}); err != nil {
				t.Fatal(err)
			}
			create(t, fixture.Config().Edit(func(c *v1alpha1.CNBiConfig) { c.Spec.Namespaces = spec }).Obj())
			startManager(t, there, "not-there", leaving)
			testenv.Eventually(t, "the one that is there is installed", installed(there))
			configIs(t, "and all is well", condition(v1alpha1.ConditionReady, metav1.ConditionTrue, v1alpha1.ReasonSucceeded))
		})
	}
}

// TestRunWithoutEnd is about a run that somebody gave no timeout.
func TestRunWithoutEnd(t *testing.T) {
	ns, _ := inUse(t)
	run := newRun(t, ns, "run")
	run.Status.StartTime = &metav1.Time{Time: time.Now().Add(-26 * time.Hour)}
	if err := env.Client.Status().Update(t.Context(), run); err != nil {
		t.Fatal(err)
	}
	time.Sleep(300 * time.Millisecond)
	editConfig(t, func(c *v1alpha1.CNBiConfig) { c.Spec.ManagementState = v1alpha1.StateRemoved })
	testenv.Eventually(t, "it keeps nothing from being taken away", empty(ns))
	configIs(t, "and the status says so", condition(v1alpha1.ConditionReady, metav1.ConditionTrue, v1alpha1.ReasonSucceeded))
}

// TestRemovedWaitsForWhatIsHeld is about an object that somebody holds by a finalizer.
func TestRemovedWaitsForWhatIsHeld(t *testing.T) {
	ns, requests := inUse(t)
	isQuiet(t, requests)
	const hold, release = `{"metadata":{"finalizers":["example.com/held"]}}`, `{"metadata":{"finalizers":null}}`
	if err := patch(hold)(t.Context(), live(t, capabilities.Task, ns, task)); err != nil {
		t.Fatal(err)
	}
	editConfig(t, func(c *v1alpha1.CNBiConfig) { c.Spec.ManagementState = v1alpha1.StateRemoved })
	c := configIs(t, "it is waited for", condition(v1alpha1.ConditionReady, metav1.ConditionFalse, v1alpha1.ReasonRemoving))
	if want := fmt.Sprintf("The pipelines are yet to be taken away from 1 namespace; %q: Task %q is being deleted", ns, task); readyMessage(c) != want {
		t.Errorf("want %q, got %q", want, readyMessage(c))
	}
	if err := patch(release)(t.Context(), live(t, capabilities.Task, ns, task)); err != nil {
		t.Fatal(err)
	}
	configIs(t, "then all is gone", condition(v1alpha1.ConditionReady, metav1.ConditionTrue, v1alpha1.ReasonSucceeded))
}

// TestStrife is about somebody who wants an object otherwise each time that it is put right.
func TestStrife(t *testing.T) {
	ns, requests := inUse(t)
	isQuiet(t, requests)

	ctx, cancel := context.WithCancel(t.Context())
	fighting := make(chan error, 1)
	go func() {
		obj := live(t, capabilities.Task, ns, task)
		for ctx.Err() == nil {
			err := env.Client.Get(ctx, client.ObjectKeyFromObject(obj), obj)
			if l := obj.GetLabels(); err == nil && l[v1alpha1.LabelRevision] != "theirs" {
				l[v1alpha1.LabelRevision] = "theirs"
				obj.SetLabels(l)
				_ = env.Client.Update(ctx, obj) // whoever is late tries again
			}
			time.Sleep(10 * time.Millisecond)
		}
		fighting <- nil
	}()
	time.Sleep(6 * time.Second)
	n := 0
	for _, w := range requests.Writes() {
		if strings.Contains(w, "/tasks/") {
			n++
		}
	}
	if n < 5 || n > 10 {
		t.Errorf("it was written %d times in 6 seconds: that is to grow ever less often", n)
	}
	configIs(t, "the admin is told", func(c *v1alpha1.CNBiConfig) error {
		if !strings.Contains(readyMessage(c), fmt.Sprintf("Somebody else changes Task %q", task)) {
			return errors.New("not told")
		}
		return nil
	})
	cancel()
	<-fighting
	testenv.Eventually(t, "it is put right when there is peace", installed(ns))
}
