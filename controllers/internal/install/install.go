// Package install knows what belongs into a namespace that can build: the rendered manifests, their revision, and
// whether the caches show them there.
package install

import (
	"cmp"
	"context"
	"fmt"
	"sync"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/meteor-zone/meteor-operator/apis/v1alpha1"
	"github.com/meteor-zone/meteor-operator/controllers/internal/capabilities"
	"github.com/meteor-zone/meteor-operator/manifests"
)

// maxRendered bounds how many renderings are kept: one a builder image, and edits of that are rare.
const maxRendered = 8

// Kinds are the kinds of which a namespace gets objects, in the order in which they are taken away: a Pipeline that is
// there means that everything is.
var Kinds = []schema.GroupVersionKind{
	capabilities.Pipeline,
	capabilities.Task,
	{Group: "rbac.authorization.k8s.io", Version: "v1", Kind: "RoleBinding"},
	{Group: "rbac.authorization.k8s.io", Version: "v1", Kind: "Role"},
	{Version: "v1", Kind: "ServiceAccount"},
}

// Render renders the manifests, and tells their revision.
type Render func(manifests.Options) ([]*unstructured.Unstructured, string, error)

// Defaults are what holds unless the CNBiConfig says otherwise.
type Defaults struct {
	// BuilderImage is the image of the steps, the operator's own.
	BuilderImage string
	// BuildahImage is the image that Containerfiles are built in. Without one, none are.
	BuildahImage string
}

// Catalogue renders what a CNBiConfig asks for, and remembers it.
type Catalogue struct {
	render   Render
	defaults Defaults
	mu       sync.Mutex
	bundles  map[manifests.Options]*Bundle
}

// Bundle is what one namespace gets, in the order in which to apply it.
type Bundle struct {
	// Objects are without namespace, labels and owner. They are shared: copy before changing.
	Objects []*unstructured.Unstructured
	// Revision is the value of the revision label.
	Revision string
}

// NewCatalogue returns a Catalogue.
func NewCatalogue(render Render, defaults Defaults) *Catalogue {
	return &Catalogue{render: render, defaults: defaults, bundles: map[manifests.Options]*Bundle{}}
}

// options are what config asks of the manifests.
func (c *Catalogue) options(config *v1alpha1.CNBiConfig) manifests.Options {
	return manifests.Options{
		BuilderImage:   cmp.Or(string(config.Spec.Images.Builder), c.defaults.BuilderImage),
		BuildahImage:   cmp.Or(string(config.Spec.Images.Buildah), c.defaults.BuildahImage),
		IndexForwarder: config.Spec.PackageIndex.Credentials != nil,
		Containerfiles: string(config.Spec.Build.Containerfiles),
	}
}

// Bundle returns what config asks for.
func (c *Catalogue) Bundle(config *v1alpha1.CNBiConfig) (*Bundle, error) {
	o := c.options(config)
	c.mu.Lock()
	defer c.mu.Unlock()
	if b, ok := c.bundles[o]; ok {
		return b, nil
	}
	objs, revision, err := c.render(o)
	if err != nil {
		return nil, fmt.Errorf("cannot render the manifests: %w", err)
	}
	if len(c.bundles) >= maxRendered {
		clear(c.bundles)
	}
	b := &Bundle{Objects: objs, Revision: revision}
	c.bundles[o] = b
	return b, nil
}

// Ready tells from the caches whether a namespace has a Pipeline of the current revision, and with it all that the
// Pipeline needs. Of pipelines that are not managed any revision will do.
func (c *Catalogue) Ready(ctx context.Context, r client.Reader, namespace, pipeline string) (bool, error) {
	config := &v1alpha1.CNBiConfig{}
	if err := r.Get(ctx, types.NamespacedName{Name: v1alpha1.CNBiConfigName}, config); err != nil {
		return false, client.IgnoreNotFound(err)
	}
	b, err := c.Bundle(config)
	if err != nil {
		return false, err
	}
	meta, err := Metadata(ctx, r, capabilities.Pipeline, namespace, pipeline)
	if err != nil || meta == nil {
		return false, err
	}
	if config.Spec.ManagementState == v1alpha1.StateUnmanaged {
		// The pipelines are somebody else's care, and builds go on with what there is.
		return meta.DeletionTimestamp.IsZero(), nil
	}
	return b.Current(meta, config), nil
}

// Current tells whether an object is of this bundle's revision and owned by config.
func (b *Bundle) Current(meta *metav1.PartialObjectMetadata, config *v1alpha1.CNBiConfig) bool {
	return meta.DeletionTimestamp.IsZero() &&
		meta.Labels[v1alpha1.LabelRevision] == b.Revision &&
		Owned(meta, config)
}

// Outdated returns those of the bundle's objects that the caches do not show in the namespace as they should be.
func (b *Bundle) Outdated(ctx context.Context, r client.Reader, namespace string, config *v1alpha1.CNBiConfig) ([]Change, error) {
	var changes []Change
	for _, obj := range b.Objects {
		meta, err := Metadata(ctx, r, obj.GroupVersionKind(), namespace, obj.GetName())
		if err != nil {
			return nil, err
		}
		if meta == nil || !b.Current(meta, config) {
			changes = append(changes, Change{Object: obj, Unseen: meta == nil})
		}
	}
	return changes, nil
}

// Change is an object that is to be applied.
type Change struct {
	// Object is the bundle's: copy before changing.
	Object *unstructured.Unstructured
	// Unseen is true when the cache has no such object. One that lacks the operator's label may exist all the same.
	Unseen bool
}

// For returns a copy of the object for the namespace, with labels and owner.
func (b *Bundle) For(obj *unstructured.Unstructured, namespace string, config *v1alpha1.CNBiConfig) *unstructured.Unstructured {
	u := obj.DeepCopy()
	u.SetNamespace(namespace)
	labels := u.GetLabels()
	if labels == nil {
		labels = map[string]string{}
	}
	labels[v1alpha1.LabelPartOf] = v1alpha1.PartOfValue
	labels[v1alpha1.LabelManagedBy] = v1alpha1.ManagedByValue
	labels[v1alpha1.LabelRevision] = b.Revision
	u.SetLabels(labels)
	u.SetOwnerReferences([]metav1.OwnerReference{{
		APIVersion: v1alpha1.GroupVersion.String(),
		Kind:       v1alpha1.CNBiConfigKind,
		Name:       config.Name,
		UID:        config.UID,
	}})
	return u
}

// Owned tells whether config owns the object.
func Owned(obj metav1.Object, config *v1alpha1.CNBiConfig) bool {
	for _, ref := range obj.GetOwnerReferences() {
		if ref.UID == config.UID {
			return true
		}
	}
	return false
}

// Metadata reads an object's metadata; nil where there is none.
func Metadata(ctx context.Context, r client.Reader, gvk schema.GroupVersionKind, namespace, name string) (*metav1.PartialObjectMetadata, error) {
	meta := MetadataOf(gvk)
	err := r.Get(ctx, types.NamespacedName{Namespace: namespace, Name: name}, meta)
	if apierrors.IsNotFound(err) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("cannot read %s %q: %w", gvk.Kind, name, err)
	}
	return meta, nil
}

// MetadataOf returns an empty object that stands for the kind's metadata.
func MetadataOf(gvk schema.GroupVersionKind) *metav1.PartialObjectMetadata {
	meta := &metav1.PartialObjectMetadata{}
	meta.SetGroupVersionKind(gvk)
	return meta
}
