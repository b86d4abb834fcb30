package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	apimeta "k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/kubernetes"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/meteor-zone/meteor-operator/apis/v1alpha1"
)

const (
	port   = 8888
	prefix = "/notebook/" + namespace + "/" + object
	// tokenVariable holds the token that opens the notebook.
	tokenVariable = "DEMO_TOKEN"
	// someUser is one that no image knows, as OpenShift gives to pods.
	someUser = 1000650000
	// answersWithin is how long a notebook may take that has been seen to start.
	answersWithin = 3 * time.Minute
	askEvery      = 200 * time.Millisecond
)

// startNotebook runs a notebook from the image as Open Data Hub does, and returns where it is.
func (d *demo) startNotebook(ctx context.Context, obj *v1alpha1.CustomNBImage) (string, error) {
	token, err := d.token(ctx)
	if err != nil {
		return "", err
	}
	d.say("\nA notebook starts from it")
	began := time.Now()
	if err := d.applyObject(ctx, appsv1.SchemeGroupVersion.WithKind("Deployment"), object, d.deployment(obj.Status.Image, token)); err != nil {
		return "", err
	}
	at, err := d.expose(ctx)
	if err != nil {
		return "", err
	}
	answer, err := d.awaitAnswer(ctx)
	if err != nil {
		return "", err
	}
	d.say("%6.1fs  %s%s/api answers %s", time.Since(began).Seconds(), at, prefix, answer)
	return at + prefix + "/?token=" + token, nil
}

// token is the one of the notebook that runs already, or a new one.
func (d *demo) token(ctx context.Context) (string, error) {
	deployment := &appsv1.Deployment{}
	err := d.Client.Get(ctx, client.ObjectKey{Namespace: namespace, Name: object}, deployment)
	if client.IgnoreNotFound(err) != nil {
		return "", fmt.Errorf("cannot look for a notebook: %w", err)
	}
	for _, container := range deployment.Spec.Template.Spec.Containers {
		for _, variable := range container.Env {
			if variable.Name == tokenVariable {
				return variable.Value, nil
			}
		}
	}
	return strings.ToLower(rand.Text()), nil
}

// deployment runs the image by its own entry point, with what the notebook controller gives to notebooks.
func (d *demo) deployment(image, token string) map[string]any {
	security := map[string]any{"runAsNonRoot": true, "seccompProfile": map[string]any{"type": "RuntimeDefault"}}
	if !d.isOpenShift() {
		security["runAsUser"], security["runAsGroup"] = int64(someUser), int64(0)
	}
	arguments := fmt.Sprintf("--ServerApp.port=%d\n--ServerApp.token='$(%s)'\n--ServerApp.password=''\n--ServerApp.base_url=%s\n--ServerApp.quit_button=False",
		port, tokenVariable, prefix)
	container := map[string]any{
		"name": "notebook", "image": image,
		"env": []any{
			map[string]any{"name": "NB_PREFIX", "value": prefix},
			map[string]any{"name": tokenVariable, "value": token},
			map[string]any{"name": "NOTEBOOK_ARGS", "value": arguments},
		},
		"ports":           []any{map[string]any{"containerPort": int64(port), "protocol": "TCP"}},
		"volumeMounts":    []any{map[string]any{"name": "home", "mountPath": "/opt/app-root/src"}},
		"securityContext": map[string]any{"allowPrivilegeEscalation": false, "capabilities": map[string]any{"drop": []any{"ALL"}}},
	}
	labels := map[string]any{"app": object}
	return map[string]any{"spec": map[string]any{
		"replicas": int64(1),
		"strategy": map[string]any{"type": string(appsv1.RecreateDeploymentStrategyType)},
		"selector": map[string]any{"matchLabels": labels},
		"template": map[string]any{
			"metadata": map[string]any{"labels": labels},
			"spec": map[string]any{
				"automountServiceAccountToken": false,
				"securityContext":              security,
				"containers":                   []any{container},
				"volumes":                      []any{map[string]any{"name": "home", "emptyDir": map[string]any{}}},
			},
		},
	}}
}

