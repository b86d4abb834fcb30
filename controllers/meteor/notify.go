package meteor

import (
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/meteor-zone/meteor-operator/apis/v1alpha1"
	"github.com/meteor-zone/meteor-operator/controllers/internal/capabilities"
)

// The actions that events tell of.
const (
	actionBuild  = "Build"
	actionLook   = "Look"
	actionExpire = "Expire"
)

// notify tells of what this pass has changed: one event a change, and the metrics of builds that have ended.
func (r *Reconciler) notify(s *scope) {
	for _, p := range s.parts {
		if p.ended {
			r.metrics.built(p, p.seen.completed.Sub(p.seen.started))
		}
		kind := v1alpha1.ConditionPipelinePrefix + p.name
		before := meta.FindStatusCondition(s.before.Status.Conditions, kind)
		after := meta.FindStatusCondition(s.obj.Status.Conditions, kind)
		if after == nil || before != nil && before.Status == after.Status && before.Reason == after.Reason {
			continue
		}
		if after.Status == metav1.ConditionUnknown && !p.runs() {
			continue // the CustomNBImage tells of its own ways
		}
		if weight := weightOf(after); weight != "" {
			r.events.Eventf(s.obj, p.origin(s.obj), weight, after.Reason, actionBuild, "Pipeline %s: %s", p.name, after.Message)
		}
	}
	if s.life.expiring && !meta.IsStatusConditionTrue(s.before.Status.Conditions, v1alpha1.ConditionExpiring) {
		r.events.Eventf(s.obj, nil, corev1.EventTypeWarning, v1alpha1.ReasonExpiring, actionExpire,
			"Removed at %s, with all that it made: raise spec.ttl to keep it longer", s.life.expires.UTC().Format(time.RFC3339))
	}
}

// origin is what makes the pipeline's result. An event names it beside the Meteor: of two events of one pass that differ
// in their messages alone, client-go tells the first.
func (p *part) origin(obj *v1alpha1.Meteor) *corev1.ObjectReference {
	if !p.runs() {
		return &corev1.ObjectReference{APIVersion: v1alpha1.GroupVersion.String(), Kind: v1alpha1.CustomNBImageKind, Namespace: obj.Namespace, Name: obj.Name}
	}
	return &corev1.ObjectReference{APIVersion: capabilities.Pipeline.GroupVersion().String(), Kind: capabilities.Pipeline.Kind, Namespace: obj.Namespace, Name: p.name}
}

// weightOf is the type of the event about a pipeline's new condition; empty for a mere step on the way.
func weightOf(c *metav1.Condition) string {
	switch {
	case c.Status == metav1.ConditionFalse, v1alpha1.TurnOf(c.Reason) == v1alpha1.TurnPlatform:
		return corev1.EventTypeWarning
	case c.Status == metav1.ConditionTrue, c.Reason == v1alpha1.ReasonBuilding, v1alpha1.TurnOf(c.Reason) == v1alpha1.TurnUser:
		return corev1.EventTypeNormal
	}
	return ""
}
