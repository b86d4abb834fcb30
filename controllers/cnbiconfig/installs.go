package cnbiconfig

import (
	"context"
	"fmt"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/util/workqueue"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"
	"sigs.k8s.io/controller-runtime/pkg/source"

	"github.com/meteor-zone/meteor-operator/apis/v1alpha1"
	"github.com/meteor-zone/meteor-operator/controllers/internal/capabilities"
	"github.com/meteor-zone/meteor-operator/controllers/internal/install"
)

// Installs tells builds whether their namespace is ready for them.
type Installs struct {
	reader   client.Reader
	designer *designer
	ledger   *ledger
}

// Ready tells whether a namespace has a pipeline, and all that it needs, as the CNBiConfig has them now. Of pipelines
// that are not managed it is enough that they are there. It asks the API server nothing.
func (i *Installs) Ready(ctx context.Context, namespace, pipeline string) (bool, error) {
	config := &v1alpha1.CNBiConfig{}
	if err := i.reader.Get(ctx, types.NamespacedName{Name: v1alpha1.CNBiConfigName}, config); err != nil {
		return false, client.IgnoreNotFound(err)
	}
	if config.Spec.ManagementState == v1alpha1.StateUnmanaged {
		return i.exists(ctx, namespace, pipeline)
	}
	d, err := i.designer.design(ctx, config)
	if err != nil {
		return false, err
	}
	e := i.ledger.get(namespace)
	return e.uid == config.UID && e.bundle == d.bundle.ID && e.offers(pipeline), nil
}

func (i *Installs) exists(ctx context.Context, namespace, pipeline string) (bool, error) {
	meta := install.MetadataOf(capabilities.Pipeline)
	err := i.reader.Get(ctx, types.NamespacedName{Namespace: namespace, Name: pipeline}, meta)
	if apierrors.IsNotFound(err) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("cannot read Pipeline %q: %w", pipeline, err)
	}
	return meta.DeletionTimestamp.IsZero(), nil
}

// Source hands h an event about a namespace whenever other pipelines can be used there than before.
func (i *Installs) Source(h handler.EventHandler) source.Source {
	return source.Func(func(ctx context.Context, q workqueue.TypedRateLimitingInterface[reconcile.Request]) error {
		i.ledger.subscribe(func(c change) {
			if c.pipelines {
				about := &metav1.PartialObjectMetadata{ObjectMeta: metav1.ObjectMeta{Namespace: c.namespace}}
				h.Generic(ctx, event.GenericEvent{Object: about}, q)
			}
		})
		return nil
	})
}
