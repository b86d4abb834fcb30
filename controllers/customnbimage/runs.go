package customnbimage

import (
	"context"
	"fmt"

	tektonv1 "github.com/tektoncd/pipeline/pkg/apis/pipeline/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/meteor-zone/meteor-operator/controllers/internal/runs"
)

// cancel has Tekton end a run now.
func (r *Reconciler) cancel(ctx context.Context, run *tektonv1.PipelineRun) error {
	patch := client.RawPatch("application/merge-patch+json", []byte(`{"spec":{"status":"`+tektonv1.PipelineRunSpecStatusCancelled+`"}}`))
	if err := r.client.Patch(ctx, run, patch, fieldOwner); client.IgnoreNotFound(err) != nil {
		return fmt.Errorf("cannot cancel PipelineRun %q: %w", run.Name, err)
	}
	return nil
}

// pruneRuns deletes the runs that are not to be kept, once the build has ended.
func (r *Reconciler) pruneRuns(ctx context.Context, s *scope) error {
	ended := s.settled || s.seen.finished && !s.mayRetry()
	if !ended || !r.cluster.HasTekton() {
		return nil
	}
	all, err := runs.Of(ctx, r.client, indexRunsByOwner, s.obj)
	if err != nil {
		return err
	}
	kept := runs.Retention{Spec: s.config.Retention, Current: []string{s.obj.Status.PipelineRunName}, Decided: s.build.id}
	s.nextPrune, err = kept.Prune(ctx, r.client, all, r.clock.Now())
	return err
}
