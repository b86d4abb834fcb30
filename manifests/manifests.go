// Package manifests holds what a namespace needs for building images: the Tekton pipelines, their tasks, and the
// account that they run as. The YAML works by hand too, once the image meteor-builder in it is a real one.
package manifests

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"path"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/util/yaml"
)

// The images in the YAML that stand for the real ones.
const (
	builderPlaceholder = "meteor-builder"
	buildahPlaceholder = "meteor-buildah"
)

//go:embed rbac/*.yaml tasks/*.yaml pipelines/*.yaml
var files embed.FS

// order is the order in which objects have to be applied: whoever finds a pipeline finds all that it needs.
var order = []string{
	"rbac/serviceaccount.yaml",
	"rbac/role.yaml",
	"rbac/rolebinding.yaml",
	"tasks",
	"pipelines",
}

// Options say what differs between installations.
type Options struct {
	// BuilderImage is the image that has the builder in it as /builder.
	BuilderImage string
	// BuildahImage is the image that has buildah in it besides. Without one, the builder's stands in its place.
	BuildahImage string
	// IndexForwarder is true when the package index wants credentials, which a forwarder in the pod then adds.
	IndexForwarder bool
	// Containerfiles is how Containerfiles are built: Unprivileged, Privileged or Never.
	Containerfiles string
}

// Objects returns all objects in the order in which they have to be applied, without namespace.
func Objects(opts Options) ([]*unstructured.Unstructured, error) {
	if opts.BuilderImage == "" {
		return nil, errors.New("cannot render manifests: no builder image given")
	}
	var objs []*unstructured.Unstructured
	for _, name := range order {
		names := []string{name}
		if path.Ext(name) == "" {
			entries, err := files.ReadDir(name)
			if err != nil {
				return nil, fmt.Errorf("cannot read manifests: %w", err)
			}
			names = names[:0]
			for _, entry := range entries {
				names = append(names, path.Join(name, entry.Name()))
			}
		}
		for _, name := range names {
			read, err := decode(name)
			if err != nil {
				return nil, err
			}
			objs = append(objs, read...)
		}
	}
	images := map[string]string{builderPlaceholder: opts.BuilderImage, buildahPlaceholder: cmp.Or(opts.BuildahImage, opts.BuilderImage)}
	for _, obj := range objs {
		setImages(obj.Object, images)
	}
	return objs, nil
}

// Revision returns a short hash of what the objects say. Equal objects have equal revisions.
func Revision(objs []*unstructured.Unstructured) string {
	hash := sha256.New()
	for _, obj := range objs {
		// What was decoded from YAML can always be encoded, and maps are encoded in the order of their keys.
		data, _ := json.Marshal(obj.Object)
		hash.Write(data)
	}
	return hex.EncodeToString(hash.Sum(nil))[:10]
}

func decode(name string) ([]*unstructured.Unstructured, error) {
	data, err := files.ReadFile(name)
	if err != nil {
		return nil, fmt.Errorf("cannot read manifest: %w", err)
	}
	var objs []*unstructured.Unstructured
	for decoder := yaml.NewYAMLOrJSONDecoder(bytes.NewReader(data), 4096); ; {
		obj := &unstructured.Unstructured{}
		switch err := decoder.Decode(&obj.Object); {
		case errors.Is(err, io.EOF):
			return objs, nil
		case err != nil:
			return nil, fmt.Errorf("cannot decode manifest %q: %w", name, err)
		case len(obj.Object) > 0:
			objs = append(objs, obj)
		}
	}
}

// setImages replaces the placeholders wherever a field image has one.
func setImages(node any, images map[string]string) {
	switch node := node.(type) {
	case map[string]any:
		if name, ok := node["image"].(string); ok {
			node["image"] = cmp.Or(images[name], name)
		}
		for _, child := range node {
			setImages(child, images)
		}
	case []any:
		for _, child := range node {
			setImages(child, images)
		}
	}
}
