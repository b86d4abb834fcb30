package cnbiconfig

import (
	"cmp"
	"context"
	"fmt"
	"slices"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/selection"
	"k8s.io/apimachinery/pkg/types"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/meteor-zone/meteor-operator/apis/v1alpha1"
	"github.com/meteor-zone/meteor-operator/controllers/internal/capabilities"
	"github.com/meteor-zone/meteor-operator/controllers/internal/install"
)

const fieldName = "metadata.name"

// tektonKinds are the kinds of which the operator may look for more than it has names of.
var tektonKinds = []schema.GroupVersionKind{capabilities.Pipeline, capabilities.Task}

// views are caches of the metadata of what has a name that the operator uses, whoever made it and whatever its labels,
// and of what the operator has made under names that it uses no more. So nothing need be asked before something is
// written: a foreign object of the same name is seen, and so is one of ours whose labels are gone.
type views struct {
	keys   []install.Key
	byName map[string]cache.Cache
	// others holds what carries our label under any other name.
	others cache.Cache
	// usable tells whether a kind has an API.
	usable func(schema.GroupVersionKind) bool
}

// newViews makes the caches, which start with the manager.
func newViews(mgr ctrl.Manager, keys []install.Key, namespaces []string, usable func(schema.GroupVersionKind) bool) (*views, error) {
	v := &views{keys: keys, byName: map[string]cache.Cache{}, usable: usable}
	var unknown []fields.Selector
	for _, key := range keys {
		if _, ok := v.byName[key.Name]; ok {
			continue
		}
		c, err := newMetadataCache(mgr, namespaces, cache.Options{DefaultFieldSelector: fields.OneTermEqualSelector(fieldName, key.Name)})
		if err != nil {
			return nil, err
		}
		v.byName[key.Name] = c
		unknown = append(unknown, fields.OneTermNotEqualSelector(fieldName, key.Name))
	}
	revised, err := labels.NewRequirement(v1alpha1.LabelRevision, selection.Exists, nil)
	if err != nil {
		return nil, fmt.Errorf("cannot select by label: %w", err)
	}
	ours := labels.SelectorFromSet(labels.Set{v1alpha1.LabelPartOf: v1alpha1.PartOfValue}).Add(*revised)
	v.others, err = newMetadataCache(mgr, namespaces, cache.Options{
		DefaultFieldSelector: fields.AndSelectors(unknown...), DefaultLabelSelector: ours,
	})
	return v, err
}

// newMetadataCache returns a cache of metadata that starts with the manager.
func newMetadataCache(mgr ctrl.Manager, namespaces []string, o cache.Options) (cache.Cache, error) {
	o.HTTPClient, o.Scheme, o.Mapper = mgr.GetHTTPClient(), mgr.GetScheme(), mgr.GetRESTMapper()
	o.DefaultTransform = install.Reduce
	o.ReaderFailOnMissingInformer = true
	for _, namespace := range namespaces {
		if o.DefaultNamespaces == nil {
			o.DefaultNamespaces = map[string]cache.Config{}
		}
		o.DefaultNamespaces[namespace] = cache.Config{}
	}
	c, err := cache.New(mgr.GetConfig(), o)
	if err != nil {
		return nil, fmt.Errorf("cannot make a cache: %w", err)
	}
	if err := mgr.Add(unelected{c}); err != nil {
		return nil, fmt.Errorf("cannot add a cache: %w", err)
	}
	return c, nil
}

// unelected is a cache that a replica which waits to lead has too.
type unelected struct{ cache.Cache }

// NeedLeaderElection implements manager.LeaderElectionRunnable.
func (unelected) NeedLeaderElection() bool { return false }

// view is one cache's look at one kind.
type view struct {
	cache cache.Cache
	gvk   schema.GroupVersionKind
}

// all are the looks that must be watched.
func (v *views) all() []view {
	var all []view
	for _, key := range v.keys {
		all = append(all, view{v.byName[key.Name], key.GVK})
	}
	for _, gvk := range tektonKinds {
		all = append(all, view{v.others, gvk})
	}
	return all
}

// found is what is in a namespace.
type found map[install.Key]*metav1.PartialObjectMetadata

// look tells what is in a namespace under our names, and what of ours is under others. What it returns is the caches'
// own: not to be changed.
func (v *views) look(ctx context.Context, namespace string) (found, error) {
	f := found{}
	for _, key := range v.keys {
		if !v.usable(key.GVK) {
			continue
		}
		meta := install.MetadataOf(key.GVK)
		err := v.byName[key.Name].Get(ctx, types.NamespacedName{Namespace: namespace, Name: key.Name}, meta, client.UnsafeDisableDeepCopy)
		if apierrors.IsNotFound(err) {
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("cannot read %s: %w", key, err)
		}
		f[key] = meta
	}
	for _, gvk := range tektonKinds {
		if !v.usable(gvk) {
			continue
		}
		list := &metav1.PartialObjectMetadataList{}
		list.SetGroupVersionKind(gvk.GroupVersion().WithKind(gvk.Kind + "List"))
		if err := v.others.List(ctx, list, client.InNamespace(namespace), client.UnsafeDisableDeepCopy); err != nil {
			return nil, fmt.Errorf("cannot list what is of kind %s: %w", gvk.Kind, err)
		}
		for i := range list.Items {
			// Nobody else writes as us: what carries our labels only is somebody's copy.
			if install.Fields(&list.Items[i]) != "" {
				f[install.Key{GVK: gvk, Name: list.Items[i].Name}] = &list.Items[i]
			}
		}
	}
	return f, nil
}

// ours are those of the found objects that the operator has made, in the order in which to take them away.
func (f found) ours(config *v1alpha1.CNBiConfig) []install.Key {
	var keys []install.Key
	for key, meta := range f {
		if ours(meta, config) {
			keys = append(keys, key)
		}
	}
	kinds := append(slices.Clone(install.Kinds), install.CopyKinds...)
	slices.SortFunc(keys, func(a, b install.Key) int {
		return cmp.Or(slices.Index(kinds, a.GVK)-slices.Index(kinds, b.GVK), cmp.Compare(a.Name, b.Name))
	})
	return keys
}

// pipelines are those that are there, whoever made them.
func (f found) pipelines() []string {
	var names []string
	for key, meta := range f {
		if key.GVK == capabilities.Pipeline && meta.DeletionTimestamp.IsZero() {
			names = append(names, key.Name)
		}
	}
	slices.Sort(names)
	return names
}

// ours tells whether the operator made an object, under this CNBiConfig or one before it.
func ours(meta *metav1.PartialObjectMetadata, config *v1alpha1.CNBiConfig) bool {
	return install.Owned(meta, config) || install.Fields(meta) != ""
}
