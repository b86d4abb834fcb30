package cnbiconfig

import (
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/meteor-zone/meteor-operator/apis/v1alpha1"
	"github.com/meteor-zone/meteor-operator/controllers/internal/capabilities"
)

// offered implements cluster.
func (o offers) offered(before v1alpha1.ClusterOffers) v1alpha1.ClusterOffers {
	return v1alpha1.ClusterOffers{
		Tekton:       o.state(capabilities.Pipeline, o.HasTekton(), before.Tekton),
		ImageStreams: o.state(capabilities.ImageStream, o.HasImageStreams(), before.ImageStreams),
		Routes:       o.state(capabilities.Route, o.HasRoutes(), before.Routes),
	}
}

// streams tells whether the cluster has ImageStreams, as far as that is known.
func (o offers) streams(config *v1alpha1.CNBiConfig) bool {
	return o.offered(config.Status.Offers).ImageStreams == v1alpha1.OfferAvailable
}

// state tells whether the cluster has an API. Where nobody has answered since the start, as when OpenShift's own API
// server starts after the manager, what the status says still holds: nothing is taken away from namespaces, only to be
// given back.
func (o offers) state(gvk schema.GroupVersionKind, has bool, before v1alpha1.OfferState) v1alpha1.OfferState {
	switch {
	case has:
		return v1alpha1.OfferAvailable
	case before != "" && !o.Known(gvk):
		return before
	}
	return v1alpha1.OfferAbsent
}
