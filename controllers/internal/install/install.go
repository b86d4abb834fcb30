// Package install knows what belongs into a namespace that can build: the rendered manifests, and how to tell from an
// object's metadata whether it is as it was applied.
package install

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"slices"
	"sync"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/meteor-zone/meteor-operator/apis/v1alpha1"
	"github.com/meteor-zone/meteor-operator/controllers/internal/capabilities"
	"github.com/meteor-zone/meteor-operator/manifests"
)

// FieldOwner is the field manager of all that is installed.
const FieldOwner = "meteor-operator-cnbiconfig"

// maxRendered bounds how many renderings are kept: an admin's edits of what decides them are rare.
const maxRendered = 8

// The kinds of which a namespace gets objects.
var (
	ServiceAccount = schema.GroupVersionKind{Version: "v1", Kind: "ServiceAccount"}
	Secret         = schema.GroupVersionKind{Version: "v1", Kind: "Secret"}
	ConfigMap      = schema.GroupVersionKind{Version: "v1", Kind: "ConfigMap"}
	Role           = schema.GroupVersionKind{Group: "rbac.authorization.k8s.io", Version: "v1", Kind: "Role"}
	RoleBinding    = schema.GroupVersionKind{Group: "rbac.authorization.k8s.io", Version: "v1", Kind: "RoleBinding"}
)

// Kinds are the kinds of the rendered manifests, in the order in which they are taken away.
var Kinds = []schema.GroupVersionKind{capabilities.Pipeline, capabilities.Task, RoleBinding, Role, ServiceAccount}

// CopyKinds are the kinds of what is copied into a namespace.
var CopyKinds = []schema.GroupVersionKind{Secret, ConfigMap}

// IsTekton tells whether objects of the kind need Tekton's API.
func IsTekton(gvk schema.GroupVersionKind) bool { return gvk.Group == capabilities.Pipeline.Group }

// Key tells the objects of a namespace apart.
type Key struct {
	GVK  schema.GroupVersionKind
	Name string
}

// String implements fmt.Stringer.
func (k Key) String() string { return fmt.Sprintf("%s %q", k.GVK.Kind, k.Name) }

// Render renders the manifests, and tells their revision.
type Render func(manifests.Options) ([]*unstructured.Unstructured, string, error)

// Defaults are what holds unless the CNBiConfig says otherwise.
type Defaults struct {
	// BuilderImage is the image of the steps, the operator's own.
	BuilderImage string
	// BuildahImage is the image that Containerfiles are built in. Without one, none are.
	BuildahImage string
}

// Object is what a namespace gets one of.
type Object struct {
	Key
	// Revision is what the object's label says while it is as it should be.
	Revision string
	// Needs are those of the bundle's objects without which this one is of no use.
	Needs []Key
	// content is without labels and owner. It is shared: copy before changing.
	content *unstructured.Unstructured
	body    *body
}

// body is what an object is applied with, which is the same in every namespace.
type body struct {
	mu    sync.Mutex
	owner types.UID
	data  []byte
}

// NewObject returns an Object. The revision follows from the content unless one is given.
func NewObject(content *unstructured.Unstructured, revision string) (Object, error) {
	if revision == "" {
		data, err := json.Marshal(content.Object)
		if err != nil {
			return Object{}, fmt.Errorf("cannot encode %s %q: %w", content.GetKind(), content.GetName(), err)
		}
		revision = Hash(string(data))
	}
	return Object{Key: Key{GVK: content.GroupVersionKind(), Name: content.GetName()}, Revision: revision, content: content, body: &body{}}, nil
}

// Hash is a short hash of texts.
func Hash(texts ...string) string {
	hash := sha256.New()
	for _, t := range texts {
		fmt.Fprintf(hash, "%d:%s", len(t), t)
	}
	return hex.EncodeToString(hash.Sum(nil))[:10]
}

// owned returns the object with labels and owner.
func (o Object) owned(config *v1alpha1.CNBiConfig) *unstructured.Unstructured {
	u := o.content.DeepCopy()
	labels := u.GetLabels()
	if labels == nil {
		labels = map[string]string{}
	}
	labels[v1alpha1.LabelPartOf] = v1alpha1.PartOfValue
	labels[v1alpha1.LabelManagedBy] = v1alpha1.ManagedByValue
	labels[v1alpha1.LabelRevision] = o.Revision
	u.SetLabels(labels)
	u.SetOwnerReferences([]metav1.OwnerReference{{
		APIVersion: v1alpha1.GroupVersion.String(),
		Kind:       v1alpha1.CNBiConfigKind,
		Name:       config.Name,
		UID:        config.UID,
	}})
	return u
}

// Apply applies the object in a namespace, and returns the metadata of what is there then.
func (o Object) Apply(ctx context.Context, c client.Writer, namespace string, config *v1alpha1.CNBiConfig) (*metav1.PartialObjectMetadata, error) {
	data, err := o.encoded(config)
	if err != nil {
		return nil, err
	}
	meta := MetadataOf(o.GVK)
	meta.Namespace, meta.Name = namespace, o.Name
	// The metadata is all that is wanted of the answer, which an apply of the whole object would hold. Having the API
	// server look for unknown fields costs it a tenth of its time, and the manifests are tested for them.
	err = c.Patch(ctx, meta, client.RawPatch(types.ApplyPatchType, data),
		client.FieldOwner(FieldOwner), client.ForceOwnership, client.FieldValidation(metav1.FieldValidationIgnore))
	if err != nil {
		return nil, fmt.Errorf("cannot apply %s: %w", o.Key, err)
	}
	return meta, nil
}

