package customnbimage

import (
	"context"

	"github.com/meteor-zone/meteor-operator/controllers/internal/runs"
)

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
