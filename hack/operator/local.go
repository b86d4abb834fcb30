package operator

import (
	"context"
	"fmt"
	"net/url"
	"os"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/meteor-zone/meteor-operator/apis/v1alpha1"
)

const (
	// localRepository is where the local cluster's built images go.
	localRepository = "/built/{namespace}/{name}"
	// localCA is the ConfigMap with the local cluster's certificate authority, and localCAKey its key.
	localCA    = "local-cluster-ca"
	localCAKey = "ca-bundle.crt"
)

// Configure has the CNBiConfig say what an admin of the local cluster would: which registry, package index, images and
// certificate authority there are. Elsewhere it does nothing.
func (c *Cluster) Configure(ctx context.Context) error {
	if c.Local == nil {
		return nil
	}
	index, err := url.Parse(c.Local.Index)
	if err != nil {
		return fmt.Errorf("cannot read the package index's URL: %w", err)
	}
	pem, err := os.ReadFile(c.Local.CA)
	if err != nil {
		return fmt.Errorf("cannot read the cluster's certificate authority: %w", err)
	}
	ca := &unstructured.Unstructured{Object: map[string]any{"data": map[string]any{localCAKey: string(pem)}}}
	ca.SetAPIVersion("v1")
	ca.SetKind("ConfigMap")
	ca.SetNamespace(Namespace)
	ca.SetName(localCA)
	if err := c.apply(ctx, ca); err != nil {
		return err
	}
	config := &unstructured.Unstructured{Object: map[string]any{"spec": map[string]any{
		"registry": map[string]any{
			"repository":    c.Local.Registry + localRepository,
			"insecure":      string(v1alpha1.InsecurePlainHTTP),
			"insecureHosts": []any{c.Local.Registry, c.Local.PrivateRegistry},
		},
		"images":       map[string]any{"jupyterBook": c.Local.Images["book"]},
		"packageIndex": map[string]any{"url": c.Local.Index, "trustedHosts": []any{index.Hostname()}},
		"network":      map[string]any{"trustedCA": map[string]any{"name": localCA, "key": localCAKey}},
		"runtimeEnvironments": []any{
			c.environment("debian", "12", "3.11"),
			// There is no such image without that system's packages: the test image stands in for it.
			c.environment("ubi", "8", "3.8"),
		},
	}}}
	config.SetGroupVersionKind(v1alpha1.GroupVersion.WithKind("CNBiConfig"))
	config.SetName(v1alpha1.CNBiConfigName)
	return c.apply(ctx, config)
}

func (c *Cluster) environment(osName, osVersion, pythonVersion string) map[string]any {
	return map[string]any{"osName": osName, "osVersion": osVersion, "pythonVersion": pythonVersion, "image": c.Local.Images["jupyter"]}
}