func (d *demo) isOpenShift() bool {
	_, err := d.Client.RESTMapper().RESTMapping(schema.GroupKind{Group: "security.openshift.io", Kind: "SecurityContextConstraints"})
	return !apimeta.IsNoMatchError(err)
}

// expose makes a service of the notebook and returns where the machine reaches it: at a node port of the local cluster,
// elsewhere by a forwarded port.
func (d *demo) expose(ctx context.Context) (string, error) {
	if d.Local == nil {
		return fmt.Sprintf("http://127.0.0.1:%d", port), d.applyService(ctx, 0)
	}
	nodePorts := d.Local.NodePorts
	service := &corev1.Service{}
	if err := d.Client.Get(ctx, client.ObjectKey{Namespace: namespace, Name: object}, service); err == nil {
		nodePorts = []int{int(service.Spec.Ports[0].NodePort)}
	}
	for _, nodePort := range nodePorts {
		err := d.applyService(ctx, nodePort)
		if err == nil {
			return fmt.Sprintf("http://127.0.0.1:%d", nodePort), nil
		}
		if !apierrors.IsInvalid(err) {
			return "", err
		}
	}
	return "", fmt.Errorf("other services have taken all of the node ports %v", nodePorts)
}

func (d *demo) applyService(ctx context.Context, nodePort int) error {
	servicePort := map[string]any{"name": "http", "port": int64(port), "protocol": "TCP"}
	spec := map[string]any{"selector": map[string]any{"app": object}, "ports": []any{servicePort}}
	if nodePort != 0 {
		spec["type"], servicePort["nodePort"] = string(corev1.ServiceTypeNodePort), int64(nodePort)
	}
	return d.applyObject(ctx, corev1.SchemeGroupVersion.WithKind("Service"), object, map[string]any{"spec": spec})
}

// awaitAnswer asks until the notebook answers, and returns what it says.
func (d *demo) awaitAnswer(ctx context.Context) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, answersWithin)
	defer cancel()
	tick := time.NewTicker(askEvery)
	defer tick.Stop()
	for {
		answer, err := d.ask(ctx)
		if err == nil {
			return answer, nil
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return "", fmt.Errorf("the notebook does not answer: %w; kubectl -n %s logs deployment/%s", err, namespace, object)
		}
	}
}

// ask asks the notebook itself, or through the API server where the machine does not reach it.
func (d *demo) ask(ctx context.Context) (string, error) {
	if d.Local == nil {
		c, err := kubernetes.NewForConfig(d.Config)
		if err != nil {
			return "", err
		}
		answer, err := c.CoreV1().Services(namespace).ProxyGet("http", object, fmt.Sprint(port), prefix+"/api", nil).DoRaw(ctx)
		return strings.TrimSpace(string(answer)), err
	}
	service := &corev1.Service{}
	if err := d.Client.Get(ctx, client.ObjectKey{Namespace: namespace, Name: object}, service); err != nil {
		return "", err
	}
	url := fmt.Sprintf("http://127.0.0.1:%d%s/api", service.Spec.Ports[0].NodePort, prefix)
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return "", err
	}
	answer, err := http.DefaultClient.Do(request)
	if err != nil {
		return "", err
	}
	defer answer.Body.Close()
	if answer.StatusCode != http.StatusOK {
		return "", errors.New(answer.Status)
	}
	const enough = 1 << 10
	body, err := io.ReadAll(io.LimitReader(answer.Body, enough))
	return strings.TrimSpace(string(body)), err
}

// applyObject applies an object of the demo's namespace.
func (d *demo) applyObject(ctx context.Context, kind schema.GroupVersionKind, name string, content map[string]any) error {
	obj := &unstructured.Unstructured{Object: content}
	obj.SetGroupVersionKind(kind)
	obj.SetNamespace(namespace)
	obj.SetName(name)
	if err := d.Client.Apply(ctx, client.ApplyConfigurationFromUnstructured(obj), fieldOwner, client.ForceOwnership); err != nil {
		return fmt.Errorf("cannot apply %s %q: %w", kind.Kind, name, err)
	}
	return nil
}
