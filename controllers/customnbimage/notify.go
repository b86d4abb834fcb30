package customnbimage

import (
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"

	"github.com/meteor-zone/meteor-operator/apis/v1alpha1"
)

// The actions that events tell of.
const (
	actionBuild   = "Build"
	actionPublish = "Publish"
	actionWait    = "Wait"
	actionLook    = "Look"
)

// notify tells of what this pass has changed: one event a change, and the metrics of a build that has ended.
func (r *Reconciler) notify(s *scope) {
	r.measure(s)
	before := meta.FindStatusCondition(s.before.Status.Conditions, v1alpha1.ConditionReady)
	after := meta.FindStatusCondition(s.obj.Status.Conditions, v1alpha1.ConditionReady)
	if after == nil || before != nil && before.Reason == after.Reason && before.Message == after.Message {
		return
	}
	kind, action := corev1.EventTypeNormal, actionBuild
	switch {
	case before != nil && before.Reason == after.Reason && after.Reason == v1alpha1.ReasonQueuedBehind:
		return // one place further
	case after.Reason == v1alpha1.ReasonResolving, after.Reason == v1alpha1.ReasonBuilding, after.Reason == v1alpha1.ReasonValidating:
		return // a step of the build that the first event began
	case s.obj.Status.Phase == v1alpha1.PhaseReady:
		action = actionPublish
	case s.obj.Status.Phase == v1alpha1.PhaseFailed, v1alpha1.TurnOf(after.Reason) == v1alpha1.TurnPlatform:
		kind = corev1.EventTypeWarning
	case s.obj.Status.Phase == v1alpha1.PhasePending:
		action = actionWait
	}
	r.events.Eventf(s.obj, nil, kind, after.Reason, action, "%s", after.Message)
}

// measure records a build that this pass has seen the end of.
func (r *Reconciler) measure(s *scope) {
	record := newestRecord(s.obj)
	if s.settled || record == nil || record.Result == "" || record.ID != s.build.id {
		return
	}
	var took time.Duration
	if record.StartTime != nil && record.CompletionTime != nil {
		took = record.CompletionTime.Sub(record.StartTime.Time)
	}
	buildType := string(s.obj.Spec.BuildType.Canonical())
	if record.Result == v1alpha1.BuildSucceeded {
		r.metrics.Succeeded(buildType, took)
		return
	}
	r.metrics.Failed(buildType, record.Reason, took)
}
