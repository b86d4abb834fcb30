package operator

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/util/yaml"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

const (
	fieldOwner = client.FieldOwner("meteor-operator-deploy")
	// availableWithin is how long the manager may take to start, its image's pull included.
	availableWithin = 3 * time.Minute
)

// Deploy builds the operator from the checkout, installs it and waits until it is available. On the local cluster image
// is not needed; elsewhere it is where to push to. An operator that is there already as it should be is left alone.
func (c *Cluster) Deploy(ctx context.Context, image string) error {
	image, err := c.pushImage(ctx, image)
	if err != nil {
		return err
	}
	return c.DeployImage(ctx, image)
}

// DeployImage installs the operator with an image that exists, and waits until it is available.
func (c *Cluster) DeployImage(ctx context.Context, image string) error {
	objects, err := c.render(ctx, image)
	if err != nil {
		return err
	}
	fmt.Fprintf(c.log, "Deploying %s\n", image)
	for _, obj := range objects {
		if err := c.apply(ctx, obj); err != nil {
			return err
		}
	}
	if err := c.awaitAvailable(ctx); err != nil {
		return err
	}
	return c.Configure(ctx)
}

// pushImage builds the operator's image and returns its reference as the cluster names it.
func (c *Cluster) pushImage(ctx context.Context, image string) (string, error) {
	if c.Local != nil {
		image = c.Local.RegistryPush + "/meteor-operator:dev"
	}
	if image == "" {
		return "", errors.New("say where to push the operator's image, as a repository that the cluster can pull from")
	}
	fmt.Fprintln(c.log, "Building the operator's image")
	pushed, err := c.run(ctx, "go", "run", "./hack/image", "--push", image)
	if err != nil {
		return "", err
	}
	if c.Local != nil {
		pushed = c.Local.Registry + strings.TrimPrefix(pushed, c.Local.RegistryPush)
	}
	return pushed, nil
}

// render is config/default with the given image in it.
func (c *Cluster) render(ctx context.Context, image string) ([]*unstructured.Unstructured, error) {
	kubectl, err := c.kubectl(ctx)
	if err != nil {
		return nil, err
	}
	rendered, err := c.run(ctx, kubectl, "kustomize", "config/default")
	if err != nil {
		return nil, err
	}
	var objects []*unstructured.Unstructured
	decoder := yaml.NewYAMLOrJSONDecoder(strings.NewReader(rendered), 4096)
	for {
		obj := &unstructured.Unstructured{}
		if err := decoder.Decode(obj); errors.Is(err, io.EOF) {
			return objects, nil
		} else if err != nil {
			return nil, fmt.Errorf("cannot read config/default: %w", err)
		}
		if obj.GetKind() == "Deployment" {
			if err := setImages(obj, image, c.buildah()); err != nil {
				return nil, err
			}
		}
		objects = append(objects, obj)
	}
}

// kubectl is the local cluster's own, or the one that whoever names a cluster has.
func (c *Cluster) kubectl(ctx context.Context) (string, error) {
	if c.Local == nil {
		return exec.LookPath("kubectl")
	}
	dir, err := c.run(ctx, "go", "run", "./test/cluster/cmd/cluster", "assets")
	return filepath.Join(dir, "kubectl"), err
}

// buildah is the local cluster's image for Containerfile builds. On another cluster it is empty, so that config/manager's
// stays.
func (c *Cluster) buildah() string {
	if c.Local == nil {
		return ""
	}
	return c.Local.Images["buildah"]
}

// setImages sets the manager's image, and those that it gives to the steps of the pipelines.
func setImages(deployment *unstructured.Unstructured, image, buildah string) error {
	containers, _, err := unstructured.NestedSlice(deployment.Object, "spec", "template", "spec", "containers")
	if err != nil {
		return fmt.Errorf("cannot set the image: %w", err)
	}
	if len(containers) != 1 {
		return fmt.Errorf("cannot set the image: the Deployment has %d containers, not one", len(containers))
	}
	container, _ := containers[0].(map[string]any)
	container["image"] = image
	values := map[any]string{"OPERATOR_IMAGE": image, "BUILDAH_IMAGE": buildah}
	variables, _ := container["env"].([]any)
	for _, v := range variables {
		if variable, _ := v.(map[string]any); values[variable["name"]] != "" {
			variable["value"] = values[variable["name"]]
		}
	}
	return unstructured.SetNestedSlice(deployment.Object, containers, "spec", "template", "spec", "containers")
}

func (c *Cluster) apply(ctx context.Context, obj *unstructured.Unstructured) error {
	what := fmt.Sprintf("%s %q", obj.GetKind(), obj.GetName())
	if err := c.Client.Apply(ctx, client.ApplyConfigurationFromUnstructured(obj), fieldOwner, client.ForceOwnership); err != nil {
		return fmt.Errorf("cannot apply %s: %w", what, err)
	}
	if obj.GetKind() != "CustomResourceDefinition" {
		return nil
	}
	err := Await(ctx, c.Client, func(l *apiextensionsv1.CustomResourceDefinitionList) (bool, error) {
		return len(l.Items) == 1 && established(&l.Items[0]), nil
	}, Named("", obj.GetName()))
	if err != nil {
		return fmt.Errorf("%s is not served: %w", what, err)
	}
	return nil
}

func established(crd *apiextensionsv1.CustomResourceDefinition) bool {
	for _, condition := range crd.Status.Conditions {
		if condition.Type == apiextensionsv1.Established {
			return condition.Status == apiextensionsv1.ConditionTrue
		}
	}
	return false
}

// awaitAvailable waits until the manager of the present Deployment is there, and no other.
func (c *Cluster) awaitAvailable(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, availableWithin)
	defer cancel()
	err := Await(ctx, c.Client, func(l *appsv1.DeploymentList) (bool, error) {
		return len(l.Items) == 1 && Available(&l.Items[0]), nil
	}, Named(Namespace, Deployment))
	if err != nil {
		return fmt.Errorf("the operator does not become available: %w; %s", err, c.obstacle(context.WithoutCancel(ctx)))
	}
	return nil
}

// Available tells whether a Deployment has all its pods as it wants them, and no old ones.
func Available(d *appsv1.Deployment) bool {
	s := d.Status
	replicas := int32(1)
	if d.Spec.Replicas != nil {
		replicas = *d.Spec.Replicas
	}
	return s.ObservedGeneration == d.Generation && s.Replicas == replicas && s.UpdatedReplicas == replicas && s.AvailableReplicas == replicas
}

// obstacle says what keeps the manager from running.
func (c *Cluster) obstacle(ctx context.Context) string {
	pods := &corev1.PodList{}
	if err := c.Client.List(ctx, pods, client.InNamespace(Namespace)); err != nil {
		return err.Error()
	}
	for i := range pods.Items {
		pod := &pods.Items[i]
		for _, status := range pod.Status.ContainerStatuses {
			if waiting := status.State.Waiting; waiting != nil {
				return fmt.Sprintf("pod %q: %s %s", pod.Name, waiting.Reason, waiting.Message)
			}
		}
	}
	return fmt.Sprintf("it has %d pods in namespace %s", len(pods.Items), Namespace)
}
