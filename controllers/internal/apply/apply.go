// Package apply writes objects and statuses by server-side apply, and only when there is something to write.
package apply

import (
	"context"
	"fmt"
	"time"

	"k8s.io/apimachinery/pkg/api/equality"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/apiutil"

	"github.com/meteor-zone/meteor-operator/controllers/internal/outcome"
)

// ReasonStale is the reason of the wait for a cache that has not caught up with an own write.
const ReasonStale = "CacheNotCurrent"

// staleAfter is when to look again at an object whose cached copy is old.
const staleAfter = 100 * time.Millisecond

// Apply applies obj, which holds only the fields that owner wants, and fills it with the answer. With force, fields
// of other owners are taken over; without, they are a conflict.
func Apply(ctx context.Context, c client.Writer, obj *unstructured.Unstructured, owner client.FieldOwner, force bool) error {
	opts := []client.ApplyOption{owner}
	if force {
		opts = append(opts, client.ForceOwnership)
	}
	if err := c.Apply(ctx, client.ApplyConfigurationFromUnstructured(obj), opts...); err != nil {
		return fmt.Errorf("cannot apply %s %q: %w", obj.GetKind(), obj.GetName(), err)
	}
	return nil
}

// Apply writes the whole status of after, if it differs from that of before, the object as it was read.
//
// An object that is gone or was replaced meanwhile needs no status; one that has changed since it was read, or whose
// cached copy is older than our own last write, is a silent wait of a moment.
func (s *Statuses) Apply(ctx context.Context, before, after client.Object) error {
	if s.Stale(before) {
		return outcome.Wait(ReasonStale, "Waiting for the cache to catch up", staleAfter)
	}
	old, err := runtime.DefaultUnstructuredConverter.ToUnstructured(before)
	if err != nil {
		return fmt.Errorf("cannot convert the read object: %w", err)
	}
	now, err := runtime.DefaultUnstructuredConverter.ToUnstructured(after)
	if err != nil {
		return fmt.Errorf("cannot convert the object: %w", err)
	}
	if equality.Semantic.DeepEqual(old["status"], now["status"]) {
		return nil
	}
	gvk, err := apiutil.GVKForObject(after, s.client.Scheme())
	if err != nil {
		return fmt.Errorf("cannot tell the kind: %w", err)
	}
	u := &unstructured.Unstructured{Object: map[string]any{"status": now["status"]}}
	u.SetGroupVersionKind(gvk)
	u.SetName(before.GetName())
	u.SetNamespace(before.GetNamespace())
	u.SetUID(before.GetUID())
	u.SetResourceVersion(before.GetResourceVersion())

	err = s.client.Status().Apply(ctx, client.ApplyConfigurationFromUnstructured(u), s.owner, client.ForceOwnership)
	switch {
	case apierrors.IsNotFound(err):
		return nil
	case apierrors.IsConflict(err):
		return outcome.Wait(ReasonStale, "Waiting for the cache to catch up", staleAfter)
	case err != nil:
		return fmt.Errorf("cannot apply the status of %s %q: %w", gvk.Kind, before.GetName(), err)
	}
	s.wrote(before, u.GetResourceVersion())
	return nil
}
