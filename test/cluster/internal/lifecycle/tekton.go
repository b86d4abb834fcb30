package lifecycle

import (
	"context"
	"errors"
	"fmt"
	"os"

	"github.com/meteor-zone/meteor-operator/test/cluster"
	"github.com/meteor-zone/meteor-operator/test/cluster/internal/build"
)

// RemoveTekton takes Tekton away, as does an admin who deletes what was
// applied, and with it all objects of its kinds. Up brings it back.
func (c *Cluster) RemoveTekton(ctx context.Context) error {
	if !c.running() {
		return cluster.ErrNotUp
	}
	b := &build.Builder{Checkout: c.Checkout, Cache: c.Cache, Log: c.Out}
	built, err := b.Tekton(ctx)
	if err != nil {
		return err
	}
	var p parts
	if p.kube, err = b.Kube(ctx); err != nil {
		return err
	}
	unlock, err := c.exclusive()
	if err != nil {
		return err
	}
	defer unlock()
	if err := os.Remove(c.path("complete")); err != nil && !errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("cannot note that the cluster is not complete: %w", err)
	}
	// Images are still to be filled in there; names, by which things are deleted, are not.
	manifests, err := built.Manifests()
	if err != nil {
		return err
	}
	if err := c.kubectl(ctx, p, manifests, "delete", "--ignore-not-found", "--timeout=2m", "-f", "-"); err != nil {
		return err
	}
	c.say("Tekton is gone")
	return nil
}
