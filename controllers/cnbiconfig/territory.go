package cnbiconfig

import (
	"context"
	"fmt"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/meteor-zone/meteor-operator/apis/v1alpha1"
	"github.com/meteor-zone/meteor-operator/controllers/internal/install"
	"github.com/meteor-zone/meteor-operator/controllers/internal/outcome"
)

var namespaceKind = corev1.SchemeGroupVersion.WithKind("Namespace")

// territory tells which namespaces get pipelines.
type territory struct {
	// reader reads caches.
	reader client.Reader
	// direct reads the one namespace whose labels must be known, where namespaces are not watched.
	direct client.Reader
	// watched are the only namespaces that the manager looks at; none stands for all. Namespaces are then not watched,
	// since that would take a right on all of them.
	watched []string
	// own is the operator's namespace.
	own string
}

// claim is why a namespace gets pipelines.
type claim int

const (
	// unclaimed is a namespace that gets none.
	unclaimed claim = iota
	// idle is one that gets none in mode OnDemand, because nothing in it asks for them any more.
	idle
	// claimed is one that gets them.
	claimed
)

// claim tells whether the namespace gets pipelines.
func (t territory) claim(ctx context.Context, config *v1alpha1.CNBiConfig, ns *metav1.PartialObjectMetadata) (claim, error) {
	if config.Spec.ManagementState == v1alpha1.StateRemoved || config.Spec.Namespaces.Excludes(ns.Name) {
		return unclaimed, nil
	}
	yes, no := true, unclaimed
	var err error
	switch config.Spec.Namespaces.Mode {
	case v1alpha1.NamespacesAll:
		// What asks for pipelines in a system namespace gets them: only the blanket rule leaves it out.
		if t.isSystem(ns.Name) {
			yes, err = t.inUse(ctx, ns.Name)
		}
	case v1alpha1.NamespacesSelected:
		yes, err = selects(config.Spec.Namespaces.Selector, ns.Labels)
	default:
		no = idle
		yes, err = t.inUse(ctx, ns.Name)
	}
	if yes && err == nil {
		return claimed, nil
	}
	return no, err
}

// wanted tells from the caches alone whether the namespace gets pipelines.
func (t territory) wanted(ctx context.Context, config *v1alpha1.CNBiConfig, name string) (bool, error) {
	if len(t.watched) > 0 && config.Spec.Namespaces.Mode == v1alpha1.NamespacesSelected {
		return false, nil
	}
	ns, err := t.namespace(ctx, config, name)
	if ns == nil || err != nil {
		return false, err
	}
	c, err := t.claim(ctx, config, ns)
	return c == claimed, err
}

// names are those of all namespaces that the operator looks after or would, sorted.
func (t territory) names(ctx context.Context) ([]string, error) {
	if len(t.watched) > 0 {
		return slices.Sorted(slices.Values(t.watched)), nil
	}
	list := &metav1.PartialObjectMetadataList{}
	list.SetGroupVersionKind(namespaceKind.GroupVersion().WithKind("NamespaceList"))
	if err := t.reader.List(ctx, list, client.UnsafeDisableDeepCopy); err != nil {
		return nil, fmt.Errorf("cannot list namespaces: %w", err)
	}
	var names []string
	for i := range list.Items {
		if list.Items[i].DeletionTimestamp.IsZero() {
			names = append(names, list.Items[i].Name)
		}
	}
	slices.Sort(names)
	return names, nil
}

// namespace tells what the namespace is like; nil where it is none of ours, or about to go. It is not to be changed.
func (t territory) namespace(ctx context.Context, config *v1alpha1.CNBiConfig, name string) (*metav1.PartialObjectMetadata, error) {
	reader := t.reader
	if len(t.watched) > 0 {
		if !slices.Contains(t.watched, name) {
			return nil, nil
		}
		if config.Spec.Namespaces.Mode != v1alpha1.NamespacesSelected {
			// Whether it exists shows when something is written.
			return &metav1.PartialObjectMetadata{ObjectMeta: metav1.ObjectMeta{Name: name}}, nil
		}
		reader = t.direct
	}
	meta := install.MetadataOf(namespaceKind)
	err := reader.Get(ctx, types.NamespacedName{Name: name}, meta, client.UnsafeDisableDeepCopy)
	if apierrors.IsNotFound(err) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("cannot read namespace %q: %w", name, err)
	}
	if !meta.DeletionTimestamp.IsZero() {
		return nil, nil
	}
	return meta, nil
}

// isSystem tells whether a namespace is one of those that mode All leaves out: the cluster's own, those of OpenShift,
// Tekton and OLM, and the operator's.
func (t territory) isSystem(namespace string) bool {
	return namespace == t.own ||
		slices.Contains([]string{"openshift", "tekton-pipelines", "tekton-pipelines-resolvers", "tekton-chains", "olm", "olmv1-system", "operators"}, namespace) ||
		strings.HasPrefix(namespace, "kube-") || strings.HasPrefix(namespace, "openshift-")
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

func selects(selector *metav1.LabelSelector, set map[string]string) (bool, error) {
	s, err := metav1.LabelSelectorAsSelector(selector)
	if err != nil {
		return false, outcome.Stall(v1alpha1.ReasonInvalidSpec, fmt.Errorf("the selector in spec.namespaces is none: %w", err))
	}
	return s.Matches(labels.Set(set)), nil
}

// checkSelector finds what the API takes for a selector and is none.
func checkSelector(config *v1alpha1.CNBiConfig) error {
	if config.Spec.Namespaces.Mode != v1alpha1.NamespacesSelected {
		return nil
	}
	_, err := selects(config.Spec.Namespaces.Selector, nil)
	return err
}
