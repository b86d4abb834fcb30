package customnbimage

import (
	"context"

	tektonv1 "github.com/tektoncd/pipeline/pkg/apis/pipeline/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/meteor-zone/meteor-operator/apis/v1alpha1"
)

const cancelledMessage = "The build was cancelled: edit the object, or give its annotation " + v1alpha1.AnnotationRebuild + " a new value, to build again"

// cancelOnDemand ends the build that runs, or has yet to, when the object's user asks for it. A wish that comes when
// there is nothing to end is noted, so that it does not end the next build.
func (r *Reconciler) cancelOnDemand(ctx context.Context, s *scope) error {
	asked := wish(s.obj, v1alpha1.AnnotationCancel, s.obj.Status.LastCancel)
	if asked == s.obj.Status.LastCancel {
		return nil
	}
	s.obj.Status.LastCancel = asked
	switch {
	case s.settled:
		return nil
	case s.seen == nil:
		now := r.clock.Now()
		s.seen = &observation{flow: flowOf(s.obj), started: now, stage: flowOf(s.obj).first()}
	case s.seen.finished && !s.mayRetry():
		return nil
	case !s.seen.finished:
		run := &tektonv1.PipelineRun{ObjectMeta: metav1.ObjectMeta{Namespace: s.obj.Namespace, Name: s.seen.runName}}
		return r.cancel(ctx, run)
	}
	s.seen.finished, s.seen.completed = true, r.clock.Now()
	s.seen.failure = &problem{reason: v1alpha1.ReasonBuildCancelled, message: cancelledMessage}
	return nil
}
