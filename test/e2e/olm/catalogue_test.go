//go:build e2e

package olm

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"sigs.k8s.io/controller-runtime/pkg/client"
)

// TestCatalogue has opm serve the catalogue that is in the checkout, which it does not begin to do with one that has a
// fault, and OLM read it.
func TestCatalogue(t *testing.T) {
	content, err := os.ReadFile(filepath.Join("..", "..", "..", "catalog", "meteor-operator", "catalog.yaml"))
	must(t, err)
	catalogue, err := pushContent(t.Context(), "shipped", content)
	must(t, err)
	offered := offer(t, catalogue)
	until(t, "OLM reads the catalogue", func() string { return fmt.Sprintf("%+v", offered.Status) }, func(ctx context.Context) (bool, error) {
		err := k8s.Get(ctx, client.ObjectKeyFromObject(offered), offered)
		return offered.Status.GRPCConnectionState != nil && offered.Status.GRPCConnectionState.LastObservedState == "READY", err
	})
}
