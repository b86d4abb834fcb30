// Package conditionstest checks what holds for every object's conditions, whatever happened to it.
package conditionstest

import (
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/meteor-zone/meteor-operator/apis/v1alpha1"
	"github.com/meteor-zone/meteor-operator/controllers/internal/conditions"
)

// Object is one of the operator's kinds.
type Object interface {
	GetName() string
	GetGeneration() int64
	GetConditions() []metav1.Condition
}

// Check fails the test where an object that was reconciled breaks a rule: Ready is there; Reconciling and Stalled are
// there only when True, never both, never beside Ready=True; no generation is from the future; messages are one
// bounded line that starts with a capital and has no full stop.
func Check(t *testing.T, obj Object) {
	t.Helper()
	list := obj.GetConditions()
	ready := meta.FindStatusCondition(list, conditions.Ready)
	if ready == nil {
		t.Errorf("%s: Ready is missing", obj.GetName())
	}
	reconciling := meta.FindStatusCondition(list, conditions.Reconciling)
	stalled := meta.FindStatusCondition(list, conditions.Stalled)
	for _, c := range []*metav1.Condition{reconciling, stalled} {
		if c != nil && c.Status != metav1.ConditionTrue {
			t.Errorf("%s: %s is there and %s", obj.GetName(), c.Type, c.Status)
		}
		if c != nil && ready != nil && ready.Status == metav1.ConditionTrue {
			t.Errorf("%s: %s beside Ready=True", obj.GetName(), c.Type)
		}
	}
	if reconciling != nil && stalled != nil {
		t.Errorf("%s: both Reconciling and Stalled", obj.GetName())
	}
	if observed := observedGeneration(obj); observed > obj.GetGeneration() {
		t.Errorf("%s: observedGeneration %d is after generation %d", obj.GetName(), observed, obj.GetGeneration())
	}
	for _, c := range list {
		checkOne(t, obj, c)
	}
}

func checkOne(t *testing.T, obj Object, c metav1.Condition) {
	t.Helper()
	if c.ObservedGeneration > obj.GetGeneration() {
		t.Errorf("%s: %s is about generation %d of %d", obj.GetName(), c.Type, c.ObservedGeneration, obj.GetGeneration())
	}
	if c.Status == metav1.ConditionTrue && c.Type == conditions.Ready && c.Reason != v1alpha1.ReasonSucceeded {
		t.Errorf("%s: Ready=True for reason %s", obj.GetName(), c.Reason)
	}
	if c.Message != conditions.Message(c.Message) {
		t.Errorf("%s: %s has a message that is not one bounded line: %q", obj.GetName(), c.Type, c.Message)
	}
	if c.Message == "" || strings.HasSuffix(c.Message, ".") || strings.ToUpper(c.Message[:1]) != c.Message[:1] {
		t.Errorf("%s: %s has a message that is not in the house style: %q", obj.GetName(), c.Type, c.Message)
	}
}

func observedGeneration(obj Object) int64 {
	switch o := obj.(type) {
	case *v1alpha1.CustomNBImage:
		return o.Status.ObservedGeneration
	case *v1alpha1.Meteor:
		return o.Status.ObservedGeneration
	case *v1alpha1.CNBiConfig:
		return o.Status.ObservedGeneration
	}
	return -1
}
