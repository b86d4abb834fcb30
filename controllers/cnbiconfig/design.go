package cnbiconfig

import (
	"context"
	"sync"

	"github.com/meteor-zone/meteor-operator/apis/v1alpha1"
	"github.com/meteor-zone/meteor-operator/controllers/internal/install"
)

// designer tells what namespaces are to have.
type designer struct {
	catalogue *install.Catalogue
	copier    *copier
	// streams tells whether the cluster has ImageStreams.
	streams func(*v1alpha1.CNBiConfig) bool

	mu sync.Mutex
	// manifests and copies are what last was put together from.
	manifests *install.Bundle
	copies    string
	last      *install.Bundle
}

// design is what every namespace that gets pipelines is to have.
type design struct {
	bundle *install.Bundle
	// spared are objects that stay as they are, because what they are copied from is not as it should be.
	spared map[install.Key]bool
	// wrong tells what is not as it should be.
	wrong error
}

// design returns what config asks for.
func (d *designer) design(ctx context.Context, config *v1alpha1.CNBiConfig) (design, error) {
	manifests, err := d.catalogue.Bundle(config, d.streams(config))
	if err != nil {
		return design{}, err
	}
	made, err := d.copier.copies(ctx, config)
	if err != nil {
		return design{}, err
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.last == nil || d.manifests != manifests || d.copies != made.id {
		d.manifests, d.copies, d.last = manifests, made.id, manifests.With(made.objects)
	}
	return design{bundle: d.last, spared: made.missing, wrong: made.wrong}, nil
}
