// Package tekton turns Tekton Pipelines' own manifests into what is applied to
// the local cluster.
package tekton

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/util/yaml"
)

const (
	imagePrefix = "ko://github.com/tektoncd/pipeline/cmd/"
	// unreleased is the version that the manifests of an unreleased checkout name.
	unreleased = "devel"
)

// Options fill the manifests in.
type Options struct {
	// Version is the version of Tekton.
	Version string
	// Images are the references of Tekton's own programs, by name.
	Images map[string]string
	// Shell is the reference of an image with a shell.
	Shell string
}

// Render returns the objects of Tekton's manifests, in their order, as one List.
//
// They differ from a release in what serves a small cluster: a readiness probe
// looks every second, no CPU limit slows the start, nothing is scaled by load.
// Tekton's own containers get security contexts, so that its pods are admitted
// where the restricted Pod Security Standard is enforced.
func Render(manifests []byte, opts Options) (*unstructured.UnstructuredList, error) {
	list := &unstructured.UnstructuredList{}
	list.SetAPIVersion("v1")
	list.SetKind("List")
	decoder := yaml.NewYAMLOrJSONDecoder(bytes.NewReader(manifests), 4096)
	for {
		var object map[string]any
		err := decoder.Decode(&object)
		if errors.Is(err, io.EOF) {
			return list, nil
		}
		if err != nil {
			return nil, fmt.Errorf("cannot read Tekton's manifests: %w", err)
		}
		if len(object) == 0 || object["kind"] == "HorizontalPodAutoscaler" {
			continue
		}
		u := unstructured.Unstructured{Object: object}
		if err := adapt(u, opts); err != nil {
			return nil, fmt.Errorf("cannot adapt %s %s: %w", u.GetKind(), u.GetName(), err)
		}
		list.Items = append(list.Items, u)
	}
}

func adapt(u unstructured.Unstructured, opts Options) error {
	if err := fillIn(u.Object, opts); err != nil {
		return err
	}
	if u.GetKind() == "ConfigMap" && u.GetName() == "feature-flags" && u.GetNamespace() == "tekton-pipelines" {
		return unstructured.SetNestedField(u.Object, "true", "data", "set-security-context")
	}
	if u.GetKind() != "Deployment" {
		return nil
	}
	path := []string{"spec", "template", "spec", "containers"}
	containers, _, err := unstructured.NestedSlice(u.Object, path...)
	if err != nil {
		return err
	}
	for _, c := range containers {
		container, ok := c.(map[string]any)
		if !ok {
			return errors.New("a container is no object")
		}
		if err := adaptContainer(container, opts); err != nil {
			return err
		}
	}
	return unstructured.SetNestedSlice(u.Object, containers, path...)
}

func adaptContainer(container map[string]any, opts Options) error {
	args, _, err := unstructured.NestedStringSlice(container, "args")
	if err != nil {
		return err
	}
	for i := 1; i < len(args); i++ {
		if args[i-1] == "-shell-image" || args[i-1] == "-shell-image-win" {
			args[i] = opts.Shell
		}
	}
	if len(args) > 0 {
		if err := unstructured.SetNestedStringSlice(container, args, "args"); err != nil {
			return err
		}
	}
	command, _, err := unstructured.NestedStringSlice(container, "command")
	if err != nil {
		return err
	}
	// The images here hold nothing but the program.
	if len(command) > 2 && strings.HasSuffix(command[0], "/tini") && command[1] == "--" {
		if err := unstructured.SetNestedStringSlice(container, command[2:], "command"); err != nil {
			return err
		}
	}
	unstructured.RemoveNestedField(container, "resources", "limits", "cpu")
	if _, probed := container["readinessProbe"]; !probed {
		return nil
	}
	for field, value := range map[string]int64{"initialDelaySeconds": 0, "periodSeconds": 1, "failureThreshold": 60} {
		if err := unstructured.SetNestedField(container, value, "readinessProbe", field); err != nil {
			return err
		}
	}
	return nil
}

// fillIn replaces placeholders of images and versions, wherever they stand.
func fillIn(object map[string]any, opts Options) error {
	for key, value := range object {
		filled, err := fillValue(value, opts)
		if err != nil {
			return err
		}
		object[key] = filled
	}
	return nil
}

func fillValue(value any, opts Options) (any, error) {
	switch v := value.(type) {
	case map[string]any:
		return v, fillIn(v, opts)
	case []any:
		for i := range v {
			filled, err := fillValue(v[i], opts)
			if err != nil {
				return nil, err
			}
			v[i] = filled
		}
		return v, nil
	case string:
		return fillString(v, opts)
	}
	return value, nil
}

func fillString(s string, opts Options) (string, error) {
	if s == unreleased {
		return opts.Version, nil
	}
	program, ok := strings.CutPrefix(s, imagePrefix)
	if !ok {
		return s, nil
	}
	ref, ok := opts.Images[program]
	if !ok {
		return "", fmt.Errorf("no image for %s was built", s)
	}
	return ref, nil
}
