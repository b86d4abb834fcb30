package customnbimage

import (
	"context"
	"fmt"
	"strings"

	"github.com/meteor-zone/meteor-operator/apis/v1alpha1"
	"github.com/meteor-zone/meteor-operator/controllers/internal/install"
	"github.com/meteor-zone/meteor-operator/controllers/internal/outcome"
	"github.com/meteor-zone/meteor-operator/controllers/internal/runs"
)

// order is what a build starts from and where its image goes.
type order struct {
	// base is the image to import or to build on. It is empty for a repository whose object names none.
	base string
	// fallback is what a repository is built on that names no image itself.
	fallback string
	// target is the repository and tag that a built image is pushed to.
	target string
	// token is true where the service account's own token is what the registry wants.
	token bool
	// pushSecret and indexSecret are names of Secrets in the object's namespace.
	pushSecret, indexSecret string
	// containerfiles tells whether a repository may have a Containerfile.
	containerfiles bool
}

// placeOrder settles what the build starts from.
func (r *Reconciler) placeOrder(_ context.Context, s *scope) error {
	if s.settled || s.seen != nil {
		return nil
	}
	var err error
	s.order, err = r.orderOf(s)
	return err
}

// orderOf is what a build would start from now. What it takes from the CNBiConfig is part of a run only: an edit there
// builds nothing again.
func (r *Reconciler) orderOf(s *scope) (order, error) {
	spec := &s.obj.Spec
	if flowOf(s.obj).imports() {
		return order{base: string(spec.FromImage)}, nil
	}
	base, err := baseOf(spec, &s.config)
	if err != nil {
		return order{}, err
	}
	o := order{
		base:           base,
		pushSecret:     runs.SharedSecret(s.config.Registry.PushSecret, install.PushSecret),
		indexSecret:    runs.SharedSecret(s.config.PackageIndex.Credentials, install.IndexSecret),
		containerfiles: s.config.Build.Containerfiles != v1alpha1.ContainerfilesNever && (r.buildah || s.config.Images.Buildah != ""),
	}
	if environments := s.config.RuntimeEnvironments; base == "" && len(environments) > 0 {
		o.fallback = string(environments[0].Image)
	}
	repository, token, err := runs.Target(&s.config, s.streams, s.obj.Namespace, s.obj.Name)
	if err != nil {
		return order{}, err
	}
	o.target, o.token = repository+":"+s.build.id, token
	return o, nil
}

// baseOf is the image that the object names to build on, by itself or from the catalogue.
func baseOf(spec *v1alpha1.CustomNBImageSpec, config *v1alpha1.CNBiConfigSpec) (string, error) {
	if spec.RuntimeEnvironment == nil {
		return spec.Base(), nil
	}
	if image, ok := config.Image(*spec.RuntimeEnvironment); ok {
		return image, nil
	}
	wanted := describe(*spec.RuntimeEnvironment)
	var names []string
	for _, e := range config.RuntimeEnvironments {
		names = append(names, describe(e.RuntimeEnvironment))
	}
	if len(names) == 0 {
		return "", outcome.Stall(v1alpha1.ReasonRuntimeEnvironmentNotFound, fmt.Errorf("There is no runtime environment %s, nor any other: an admin adds some to spec.runtimeEnvironments of CNBiConfig %q, or name an image in spec.builderImage", wanted, v1alpha1.CNBiConfigName)) //nolint:staticcheck // a condition's message
	}
	const most = 12
	if more := len(names) - most; more > 0 {
		names = append(names[:most], fmt.Sprintf("%d more", more))
	}
	return "", outcome.Stall(v1alpha1.ReasonRuntimeEnvironmentNotFound, fmt.Errorf("There is no runtime environment %s: choose in spec.runtimeEnvironment from %s", wanted, strings.Join(names, "; "))) //nolint:staticcheck // a condition's message
}

func describe(e v1alpha1.RuntimeEnvironment) string {
	return fmt.Sprintf("%s %s with Python %s", e.OSName, e.OSVersion, e.PythonVersion)
}

// checkSecrets waits for the Secrets that the build names.
func (r *Reconciler) checkSecrets(ctx context.Context, s *scope) error {
	if s.settled || s.seen != nil {
		return nil
	}
	return runs.CheckSecrets(ctx, r.direct, s.obj, r.clock.Now(),
		runs.Secret{Name: runs.SecretName(s.obj.Spec.ImagePullSecret), NamedBy: "spec.imagePullSecret names"},
		runs.Secret{Name: runs.SecretName(s.obj.Spec.GitSecret), NamedBy: "spec.gitSecret names"},
		runs.Secret{Name: s.order.pushSecret, NamedBy: "spec.registry.pushSecret of the CNBiConfig asks for"},
		runs.Secret{Name: s.order.indexSecret, NamedBy: "spec.packageIndex.credentials of the CNBiConfig asks for"},
	)
}
