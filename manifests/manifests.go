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
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/util/yaml"
)

// The images in the YAML that stand for the real ones.
const (
	builderPlaceholder = "meteor-builder"
	buildahPlaceholder = "meteor-buildah"
)

//go:embed rbac/*.yaml rbac/push/*.yaml tasks/*.yaml pipelines/*.yaml
var files embed.FS

// push holds what only OpenShift's internal registry asks for: an account's token and its right to push.
const push = "rbac/push"

// order is the order in which objects have to be applied: whoever finds a pipeline finds all that it needs.
var order = []string{
	"rbac/serviceaccount.yaml",
	push,
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
	// PushToken is true when images go to OpenShift's internal registry, which knows accounts by their tokens and asks
	// for a right. Without it there is neither token nor right.
	PushToken bool
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
		if name == push && !opts.PushToken {
			continue
		}
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
		if !opts.IndexForwarder {
			dropForwarder(obj)
		}
		if opts.Containerfiles == privileged {
			privilege(obj)
		}
	}
	return objs, nil
}

// The forwarder's parts of a task.
const (
	forwarderSidecar = "index"
	forwarderVolume  = "index-credentials"
	forwarderFlag    = "--index-via="
)

// dropForwarder takes the forwarder out of a task, for an index that everybody may ask.
func dropForwarder(obj *unstructured.Unstructured) {
	spec, _ := obj.Object["spec"].(map[string]any)
	named := func(name string) func(any) bool {
		return func(item any) bool {
			m, _ := item.(map[string]any)
			return m["name"] == name
		}
	}
	drop(spec, "sidecars", named(forwarderSidecar))
	drop(spec, "volumes", named(forwarderVolume))
	steps, _ := spec["steps"].([]any)
	for _, step := range steps {
		m, _ := step.(map[string]any)
		drop(m, "args", func(arg any) bool {
			s, _ := arg.(string)
			return strings.HasPrefix(s, forwarderFlag)
		})
	}
}

// drop takes items out of a list in an object, and the list with its last item.
func drop(from map[string]any, key string, which func(any) bool) {
	list, ok := from[key].([]any)
	if !ok {
		return
	}
	if list = slices.DeleteFunc(list, which); len(list) > 0 {
		from[key] = list
	} else {
		delete(from, key)
	}
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
