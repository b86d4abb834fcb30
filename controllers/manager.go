package controllers

import (
	ctrl "sigs.k8s.io/controller-runtime"

	"github.com/meteor-zone/meteor-operator/controllers/internal/kube"
)

// ManagerOptions returns what the controllers need of their manager: its scheme, and caches that stay small.
func ManagerOptions(watchNamespaces []string) (ctrl.Options, error) {
	scheme, err := kube.NewScheme()
	if err != nil {
		return ctrl.Options{}, err
	}
	return ctrl.Options{
		Scheme:     scheme,
		Cache:      kube.CacheOptions(watchNamespaces),
		Client:     kube.ClientOptions(),
		Controller: kube.ControllerOptions(),
	}, nil
}
