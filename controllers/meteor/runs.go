package meteor

import (
	"context"
	"fmt"

	tektonv1 "github.com/tektoncd/pipeline/pkg/apis/pipeline/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/meteor-zone/meteor-operator/controllers/internal/runs"
)

// remove deletes an object of ours, and with it what it owns.
func (r *Reconciler) remove(ctx context.Context, obj client.Object) error {
	if !obj.GetDeletionTimestamp().IsZero() {
		return nil
	}
	if err := r.client.Delete(ctx, obj, client.PropagationPolicy(metav1.DeletePropagationBackground)); client.IgnoreNotFound(err) != nil {
		return fmt.Errorf("cannot delete %T %q: %w", obj, obj.GetName(), err)
	}
	return nil
}

func (r *Reconciler) cancel(ctx context.Context, s *scope, name string) error {
	run := &tektonv1.PipelineRun{ObjectMeta: metav1.ObjectMeta{Namespace: s.obj.Namespace, Name: name}}
	return runs.Cancel(ctx, r.client, run, fieldOwner)
}

// pruneRuns deletes the ended runs that are not to be kept.
func (r *Reconciler) pruneRuns(ctx context.Context, s *scope) error {
	if !r.cluster.HasTekton() {
		return nil
	}
	all, err := runs.Of(ctx, r.client, indexRunsByMeteor, s.obj)
	if err != nil {
		return err
	}
	kept := runs.Retention{Spec: s.config.Retention}
	for _, p := range s.parts {
		kept.Current = append(kept.Current, p.runName)
	}
	next, err := kept.Prune(ctx, r.client, all, r.clock.Now())
	s.wake(next)
	return err
}
