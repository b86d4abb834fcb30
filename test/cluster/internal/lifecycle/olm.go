package lifecycle

import (
	"bytes"
	"context"
	"errors"
	"fmt"

	"github.com/meteor-zone/meteor-operator/test/cluster/internal/build"
	"github.com/meteor-zone/meteor-operator/test/cluster/manifests"
	"github.com/meteor-zone/meteor-operator/test/cluster/pack"
)

// olmUser is the user that OLM runs its own pods as.
const olmUser = "1001:1001"

// OLM puts the Operator Lifecycle Manager onto the running cluster, and an image
// that serves catalogues into the registry.
func (c *Cluster) OLM(ctx context.Context) error {
	if !c.running() {
		return errors.New("the cluster is not up: make cluster-up")
	}
	b := &build.Builder{Checkout: c.Checkout, Cache: c.Cache, Log: c.Out}
	olm, err := b.OLM(ctx)
	if err != nil {
		return err
	}
	var p parts
	if p.kube, err = b.Kube(ctx); err != nil {
		return err
	}
	// The compiler takes minutes, in which others may use the cluster.
	unlock, err := c.exclusive()
	if err != nil {
		return err
	}
	defer unlock()
	objects, err := c.pushOLM(ctx, olm)
	if err != nil {
		return err
	}
	crds, err := olm.CRDs()
	if err != nil {
		return fmt.Errorf("cannot read OLM's CRDs: %w", err)
	}
	for _, content := range [][]byte{crds, objects} {
		if err := c.apply(ctx, p, content); err != nil {
			return err
		}
	}
	return c.await(ctx, "OLM is available", func(ctx context.Context) error { return c.available(ctx, "olm") })
}

// pushOLM pushes OLM's images and returns its objects, which name them.
func (c *Cluster) pushOLM(ctx context.Context, olm build.OLM) ([]byte, error) {
	links := map[string]string{}
	for _, name := range shellCommands {
		links["/bin/"+name] = "busybox"
	}
	files := map[string]string{"/bin/busybox": "/bin/busybox"}
	for _, name := range []string{"olm", "catalog", "copy-content", "cpb"} {
		files["/bin/"+name] = olm.Program(name)
	}
	own, err := c.push(ctx, "olm/olm:"+olm.Version, pack.Spec{Files: files, Links: links, Entrypoint: []string{"/bin/olm"}, User: olmUser})
	if err != nil {
		return nil, err
	}
	opm, err := c.push(ctx, "olm/opm:1", pack.Spec{
		Files: map[string]string{
			"/bin/busybox": "/bin/busybox", "/bin/opm": olm.Program("opm"), "/bin/grpc_health_probe": olm.Program("grpc_health_probe"),
		},
		Links: links, Entrypoint: []string{"/bin/opm"}, User: olmUser,
	})
	if err != nil {
		return nil, err
	}
	objects := bytes.ReplaceAll(manifests.OLM, []byte("image-of-olm"), []byte(own))
	return bytes.ReplaceAll(objects, []byte("image-of-opm"), []byte(opm)), nil
}

// available says whether all Deployments of a namespace are.
func (c *Cluster) available(ctx context.Context, namespace string) error {
	var list struct {
		Items []object `json:"items"`
	}
	if err := c.get(ctx, "/apis/apps/v1/namespaces/"+namespace+"/deployments", &list); err != nil {
		return err
	}
	if len(list.Items) == 0 {
		return fmt.Errorf("namespace %s has no Deployments", namespace)
	}
	for _, deployment := range list.Items {
		if err := deployment.is("Available"); err != nil {
			return err
		}
	}
	return nil
}
