package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	tektonv1 "github.com/tektoncd/pipeline/pkg/apis/pipeline/v1"
	"golang.org/x/sync/errgroup"
	"k8s.io/apimachinery/pkg/watch"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/meteor-zone/meteor-operator/apis/v1alpha1"
	"github.com/meteor-zone/meteor-operator/hack/operator"
	"github.com/meteor-zone/meteor-operator/test/bench/internal/figures"
)

// burst creates many objects at once and times how long each waits for its PipelineRun. Tekton takes these up meanwhile
// as it always does. The objects go as soon as the last has its run: the builds themselves are not waited for.
func (b *bench) burst(ctx context.Context, n int) error {
	namespace, remove, err := b.namespace(ctx)
	if err != nil {
		return err
	}
	defer remove()
	if _, err := b.timeImport(ctx, namespace, "warm"); err != nil {
		return err
	}
	fmt.Fprintf(os.Stderr, "Creating %d objects at once\n", n)
	ctx, cancel := context.WithTimeout(ctx, importWithin)
	defer cancel()
	runs, err := b.Client.Watch(ctx, &tektonv1.PipelineRunList{}, client.InNamespace(namespace))
	if err != nil {
		return fmt.Errorf("cannot watch PipelineRuns: %w", err)
	}
	defer runs.Stop()
	created := make([]time.Time, n)
	var creating errgroup.Group
	for i := range n {
		creating.Go(func() error {
			obj := b.newImport(namespace, burstName(i))
			created[i] = time.Now()
			return b.Client.Create(ctx, obj)
		})
	}
	seen, err := firstSeen(ctx, runs, n)
	if err := errors.Join(creating.Wait(), err); err != nil {
		return fmt.Errorf("cannot time the runs: %w", err)
	}
	var took []time.Duration
	for i := range n {
		took = append(took, seen[burstName(i)].Sub(created[i]))
	}
	b.seconds(fmt.Sprintf("burst_%d_create_to_pipelinerun_median", n), percentile(took, 50), figures.NoBar)
	b.seconds(fmt.Sprintf("burst_%d_create_to_pipelinerun_p99", n), percentile(took, 99), figures.NoBar)
	return b.clear(ctx, namespace)
}

func burstName(i int) string { return fmt.Sprintf("burst-%d", i) }

// firstSeen waits for the runs of n objects and notes when the first of each came.
func firstSeen(ctx context.Context, runs watch.Interface, n int) (map[string]time.Time, error) {
	seen := map[string]time.Time{}
	for len(seen) < n {
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case e, ok := <-runs.ResultChan():
			if !ok {
				return nil, errors.New("the watch has ended")
			}
			run, ok := e.Object.(*tektonv1.PipelineRun)
			if !ok || e.Type != watch.Added || run.Labels[v1alpha1.LabelCustomNBImage] == "warm" {
				continue
			}
			if name := run.Labels[v1alpha1.LabelCustomNBImage]; seen[name].IsZero() {
				seen[name] = time.Now()
			}
		}
	}
	return seen, nil
}

// clear deletes a namespace's objects and waits until their runs are gone.
func (b *bench) clear(ctx context.Context, namespace string) error {
	if err := b.Client.DeleteAllOf(ctx, &v1alpha1.CustomNBImage{}, client.InNamespace(namespace)); err != nil {
		return fmt.Errorf("cannot delete the objects: %w", err)
	}
	err := operator.Await(ctx, b.Client, func(l *tektonv1.TaskRunList) (bool, error) { return len(l.Items) == 0, nil }, client.InNamespace(namespace))
	if err != nil {
		return fmt.Errorf("the runs do not go: %w", err)
	}
	return nil
}
