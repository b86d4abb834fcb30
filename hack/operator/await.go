package operator

import (
	"context"
	"fmt"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// Await lists until done says that it is, and lists again whenever something on the list changes.
func Await[T any, L interface {
	*T
	client.ObjectList
}](ctx context.Context, c client.WithWatch, done func(L) (bool, error), opts ...client.ListOption) error {
	for {
		list := L(new(T))
		if err := c.List(ctx, list, opts...); err != nil {
			return fmt.Errorf("cannot list what is waited for: %w", err)
		}
		if ok, err := done(list); ok || err != nil {
			return err
		}
		if err := nextChange(ctx, c, list, opts); err != nil {
			return err
		}
	}
}

// nextChange waits until something has changed since list was made.
func nextChange(ctx context.Context, c client.WithWatch, list client.ObjectList, opts []client.ListOption) error {
	since := &client.ListOptions{Raw: &metav1.ListOptions{ResourceVersion: list.GetResourceVersion()}}
	w, err := c.Watch(ctx, list, append(opts[:len(opts):len(opts)], since)...)
	if apierrors.IsResourceExpired(err) || apierrors.IsGone(err) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("cannot watch what is waited for: %w", err)
	}
	defer w.Stop()
	select {
	case <-w.ResultChan():
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Named lists the one object of that name.
func Named(namespace, name string) client.ListOption {
	return &client.ListOptions{Namespace: namespace, FieldSelector: fields.OneTermEqualSelector(metav1.ObjectNameField, name)}
}
