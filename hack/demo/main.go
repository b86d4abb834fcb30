// Command demo shows on a real cluster what the operator is for: it imports a Jupyter image, tells the story while it
// goes, starts a notebook from the result and says where it answers. Run again, it goes on from what is there.
//
// It uses the cluster that KUBECONFIG names, with the operator installed there and the image that DEMO_IMAGE names, or
// else brings the local one up and installs the operator from the checkout.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/meteor-zone/meteor-operator/apis/v1alpha1"
	"github.com/meteor-zone/meteor-operator/hack/operator"
)

const (
	namespace  = "meteor-demo"
	object     = "jupyter"
	fieldOwner = client.FieldOwner("meteor-demo")
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, os.Stdout)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "demo:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, out io.Writer) error {
	cluster, err := operator.Connect(ctx, out)
	if err != nil {
		return err
	}
	d := &demo{Cluster: cluster, out: out, image: os.Getenv("DEMO_IMAGE")}
	if err := d.ensureOperator(ctx); err != nil {
		return err
	}
	obj, err := d.importImage(ctx)
	if err != nil {
		return err
	}
	url, err := d.startNotebook(ctx, obj)
	if err != nil {
		return err
	}
	d.sayWhatNext(url)
	return nil
}

type demo struct {
	*operator.Cluster
	out   io.Writer
	image string
}

func (d *demo) say(format string, args ...any) { fmt.Fprintf(d.out, format+"\n", args...) }

// ensureOperator installs the operator on the local cluster. On somebody's own that is theirs to do.
func (d *demo) ensureOperator(ctx context.Context) error {
	if d.Local != nil {
		if d.image == "" {
			d.image = d.Local.Images["jupyter"]
		}
		return d.Deploy(ctx, "")
	}
	if d.image == "" {
		return errors.New("KUBECONFIG names a cluster of yours: say by DEMO_IMAGE= which notebook image to import there")
	}
	deployment := &appsv1.Deployment{}
	if err := d.Client.Get(ctx, client.ObjectKey{Namespace: operator.Namespace, Name: operator.Deployment}, deployment); err != nil {
		return fmt.Errorf("install the operator first (make deploy IMG=REPOSITORY): %w", err)
	}
	return nil
}

// importImage asks for the image and tells the story until it is there.
func (d *demo) importImage(ctx context.Context) (*v1alpha1.CustomNBImage, error) {
	ns := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{
		Name: namespace, Labels: map[string]string{"pod-security.kubernetes.io/enforce": "restricted"},
	}}
	if err := d.Client.Create(ctx, ns); client.IgnoreAlreadyExists(err) != nil {
		return nil, fmt.Errorf("cannot make namespace %q: %w", namespace, err)
	}
	wish := map[string]any{
		"metadata": map[string]any{"annotations": map[string]any{
			v1alpha1.AnnotationNotebookImageName:    "Jupyter",
			v1alpha1.AnnotationNotebookImageDesc:    "The demo's notebook",
			v1alpha1.AnnotationNotebookImageCreator: "make demo",
		}},
		"spec": map[string]any{"buildType": string(v1alpha1.BuildTypeImageImport), "fromImage": d.image},
	}
	if err := d.applyObject(ctx, v1alpha1.GroupVersion.WithKind("CustomNBImage"), object, wish); err != nil {
		return nil, err
	}
	d.say("\nCustomNBImage %q in namespace %q imports %s", object, namespace, d.image)
	obj, err := d.follow(ctx)
	if err != nil {
		return nil, err
	}
	var software []string
	for _, s := range obj.Status.Software {
		software = append(software, s.Name+" "+s.Version)
	}
	d.say("\nThe image:  %s\nIn it:      %s; %d Python packages", obj.Status.Image, strings.Join(software, ", "), obj.Status.PackagesTotal)
	return obj, nil
}

// follow prints a line for each thing that changes, as kubectl get -w does.
func (d *demo) follow(ctx context.Context) (*v1alpha1.CustomNBImage, error) {
	began, last := time.Now(), ""
	var obj *v1alpha1.CustomNBImage
	err := operator.Await(ctx, d.Client, func(l *v1alpha1.CustomNBImageList) (bool, error) {
		if len(l.Items) == 0 {
			return false, fmt.Errorf("CustomNBImage %q is gone", object)
		}
		obj = &l.Items[0]
		message, reason := "", ""
		for _, c := range obj.Status.Conditions {
			if c.Type == v1alpha1.ConditionReady {
				message, reason = c.Message, c.Reason
			}
		}
		if line := fmt.Sprintf("%-9s %s", obj.Status.Phase, message); line != last {
			d.say("%6.1fs  %s", time.Since(began).Seconds(), strings.TrimSpace(line))
			last = line
		}
		current := obj.Status.ObservedGeneration == obj.Generation
		if current && obj.Status.Phase == v1alpha1.PhaseFailed {
			return false, fmt.Errorf("the image cannot be used (%s): kubectl -n %s describe cnbi %s", reason, namespace, object)
		}
		return current && obj.Status.Phase == v1alpha1.PhaseReady, nil
	}, operator.Named(namespace, object))
	return obj, err
}

func (d *demo) sayWhatNext(url string) {
	d.say("\nOpen it:      %s", url)
	if d.Local != nil {
		d.say("Look around:  eval \"$(go run ./test/cluster/cmd/cluster env)\"")
		d.say("              kubectl -n %s get cnbi,imagestream,pipelinerun,pod", namespace)
	} else {
		d.say("              while this runs: kubectl -n %s port-forward service/%s %d", namespace, object, port)
		d.say("Look around:  kubectl -n %s get cnbi,pipelinerun,pod", namespace)
	}
	d.say("              kubectl -n %s describe cnbi %s", namespace, object)
	d.say("Take it away: kubectl delete namespace %s", namespace)
}
