// Package kube is how the controllers see the cluster: the kinds, what is cached of them, and what never is.
package kube

import (
	"context"
	"fmt"

	imagev1 "github.com/openshift/api/image/v1"
	tektonv1 "github.com/tektoncd/pipeline/pkg/apis/pipeline/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	toolscache "k8s.io/client-go/tools/cache"
	"k8s.io/utils/ptr"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/config"

	"github.com/meteor-zone/meteor-operator/apis/v1alpha1"
)

// NewScheme returns a scheme of all kinds that the controllers read or write by type.
func NewScheme() (*runtime.Scheme, error) {
	scheme := runtime.NewScheme()
	for _, add := range []func(*runtime.Scheme) error{
		clientgoscheme.AddToScheme, v1alpha1.AddToScheme, tektonv1.AddToScheme, imagev1.Install,
	} {
		if err := add(scheme); err != nil {
			return nil, fmt.Errorf("cannot build the scheme: %w", err)
		}
	}
	return scheme, nil
}

// CacheOptions keeps the caches small: of what is not ours only what carries our label is held, whatever the kind, so
// that a kind need not exist to be restricted; and a read of a kind that nothing watches is an error, not a new cache.
func CacheOptions(watchNamespaces []string) cache.Options {
	everything := cache.ByObject{Label: labels.Everything()}
	o := cache.Options{
		DefaultLabelSelector:        labels.SelectorFromSet(labels.Set{v1alpha1.LabelPartOf: v1alpha1.PartOfValue}),
		DefaultTransform:            cache.TransformStripManagedFields(),
		DefaultWatchErrorHandler:    quietWhenAbsent,
		ReaderFailOnMissingInformer: true,
		ByObject: map[client.Object]cache.ByObject{
			&v1alpha1.CustomNBImage{}: everything,
			&v1alpha1.Meteor{}:        everything,
			&v1alpha1.CNBiConfig{}:    everything,
			&corev1.Namespace{}:       everything,
		},
	}
	if len(watchNamespaces) > 0 {
		o.DefaultNamespaces = map[string]cache.Config{}
		for _, ns := range watchNamespaces {
			o.DefaultNamespaces[ns] = cache.Config{}
		}
	}
	return o
}

// ClientOptions keeps Secrets and ConfigMaps out of the caches.
func ClientOptions() client.Options {
	return client.Options{Cache: &client.CacheOptions{DisableFor: []client.Object{&corev1.Secret{}, &corev1.ConfigMap{}}}}
}

// ControllerOptions chooses the plain work queue. controller-runtime's priority queue, its default, can hang when it is
// shut down while objects wait (kubernetes-sigs/controller-runtime#3538, mended after v0.24.1): the manager then stops
// only when its grace period is over, and holds the lease until then.
func ControllerOptions() config.Controller {
	return config.Controller{UsePriorityQueue: ptr.To(false)}
}

// Settings reads what the CNBiConfig says, and tells whether there is one. While there is none its defaults hold.
func Settings(ctx context.Context, c client.Reader) (v1alpha1.CNBiConfigSpec, bool, error) {
	config := &v1alpha1.CNBiConfig{}
	err := c.Get(ctx, client.ObjectKey{Name: v1alpha1.CNBiConfigName}, config)
	if client.IgnoreNotFound(err) != nil {
		return v1alpha1.CNBiConfigSpec{}, false, fmt.Errorf("cannot read the CNBiConfig: %w", err)
	}
	return config.Spec, err == nil, nil
}

// quietWhenAbsent keeps a watch whose kind is going from filling the log until the tracker has noticed.
func quietWhenAbsent(ctx context.Context, r *toolscache.Reflector, err error) {
	if apierrors.IsNotFound(err) || meta.IsNoMatchError(err) {
		ctrl.LoggerFrom(ctx).V(1).Info("A watched API is not there", "kind", r.TypeDescription(), "cause", err.Error())
		return
	}
	toolscache.DefaultWatchErrorHandler(ctx, r, err)
}
