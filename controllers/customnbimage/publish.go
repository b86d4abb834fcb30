package customnbimage

import (
	"context"
	"errors"
	"fmt"
	"strings"

	imageac "github.com/openshift/client-go/image/applyconfigurations/image/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// applyStream writes our fields of the stream and no others. A field that somebody else has taken since is theirs: it is
// left out, and the rest is applied.
func (r *Reconciler) applyStream(ctx context.Context, stream *imageac.ImageStreamApplyConfiguration) error {
	content, err := runtime.DefaultUnstructuredConverter.ToUnstructured(stream)
	if err != nil {
		return fmt.Errorf("cannot write ImageStream %q: %w", *stream.Name, err)
	}
	u := &unstructured.Unstructured{Object: content}
	for {
		err := r.client.Apply(ctx, client.ApplyConfigurationFromUnstructured(u), fieldOwner)
		if err == nil {
			return nil
		}
		if !removeFields(u.Object, conflictingFields(err)) {
			return fmt.Errorf("cannot apply ImageStream %q: %w", *stream.Name, err)
		}
	}
}

// conflictingFields are the paths that another field manager owns, as the API server tells them:
// .metadata.labels.KEY, .metadata.annotations.KEY, .spec.tags[name="TAG"].annotations.KEY and the like.
func conflictingFields(err error) []string {
	var status apierrors.APIStatus
	if !apierrors.IsConflict(err) || !errors.As(err, &status) || status.Status().Details == nil {
		return nil
	}
	var fields []string
	for _, cause := range status.Status().Details.Causes {
		if cause.Type == metav1.CauseTypeFieldManagerConflict {
			fields = append(fields, cause.Field)
		}
	}
	return fields
}

// removeFields takes the fields out of an ImageStream's content and tells whether it found any.
func removeFields(content map[string]any, fields []string) bool {
	removed := false
	for _, field := range fields {
		removed = removeField(content, field) || removed
	}
	return removed
}

func removeField(content map[string]any, field string) bool {
	for _, prefix := range []string{"labels", "annotations"} {
		if key, ok := strings.CutPrefix(field, ".metadata."+prefix+"."); ok {
			return removeKey(content, key, "metadata", prefix)
		}
	}
	if rest, ok := strings.CutPrefix(field, `.spec.tags[name="`); ok {
		return removeTagField(content, rest)
	}
	path := strings.Split(strings.TrimPrefix(field, "."), ".")
	return removeKey(content, path[len(path)-1], path[:len(path)-1]...)
}

// removeTagField takes TAG"].FIELD or TAG"].annotations.KEY out of the tag of that name.
func removeTagField(content map[string]any, rest string) bool {
	tagName, field, ok := strings.Cut(rest, `"].`)
	if !ok {
		return false
	}
	tags, _, _ := unstructured.NestedFieldNoCopy(content, "spec", "tags")
	list, _ := tags.([]any)
	for _, item := range list {
		tag, _ := item.(map[string]any)
		if tag["name"] != tagName {
			continue
		}
		if key, ok := strings.CutPrefix(field, "annotations."); ok {
			return removeKey(tag, key, "annotations")
		}
		name, _, _ := strings.Cut(field, ".")
		return removeKey(tag, name)
	}
	return false
}

func removeKey(content map[string]any, key string, path ...string) bool {
	parent, found, err := unstructured.NestedFieldNoCopy(content, path...)
	fields, ok := parent.(map[string]any)
	if err != nil || !found || !ok {
		return false
	}
	if _, ok := fields[key]; !ok {
		return false
	}
	delete(fields, key)
	return true
}
