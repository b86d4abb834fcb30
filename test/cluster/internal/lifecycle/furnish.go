package lifecycle

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/google/go-containerregistry/pkg/authn"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/remote"

	"github.com/meteor-zone/meteor-operator/test/cluster/internal/kubeapi"
	"github.com/meteor-zone/meteor-operator/test/cluster/internal/node"
	"github.com/meteor-zone/meteor-operator/test/cluster/internal/tekton"
	"github.com/meteor-zone/meteor-operator/test/cluster/manifests"
	"github.com/meteor-zone/meteor-operator/test/cluster/pack"
)

const patience = 3 * time.Minute

// shellCommands are what scripts of Tekton's own call.
var shellCommands = []string{"cat", "chmod", "cp", "echo", "env", "false", "ls", "mkdir", "mv", "rm", "sh", "sleep", "test", "touch", "true"}

// furnish puts into a running cluster everything that it is to have. It may be
// repeated.
func (c *Cluster) furnish(ctx context.Context, p parts) error {
	if err := c.await(ctx, "the registries answer", registriesAnswer); err != nil {
		return err
	}
	list, err := c.pushImages(ctx, p)
	if err != nil {
		return err
	}
	if err := c.await(ctx, "the apiserver answers", c.apiserverReady); err != nil {
		return err
	}
	for _, content := range [][]byte{manifests.Addons, manifests.ImageStream, list} {
		if err := c.apply(ctx, p, content); err != nil {
			return err
		}
	}
	c.say("objects applied")
	if err := c.await(ctx, "the node is ready", c.nodeReady); err != nil {
		return err
	}
	if err := c.forget(ctx, c.pushed); err != nil {
		return err
	}
	if err := c.await(ctx, "Tekton is available", c.tektonAvailable); err != nil {
		return err
	}
	return c.await(ctx, "Tekton's webhook answers", c.webhookAnswers)
}

// await tries until something is so.
func (c *Cluster) await(ctx context.Context, what string, ready func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	for {
		err := ready(ctx)
		if err == nil {
			c.say("%s", what)
			return nil
		}
		if ctx.Err() != nil || !c.running() {
			return fmt.Errorf("not so: %s: %w; see the logs in %s", what, err, filepath.Join(c.root(), node.LogDir))
		}
		time.Sleep(100 * time.Millisecond)
	}
}

func registriesAnswer(ctx context.Context) error {
	for _, address := range []string{registryHere, privateRegistryHere} {
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+address+"/v2/", nil)
		if err != nil {
			return err
		}
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			return err
		}
		// The private one answers that it wants a password.
		if err := resp.Body.Close(); err != nil {
			return err
		}
	}
	return nil
}

// pushImages pushes what the registries are to hold, and returns Tekton's
// objects, which name some of it.
func (c *Cluster) pushImages(ctx context.Context, p parts) ([]byte, error) {
	if _, err := c.push(ctx, "pause:1", pack.Spec{
		Files: map[string]string{"/pause": filepath.Join(p.pause, "pause")}, Entrypoint: []string{"/pause"}, User: "65535:65535",
	}); err != nil {
		return nil, err
	}
	links := map[string]string{}
	for _, name := range shellCommands {
		links["/bin/"+name] = "busybox"
	}
	shell, err := c.push(ctx, "busybox:1", pack.Spec{
		Files: map[string]string{"/bin/busybox": "/bin/busybox"}, Links: links, Entrypoint: []string{"/bin/sh"},
	})
	if err != nil {
		return nil, err
	}
	built, err := p.tekton.Images()
	if err != nil {
		return nil, err
	}
	refs := map[string]string{}
	for name, img := range built {
		if refs[name], err = c.pushImage(ctx, "tekton/"+name+":"+p.tekton.Version, img); err != nil {
			return nil, err
		}
	}
	if err := c.pushTestImages(ctx, p.images); err != nil {
		return nil, err
	}
	c.say("images are in the registries")
	raw, err := p.tekton.Manifests()
	if err != nil {
		return nil, err
	}
	list, err := tekton.Render(raw, tekton.Options{Version: p.tekton.Version, Images: refs, Shell: shell})
	if err != nil {
		return nil, err
	}
	return list.MarshalJSON()
}

func (c *Cluster) push(ctx context.Context, name string, spec pack.Spec) (string, error) {
	img, err := pack.Image(spec)
	if err != nil {
		return "", fmt.Errorf("cannot pack %s: %w", name, err)
	}
	return c.pushImage(ctx, name, img)
}