// encoded is what the object is applied with.
func (o Object) encoded(config *v1alpha1.CNBiConfig) ([]byte, error) {
	o.body.mu.Lock()
	defer o.body.mu.Unlock()
	if o.body.owner != config.UID {
		data, err := json.Marshal(o.owned(config).Object)
		if err != nil {
			return nil, fmt.Errorf("cannot encode %s: %w", o.Key, err)
		}
		o.body.owner, o.body.data = config.UID, data
	}
	return o.body.data, nil
}

// Bundle is what one namespace gets, in the order in which to apply it.
type Bundle struct {
	// Objects are in the order in which to apply them.
	Objects []Object
	// Revision is that of the manifests.
	Revision string
	// ID is another for every other set of objects.
	ID string
}

// With returns a bundle that has more objects, which all pipelines need and which are applied first.
func (b *Bundle) With(more []Object) *Bundle {
	objs := append(slices.Clone(more), b.Objects...)
	ids := make([]string, 0, len(objs))
	for _, o := range objs {
		ids = append(ids, o.String(), o.Revision)
	}
	return &Bundle{Objects: relate(objs), Revision: b.Revision, ID: Hash(ids...)}
}

// relate notes what pipelines need: the tasks that they refer to, and all that is not Tekton's.
func relate(objs []Object) []Object {
	var common []Key
	tasks := map[string]Key{}
	for _, o := range objs {
		switch {
		case o.GVK == capabilities.Task:
			tasks[o.Name] = o.Key
		case !IsTekton(o.GVK):
			common = append(common, o.Key)
		}
	}
	for i := range objs {
		if objs[i].GVK != capabilities.Pipeline {
			continue
		}
		needs := slices.Clone(common)
		for _, section := range []string{"tasks", "finally"} {
			refs, _, _ := unstructured.NestedSlice(objs[i].content.Object, "spec", section)
			for _, ref := range refs {
				entry, _ := ref.(map[string]any)
				name, _, _ := unstructured.NestedString(entry, "taskRef", "name")
				if key, ok := tasks[name]; ok && !slices.Contains(needs, key) {
					needs = append(needs, key)
				}
			}
		}
		objs[i].Needs = needs
	}
	return objs
}

// Catalogue renders what a CNBiConfig asks for, and remembers it.
type Catalogue struct {
	render   Render
	defaults Defaults
	mu       sync.Mutex
	bundles  map[manifests.Options]*Bundle
}

// NewCatalogue returns a Catalogue.
func NewCatalogue(render Render, defaults Defaults) *Catalogue {
	return &Catalogue{render: render, defaults: defaults, bundles: map[manifests.Options]*Bundle{}}
}

// Keys are those of all objects that a namespace can get, whatever the CNBiConfig says.
func (c *Catalogue) Keys() ([]Key, error) {
	all, err := c.bundle(manifests.Options{
		BuilderImage:   c.defaults.BuilderImage,
		BuildahImage:   cmp.Or(c.defaults.BuildahImage, c.defaults.BuilderImage),
		IndexForwarder: true,
		Containerfiles: string(v1alpha1.ContainerfilesUnprivileged),
		PushToken:      true,
	})
	if err != nil {
		return nil, err
	}
	keys := []Key{{Secret, PushSecret}, {Secret, IndexSecret}, {ConfigMap, CAConfigMap}}
	for _, o := range all.Objects {
		keys = append(keys, o.Key)
	}
	return keys, nil
}

// Bundle returns what config asks for, without what is copied. Where there are ImageStreams there is OpenShift's internal
// registry, which images go to unless the admin says otherwise.
func (c *Catalogue) Bundle(config *v1alpha1.CNBiConfig, streams bool) (*Bundle, error) {
	return c.bundle(manifests.Options{
		BuilderImage:   cmp.Or(string(config.Spec.Images.Builder), c.defaults.BuilderImage),
		BuildahImage:   cmp.Or(string(config.Spec.Images.Buildah), c.defaults.BuildahImage),
		IndexForwarder: config.Spec.PackageIndex.Credentials != nil,
		Containerfiles: string(config.Spec.Build.Containerfiles),
		PushToken:      streams && config.Spec.UsesInternalRegistry(),
	})
}

func (c *Catalogue) bundle(o manifests.Options) (*Bundle, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if b, ok := c.bundles[o]; ok {
		return b, nil
	}
	rendered, revision, err := c.render(o)
	if err != nil {
		return nil, fmt.Errorf("cannot render the manifests: %w", err)
	}
	b := &Bundle{Revision: revision}
	for _, u := range rendered {
		obj, err := NewObject(u, "")
		if err != nil {
			return nil, err
		}
		b.Objects = append(b.Objects, obj)
	}
	b = b.With(nil)
	if len(c.bundles) >= maxRendered {
		clear(c.bundles)
	}
	c.bundles[o] = b
	return b, nil
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

// MetadataOf returns an empty object that stands for the kind's metadata.
func MetadataOf(gvk schema.GroupVersionKind) *metav1.PartialObjectMetadata {
	meta := &metav1.PartialObjectMetadata{}
	meta.SetGroupVersionKind(gvk)
	return meta
}
