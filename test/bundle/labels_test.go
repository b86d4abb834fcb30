package bundle

import (
	"bytes"
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/blang/semver/v4"
	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	kyaml "k8s.io/apimachinery/pkg/util/yaml"
	"sigs.k8s.io/yaml"

	generator "github.com/meteor-zone/meteor-operator/hack/bundle"
)

// TestLabels compares the bundle's annotations with the labels of its image, and both with what there is.
func TestLabels(t *testing.T) {
	content, err := os.ReadFile(filepath.Join(root, "bundle", "metadata", "annotations.yaml"))
	must(t, err)
	var metadata struct {
		Annotations map[string]string `json:"annotations"`
	}
	must(t, yaml.UnmarshalStrict(content, &metadata))
	dockerfile, err := os.ReadFile(filepath.Join(root, "bundle.Dockerfile"))
	must(t, err)
	labels := map[string]string{}
	for line := range strings.Lines(string(dockerfile)) {
		switch words := strings.Fields(line); {
		case len(words) == 2 && words[0] == "LABEL":
			key, value, _ := strings.Cut(words[1], "=")
			labels[key] = value
		case len(words) == 3 && words[0] == "COPY":
			if info, err := os.Stat(filepath.Join(root, words[1])); err != nil || !info.IsDir() {
				t.Errorf("the Dockerfile copies %s, which is no folder", words[1])
			}
		}
	}
	if diff := cmp.Diff(metadata.Annotations, labels); diff != "" {
		t.Errorf("labels (-annotations.yaml +bundle.Dockerfile):\n%s", diff)
	}
	const prefix = "operators.operatorframework.io.bundle."
	if got := labels[prefix+"package.v1"]; got != generator.Package {
		t.Errorf("the package is %q", got)
	}
	for _, folder := range []string{labels[prefix+"manifests.v1"], labels[prefix+"metadata.v1"], labels["operators.operatorframework.io.test.config.v1"]} {
		if _, err := os.Stat(filepath.Join(root, "bundle", folder)); err != nil || folder == "" {
			t.Errorf("a label names folder %q: %v", folder, err)
		}
	}
	if !slices.Contains(built.Channels, built.DefaultChannel) {
		t.Errorf("default channel %q is none of %v", built.DefaultChannel, built.Channels)
	}
}

// TestCatalogue checks the graph of the channels, and that the entry of this version says what the bundle says.
func TestCatalogue(t *testing.T) {
	csv := built.CSV
	entries := readStream(t, "catalog/meteor-operator/catalog.yaml")
	bundles := map[string]map[string]any{}
	var channels []string
	var defaultChannel string
	for _, entry := range entries {
		name, _ := entry["name"].(string)
		switch entry["schema"] {
		case "olm.package":
			defaultChannel, _ = entry["defaultChannel"].(string)
		case "olm.bundle":
			bundles[name] = entry
		}
	}
	for _, entry := range entries {
		if entry["schema"] == "olm.channel" {
			channels = append(channels, entry["name"].(string))
			checkChannel(t, entry, bundles)
		}
	}
	slices.Sort(channels)
	if diff := cmp.Diff(channels, slices.Sorted(slices.Values(built.Channels))); diff != "" {
		t.Errorf("channels (-catalogue +annotations):\n%s", diff)
	}
	if defaultChannel != built.DefaultChannel {
		t.Errorf("the default channel is %q here and %q in the annotations", defaultChannel, built.DefaultChannel)
	}
	image, _ := bundles[csv.Name]["image"].(string)
	if !strings.Contains(image, "-bundle@sha256:") {
		t.Fatalf("the bundle of %s is %q", csv.Name, image)
	}
	want, err := generator.Entry(csv, image)
	must(t, err)
	if diff := cmp.Diff(want, bundles[csv.Name]); diff != "" {
		t.Errorf("%s (-bundle +catalogue):\n%s", csv.Name, diff)
	}
}

// checkChannel wants one head, the newest, and a way from every other entry to it; and this version's edges as its CSV
// has them.
func checkChannel(t *testing.T, channel map[string]any, bundles map[string]map[string]any) {
	t.Helper()
	replaced := map[string]bool{}
	var names []string
	csv := built.CSV
	for _, e := range channel["entries"].([]any) {
		entry := e.(map[string]any)
		name, _ := entry["name"].(string)
		names = append(names, name)
		if bundles[name] == nil {
			t.Errorf("channel %s has %s, the catalogue has no such bundle", channel["name"], name)
		}
		replaces, _ := entry["replaces"].(string)
		replaced[replaces] = true
		if name != csv.Name {
			continue
		}
		if replaces != csv.Spec.Replaces || entry["skipRange"] != csv.Annotations["olm.skipRange"] {
			t.Errorf("%s replaces %q and skips %q in channel %s; its CSV says %q, %q", name, replaces, entry["skipRange"], channel["name"], csv.Spec.Replaces, csv.Annotations["olm.skipRange"])
		}
		skip, err := semver.ParseRange(csv.Annotations["olm.skipRange"])
		must(t, err)
		if before := semver.MustParse(strings.TrimPrefix(replaces, generator.Package+".v")); !skip(before) || skip(csv.Spec.Version.Version) {
			t.Errorf("skipRange %q has not %s, or has %s", csv.Annotations["olm.skipRange"], before, csv.Spec.Version)
		}
	}
	heads := slices.DeleteFunc(slices.Clone(names), func(name string) bool { return replaced[name] })
	if !slices.Equal(heads, []string{csv.Name}) {
		t.Errorf("channel %s leads to %v, not to %s", channel["name"], heads, csv.Name)
	}
}

func readStream(t *testing.T, file string) []map[string]any {
	t.Helper()
	content, err := os.ReadFile(filepath.Join(root, file))
	must(t, err)
	decoder := kyaml.NewYAMLOrJSONDecoder(bytes.NewReader(content), 4096)
	var out []map[string]any
	for {
		var object map[string]any
		err := decoder.Decode(&object)
		if errors.Is(err, io.EOF) {
			return out
		}
		must(t, err)
		if object != nil {
			out = append(out, object)
		}
	}
}

func unstructuredOf(object map[string]any) *unstructured.Unstructured {
	return (&unstructured.Unstructured{Object: object}).DeepCopy()
}