// pushImage pushes to the open registry and returns the reference, with the
// digest, that pods use.
func (c *Cluster) pushImage(ctx context.Context, name string, img v1.Image) (string, error) {
	digest, err := c.pushTo(ctx, registryHere, node.Registry, name, img)
	if err != nil {
		return "", err
	}
	repository, _, _ := strings.Cut(name, ":")
	return node.Registry + "/" + repository + "@" + digest, nil
}

func (c *Cluster) pushPrivateImage(ctx context.Context, name string, img v1.Image) error {
	logins, err := c.logins()
	if err != nil {
		return err
	}
	auth := remote.WithAuth(&authn.Basic{Username: logins.Registry.User, Password: logins.Registry.Password})
	_, err = c.pushTo(ctx, privateRegistryHere, node.PrivateRegistry, name, img, auth)
	return err
}

// pushTo pushes to a registry that is at an address here and has a name in the
// cluster, and returns the image's digest.
func (c *Cluster) pushTo(ctx context.Context, here, there, name string, img v1.Image, opts ...remote.Option) (string, error) {
	ref, err := pack.PushImage(ctx, here+"/"+name, img, opts...)
	if err != nil {
		return "", err
	}
	_, digest, _ := strings.Cut(ref, "@")
	c.pushed[there+"/"+name] = digest
	return digest, nil
}

func (c *Cluster) apply(ctx context.Context, p parts, content []byte) error {
	return c.kubectl(ctx, p, content, "apply", "--server-side", "--force-conflicts", "-f", "-")
}

func (c *Cluster) kubectl(ctx context.Context, p parts, input []byte, args ...string) error {
	cmd := exec.CommandContext(ctx, filepath.Join(p.kube, "kubectl"), append([]string{"--kubeconfig", c.kubeconfig()}, args...)...)
	cmd.Env = append(os.Environ(), "KUBECACHEDIR="+c.path("discovery"))
	cmd.Stdin = bytes.NewReader(input)
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("cannot %s objects: %w\n%s", args[0], err, out)
	}
	return nil
}

func (c *Cluster) api() (*kubeapi.Client, error) { return kubeapi.FromKubeconfig(c.kubeconfig()) }

func (c *Cluster) apiserverReady(ctx context.Context) error { return c.get(ctx, "/readyz", nil) }

func (c *Cluster) get(ctx context.Context, path string, into any) error {
	client, err := c.api()
	if err != nil {
		return err
	}
	defer client.Close()
	return client.Get(ctx, path, into)
}

type condition struct {
	Type    string `json:"type"`
	Status  string `json:"status"`
	Message string `json:"message"`
}

// object is what conditions are read from.
type object struct {
	Metadata struct {
		Name string `json:"name"`
	} `json:"metadata"`
	Status struct {
		Conditions []condition `json:"conditions"`
	} `json:"status"`
}

func (o object) is(conditionType string) error {
	for _, c := range o.Status.Conditions {
		if c.Type == conditionType && c.Status == "True" {
			return nil
		}
	}
	return fmt.Errorf("%s is not %s: %v", o.Metadata.Name, conditionType, o.Status.Conditions)
}

func (c *Cluster) nodeReady(ctx context.Context) error {
	var o object
	if err := c.get(ctx, "/api/v1/nodes/"+node.Name, &o); err != nil {
		return err
	}
	if err := o.is("Ready"); err != nil {
		return err
	}
	return c.get(ctx, "/api/v1/namespaces/default/serviceaccounts/default", nil)
}

func (c *Cluster) tektonAvailable(ctx context.Context) error {
	for _, namespace := range []string{"tekton-pipelines", "tekton-pipelines-resolvers"} {
		var list struct {
			Items []object `json:"items"`
		}
		if err := c.get(ctx, "/apis/apps/v1/namespaces/"+namespace+"/deployments", &list); err != nil {
			return err
		}
		for _, deployment := range list.Items {
			if err := deployment.is("Available"); err != nil {
				return err
			}
		}
	}
	return nil
}

// webhookAnswers tries to create a Task: a webhook that is ready may not be
// reachable yet.
func (c *Cluster) webhookAnswers(ctx context.Context) error {
	client, err := c.api()
	if err != nil {
		return err
	}
	defer client.Close()
	type value = map[string]any
	return client.Create(ctx, "/apis/tekton.dev/v1/namespaces/default/tasks?dryRun=All", value{
		"apiVersion": "tekton.dev/v1",
		"kind":       "Task",
		"metadata":   value{"name": "webhook-answers"},
		"spec":       value{"steps": []value{{"name": "none", "image": "none", "command": []string{"none"}}}},
	})
}
