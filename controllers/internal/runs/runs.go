// Package runs is what the controllers have in common that build by PipelineRuns: how runs are named, found and given up,
// what their pods are, and what their tasks say.
package runs

import (
	"context"
	"fmt"

	tektonv1 "github.com/tektoncd/pipeline/pkg/apis/pipeline/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/meteor-zone/meteor-operator/apis/v1alpha1"
	"github.com/meteor-zone/meteor-operator/controllers/internal/capabilities"
	"github.com/meteor-zone/meteor-operator/controllers/internal/install"
)

// OwnedMeta is the metadata of what is made for an object, which is of the given kind and is found by the given label.
func OwnedMeta(owner client.Object, kind, label, name string) metav1.ObjectMeta {
	return metav1.ObjectMeta{
		Name:      name,
		Namespace: owner.GetNamespace(),
		Labels: map[string]string{
			v1alpha1.LabelPartOf:    v1alpha1.PartOfValue,
			v1alpha1.LabelManagedBy: v1alpha1.ManagedByValue,
			label:                   owner.GetName(),
		},
		OwnerReferences: []metav1.OwnerReference{{
			APIVersion: v1alpha1.GroupVersion.String(), Kind: kind, Name: owner.GetName(), UID: owner.GetUID(), Controller: ptr.To(true),
		}},
	}
}

// OwnerUID is an indexer: it finds runs by the UID of the object that controls them.
func OwnerUID(obj client.Object) []string {
	if owner := metav1.GetControllerOf(obj); owner != nil {
		return []string{string(owner.UID)}
	}
	return nil
}

// Of lists the runs of an object, by the name of an index that OwnerUID makes.
func Of(ctx context.Context, c client.Reader, index string, owner client.Object) ([]tektonv1.PipelineRun, error) {
	list := &tektonv1.PipelineRunList{}
	if err := c.List(ctx, list, client.InNamespace(owner.GetNamespace()), client.MatchingFields{index: string(owner.GetUID())}); err != nil {
		return nil, fmt.Errorf("cannot list the PipelineRuns: %w", err)
	}
	return list.Items, nil
}

// IsLook tells whether a run only looks at a source.
func IsLook(run *tektonv1.PipelineRun) bool { return run.Labels[v1alpha1.LabelLook] != "" }

// Hidden tells whether a run that exists is one that the cache will never show as the owner's: another's, or one that has
// lost the label which the cache selects by.
func Hidden(ctx context.Context, direct client.Reader, run *tektonv1.PipelineRun, owner client.Object) (bool, error) {
	current := install.MetadataOf(capabilities.PipelineRun)
	err := direct.Get(ctx, client.ObjectKeyFromObject(run), current)
	if client.IgnoreNotFound(err) != nil {
		return false, fmt.Errorf("cannot read PipelineRun %q: %w", run.Name, err)
	}
	return err == nil && (!metav1.IsControlledBy(current, owner) || current.Labels[v1alpha1.LabelPartOf] != v1alpha1.PartOfValue), nil
}

// Cancel has Tekton end a run now. One that is gone has ended.
func Cancel(ctx context.Context, c client.Writer, run *tektonv1.PipelineRun, owner client.FieldOwner) error {
	patch := client.RawPatch(types.MergePatchType, []byte(`{"spec":{"status":"`+tektonv1.PipelineRunSpecStatusCancelled+`"}}`))
	if err := c.Patch(ctx, run, patch, owner); client.IgnoreNotFound(err) != nil {
		return fmt.Errorf("cannot cancel PipelineRun %q: %w", run.Name, err)
	}
	return nil
}

// Remove deletes a run, and with it its pods.
func Remove(ctx context.Context, c client.Writer, run *tektonv1.PipelineRun) error {
	if !run.DeletionTimestamp.IsZero() {
		return nil
	}
	if err := c.Delete(ctx, run, client.PropagationPolicy(metav1.DeletePropagationBackground)); client.IgnoreNotFound(err) != nil {
		return fmt.Errorf("cannot delete PipelineRun %q: %w", run.Name, err)
	}
	return nil
}
