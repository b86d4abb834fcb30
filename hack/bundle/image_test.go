package bundle

import (
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/registry"
	"github.com/google/go-containerregistry/pkg/v1/remote"
)

// TestPush wants the bundle in a registry by the very digest that the catalogue in the checkout says.
func TestPush(t *testing.T) {
	source, err := Read(filepath.Join("..", ".."))
	if err != nil {
		t.Fatal(err)
	}
	files, err := source.All()
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(registry.New())
	t.Cleanup(server.Close)
	host := strings.TrimPrefix(server.URL, "http://")
	pushed, err := Push(t.Context(), files, host+"/meteor-operator:v1")
	if err != nil {
		t.Fatal(err)
	}
	repository, digest, _ := strings.Cut(pushed, "@")
	if repository != host+"/meteor-operator-bundle" || !strings.Contains(string(source.Catalogue), "/meteor-operator-bundle@"+digest) {
		t.Errorf("pushed %s, which is not what the catalogue says", pushed)
	}
	ref, err := name.ParseReference(host+"/meteor-operator-bundle:v1", name.Insecure)
	if err != nil {
		t.Fatal(err)
	}
	img, err := remote.Image(ref)
	if err != nil {
		t.Fatal(err)
	}
	config, err := img.ConfigFile()
	if err != nil {
		t.Fatal(err)
	}
	if got := config.Config.Labels["operators.operatorframework.io.bundle.package.v1"]; got != Package {
		t.Errorf("the image's labels name package %q", got)
	}
}
