package runs

import (
	"context"
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/meteor-zone/meteor-operator/apis/v1alpha1"
	"github.com/meteor-zone/meteor-operator/controllers/internal/install"
	"github.com/meteor-zone/meteor-operator/controllers/internal/outcome"
)

// Secret is one that a build needs.
type Secret struct {
	// Name is empty where the build needs none.
	Name string
	// NamedBy says who names it, as in "spec.gitSecret names".
	NamedBy string
}

// SecretName is the name of a Secret in the object's own namespace; empty where none is named.
func SecretName(ref *v1alpha1.LocalSecretReference) string {
	if ref == nil {
		return ""
	}
	return ref.Name
}

// SharedSecret is the name, in the namespace of a build, of a Secret that the CNBiConfig names: its own, or that of the
// copy which the namespace is given.
func SharedSecret(ref *v1alpha1.SharedSecretReference, copied string) string {
	switch {
	case ref == nil:
		return ""
	case ref.Source == v1alpha1.SecretFromOperator:
		return copied
	default:
		return ref.Name
	}
}

// CheckSecrets waits for Secrets in the namespace of an object. They are not cached, so they are asked for now and then,
// the less often the longer it takes.
func CheckSecrets(ctx context.Context, direct client.Reader, obj client.Object, now time.Time, secrets ...Secret) error {
	for _, secret := range secrets {
		if secret.Name == "" {
			continue
		}
		err := direct.Get(ctx, client.ObjectKey{Namespace: obj.GetNamespace(), Name: secret.Name}, install.MetadataOf(corev1.SchemeGroupVersion.WithKind("Secret")))
		if apierrors.IsNotFound(err) {
			const soonest, latest = 2 * time.Second, 30 * time.Second
			waited := now.Sub(obj.GetCreationTimestamp().Time)
			return outcome.Wait(v1alpha1.ReasonSecretMissing, fmt.Sprintf("Secret %q, which %s, does not exist in namespace %q: create it, and the build starts by itself", secret.Name, secret.NamedBy, obj.GetNamespace()), min(max(waited/4, soonest), latest))
		}
		if err != nil {
			return fmt.Errorf("cannot look for Secret %q: %w", secret.Name, err)
		}
	}
	return nil
}
