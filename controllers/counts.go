package controllers

import (
	"context"
	"fmt"

	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/meteor-zone/meteor-operator/apis/v1alpha1"
	"github.com/meteor-zone/meteor-operator/controllers/internal/metrics"
)

// counts are the kinds that are counted by phase in the cache.
func counts(r client.Reader) []metrics.Count {
	phases := []string{
		string(v1alpha1.PhasePending), string(v1alpha1.PhaseBuilding), string(v1alpha1.PhaseReady), string(v1alpha1.PhaseFailed),
	}
	meteorPhases := []string{string(v1alpha1.MeteorBuilding), string(v1alpha1.MeteorSucceeded), string(v1alpha1.MeteorFailed)}
	return []metrics.Count{
		{Kind: v1alpha1.CustomNBImageKind, Phases: phases, ByPhase: func(ctx context.Context) (map[string]int, error) {
			list := &v1alpha1.CustomNBImageList{}
			if err := r.List(ctx, list, client.UnsafeDisableDeepCopy); err != nil {
				return nil, fmt.Errorf("cannot count CustomNBImages: %w", err)
			}
			return byPhase(list.Items, func(o v1alpha1.CustomNBImage) string { return string(o.Status.Phase) }), nil
		}},
		{Kind: v1alpha1.MeteorKind, Phases: meteorPhases, ByPhase: func(ctx context.Context) (map[string]int, error) {
			list := &v1alpha1.MeteorList{}
			if err := r.List(ctx, list, client.UnsafeDisableDeepCopy); err != nil {
				return nil, fmt.Errorf("cannot count Meteors: %w", err)
			}
			return byPhase(list.Items, func(o v1alpha1.Meteor) string { return string(o.Status.Phase) }), nil
		}},
	}
}

// byPhase counts objects by phase. One that nobody has looked at yet is pending.
func byPhase[T any](items []T, phase func(T) string) map[string]int {
	n := map[string]int{}
	for i := range items {
		p := phase(items[i])
		if p == "" {
			p = string(v1alpha1.PhasePending)
		}
		n[p]++
	}
	return n
}
