package cnbiconfig

import (
	"context"
	"fmt"
	"slices"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/meteor-zone/meteor-operator/apis/v1alpha1"
	"github.com/meteor-zone/meteor-operator/controllers/internal/install"
)

var namespaceKind = corev1.SchemeGroupVersion.WithKind("Namespace")

// territory tells from the caches which namespaces get pipelines.
type territory struct {
	reader client.Reader
	// watched are the only namespaces that the manager looks at; none stands for all.
	watched []string
}

// holds tells whether the namespace gets pipelines.
func (t territory) holds(ctx context.Context, config *v1alpha1.CNBiConfig, namespace *metav1.PartialObjectMetadata) (bool, error) {
	if !t.eligible(config, namespace) {
		return false, nil
	}
	switch config.Spec.Namespaces.Mode {
	case v1alpha1.NamespacesAll:
		return true, nil
	case v1alpha1.NamespacesSelected:
		return selects(config.Spec.Namespaces.Selector, namespace.Labels)
	default:
		return t.inUse(ctx, namespace.Name)
	}
}

// list returns the names of all namespaces that get pipelines, sorted.
func (t territory) list(ctx context.Context, config *v1alpha1.CNBiConfig) ([]string, error) {
	used := map[string]bool{}
	if onDemand(config) {
		var err error
		if used, err = t.used(ctx); err != nil {
			return nil, err
		}
	}
	namespaces, err := t.namespaces(ctx)
	if err != nil {
		return nil, err
	}
	var names []string
	for i := range namespaces {
		ns := &namespaces[i]
		ok := used[ns.Name]
		if !onDemand(config) {
			if ok, err = t.holds(ctx, config, ns); err != nil {
				return nil, err
			}
		}
		if ok && t.eligible(config, ns) {
			names = append(names, ns.Name)
		}
	}
	slices.Sort(names)
	return names, nil
}

// namespaces lists all namespaces' metadata.
func (t territory) namespaces(ctx context.Context) ([]metav1.PartialObjectMetadata, error) {
	list := &metav1.PartialObjectMetadataList{}
	list.SetGroupVersionKind(namespaceKind.GroupVersion().WithKind("NamespaceList"))
	if err := t.reader.List(ctx, list, client.UnsafeDisableDeepCopy); err != nil {
		return nil, fmt.Errorf("cannot list namespaces: %w", err)
	}
	return list.Items, nil
}

func (t territory) namespace(ctx context.Context, name string) (*metav1.PartialObjectMetadata, error) {
	return install.Metadata(ctx, t.reader, namespaceKind, "", name)
}

// eligible tells whether the namespace may get pipelines, whatever the mode.
func (t territory) eligible(config *v1alpha1.CNBiConfig, namespace *metav1.PartialObjectMetadata) bool {
	return config.Spec.ManagementState != v1alpha1.StateUnmanaged &&
		config.Spec.ManagementState != v1alpha1.StateRemoved &&
		namespace.DeletionTimestamp.IsZero() &&
		(len(t.watched) == 0 || slices.Contains(t.watched, namespace.Name)) &&
		!config.Spec.Namespaces.Excludes(namespace.Name)
}

// inUse tells whether a namespace holds an object that needs pipelines.
func (t territory) inUse(ctx context.Context, namespace string) (bool, error) {
	images := &v1alpha1.CustomNBImageList{}
	if err := t.reader.List(ctx, images, client.InNamespace(namespace), client.Limit(1), client.UnsafeDisableDeepCopy); err != nil {
		return false, fmt.Errorf("cannot list CustomNBImages: %w", err)
	}
	meteors := &v1alpha1.MeteorList{}
	if err := t.reader.List(ctx, meteors, client.InNamespace(namespace), client.Limit(1), client.UnsafeDisableDeepCopy); err != nil {
		return false, fmt.Errorf("cannot list Meteors: %w", err)
	}
	return len(images.Items)+len(meteors.Items) > 0, nil
}

// used are all namespaces that hold an object that needs pipelines.
func (t territory) used(ctx context.Context) (map[string]bool, error) {
	used := map[string]bool{}
	images := &v1alpha1.CustomNBImageList{}
	if err := t.reader.List(ctx, images, client.UnsafeDisableDeepCopy); err != nil {
		return nil, fmt.Errorf("cannot list CustomNBImages: %w", err)
	}
	for i := range images.Items {
		used[images.Items[i].Namespace] = true
	}
	meteors := &v1alpha1.MeteorList{}
	if err := t.reader.List(ctx, meteors, client.UnsafeDisableDeepCopy); err != nil {
		return nil, fmt.Errorf("cannot list Meteors: %w", err)
	}
	for i := range meteors.Items {
		used[meteors.Items[i].Namespace] = true
	}
	return used, nil
}

func onDemand(config *v1alpha1.CNBiConfig) bool {
	mode := config.Spec.Namespaces.Mode
	return mode == "" || mode == v1alpha1.NamespacesOnDemand
}

func selects(selector *metav1.LabelSelector, set map[string]string) (bool, error) {
	s, err := metav1.LabelSelectorAsSelector(selector)
	if err != nil {
		return false, fmt.Errorf("cannot use spec.namespaces.selector: %w", err)
	}
	return s.Matches(labels.Set(set)), nil
}
