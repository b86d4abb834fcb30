package cnbiconfig

import (
	"context"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/util/workqueue"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"
	"sigs.k8s.io/controller-runtime/pkg/source"

	"github.com/meteor-zone/meteor-operator/apis/v1alpha1"
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
	e := i.ledger.get(namespace)
	if e.uid != config.UID || !e.offers(pipeline) {
		return false, nil
	}
	if config.Spec.ManagementState == v1alpha1.StateUnmanaged {
		return true, nil
	}
	d, err := i.designer.design(ctx, config)
	return err == nil && e.bundle == d.bundle.ID, err
}

// Unselected tells whether the CNBiConfig's selector leaves a namespace out, as far as is known yet.
func (i *Installs) Unselected(namespace string) bool { return i.ledger.get(namespace).unselected }

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
