package runs

import (
	"fmt"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/meteor-zone/meteor-operator/apis/v1alpha1"
	"github.com/meteor-zone/meteor-operator/controllers/internal/capabilities"
	"github.com/meteor-zone/meteor-operator/controllers/internal/outcome"
)

// internalRegistry is the repository in OpenShift's internal registry that an object's images go to.
const internalRegistry = "image-registry.openshift-image-registry.svc:5000/{namespace}/{name}"

// AwaitCluster waits until it is known whether the cluster offers what builds depend on: what another server answers for,
// as on OpenShift, is not reached for a while after a node's start, and a build that is begun without it comes out wrong.
func AwaitCluster(unanswered []string) error {
	if len(unanswered) == 0 {
		return nil
	}
	return outcome.Wait(v1alpha1.ReasonProgressingWithRetry, fmt.Sprintf("It cannot be told yet whether the cluster offers %s, which has to be known first: kubectl get apiservices tells which API server does not answer, and the operator's log what else is wrong", strings.Join(unanswered, ", ")), 0)
}

// Needs are the kinds on which it depends what a build is, and where its image goes.
func Needs() []schema.GroupVersionKind {
	return []schema.GroupVersionKind{capabilities.PipelineRun, capabilities.ImageStream, capabilities.SecurityContextConstraints}
}

// Target is the repository that images of the given name go to, and whether they are pushed with the token of
// OpenShift's internal registry. Without a repository of the admin's they go there, if the cluster offers ImageStreams
// and the CNBiConfig does not do without them; otherwise the error waits for an admin.
func Target(config *v1alpha1.CNBiConfigSpec, hasImageStreams bool, namespace, name string) (repository string, token bool, err error) {
	repository = config.Registry.Repository
	if repository == "" {
		if !hasImageStreams || config.Publish.ImageStreams == v1alpha1.ImageStreamsNever {
			return "", false, outcome.Wait(v1alpha1.ReasonRegistryNotConfigured, fmt.Sprintf("There is no registry that built images could go to: an admin sets spec.registry.repository of CNBiConfig %q; the build starts by itself then", v1alpha1.CNBiConfigName), 0)
		}
		repository, token = internalRegistry, config.UsesInternalRegistry()
	}
	return strings.NewReplacer("{namespace}", namespace, "{name}", name).Replace(repository), token, nil
}

// AwaitPipeline tells what keeps a namespace from having a pipeline of the operator's, and whose turn it is. Whether there
// is a CNBiConfig, and whether its selector leaves the namespace out, is for the caller to know.
func AwaitPipeline(config *v1alpha1.CNBiConfigSpec, configured bool, namespace, pipeline string, unselected bool) error {
	const name = v1alpha1.CNBiConfigName
	reason, message := v1alpha1.ReasonWaitingForPipelines, ""
	switch {
	case config.ManagementState == v1alpha1.StateUnmanaged:
		reason = v1alpha1.ReasonUnmanaged
		message = fmt.Sprintf("Namespace %q lacks Pipeline %q, and CNBiConfig %q, whose spec.managementState is Unmanaged, installs none", namespace, pipeline, name)
	case config.Namespaces.Excludes(namespace):
		reason = v1alpha1.ReasonNamespaceExcluded
		message = fmt.Sprintf("CNBiConfig %q gives namespace %q no pipelines: an admin takes it out of spec.namespaces.exclude", name, namespace)
	case unselected:
		reason = v1alpha1.ReasonNamespaceExcluded
		message = fmt.Sprintf("CNBiConfig %q gives namespace %q no pipelines: an admin labels it as spec.namespaces.selector asks (%s)", name, namespace, metav1.FormatLabelSelector(config.Namespaces.Selector))
	case !configured:
		message = fmt.Sprintf("There is no CNBiConfig %q, which installs the pipelines: an admin creates one, or restarts the operator", name)
	default:
		message = fmt.Sprintf("Waiting for Pipeline %q in namespace %q: CNBiConfig %q installs it and says what keeps it from doing so", pipeline, namespace, name)
	}
	return outcome.Wait(reason, message, 0)
}
