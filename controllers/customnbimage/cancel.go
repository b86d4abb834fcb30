package customnbimage

import (
	"context"

	tektonv1 "github.com/tektoncd/pipeline/pkg/apis/pipeline/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/meteor-zone/meteor-operator/apis/v1alpha1"
	"github.com/meteor-zone/meteor-operator/controllers/internal/runs"
)

const cancelledMessage = "The build was cancelled: edit the object, or give its annotation " + v1alpha1.AnnotationRebuild + " a new value, to build again"

// cancelOnDemand ends the build that runs, or has yet to, when the object's user asks for it. A wish that comes when
// there is nothing to end is noted, so that it does not end the next build.
func (r *Reconciler) cancelOnDemand(ctx context.Context, s *scope) error {
	asked := runs.Wish(s.obj, v1alpha1.AnnotationCancel, s.obj.Status.LastCancel)
	if asked == s.obj.Status.LastCancel {
		return nil
	}
	switch {
	case s.settled, s.seen != nil && s.seen.finished && !s.mayRetry():
	case s.seen != nil && !s.seen.finished:
		run := &tektonv1.PipelineRun{ObjectMeta: metav1.ObjectMeta{Namespace: s.obj.Namespace, Name: s.seen.runName}}
		if err := runs.Cancel(ctx, r.client, run, fieldOwner); err != nil {
			return err
		}
	default:
		r.giveUp(s)
	}
	s.obj.Status.LastCancel = asked
	return nil
}

// giveUp ends a build of which nothing runs.
func (r *Reconciler) giveUp(s *scope) {
	now := r.clock.Now()
	if s.seen == nil {
		f := flowOf(s.obj)
		s.seen = &observation{flow: f, stage: f.first(), started: now}
	}
	s.seen.finished, s.seen.completed = true, now
	s.seen.failure = &problem{reason: v1alpha1.ReasonBuildCancelled, message: cancelledMessage}
}
