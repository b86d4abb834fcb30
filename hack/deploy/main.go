// Command deploy installs the operator, built from the checkout, on the cluster that KUBECONFIG names, or else on the
// local one, which it brings up.
//
//	go run ./hack/deploy
//	KUBECONFIG=… go run ./hack/deploy --push quay.io/me/meteor-operator:dev
//	KUBECONFIG=… go run ./hack/deploy --image quay.io/me/meteor-operator:v1
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"github.com/meteor-zone/meteor-operator/hack/operator"
)

func main() {
	push := flag.String("push", os.Getenv("IMG"), "where to push the operator's image, on a cluster of yours; $IMG is the default")
	image := flag.String("image", "", "an image of the operator that exists, instead of building one")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, *push, *image)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "deploy:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, push, image string) error {
	c, err := operator.Connect(ctx, os.Stderr)
	if err != nil {
		return err
	}
	switch {
	case image != "":
		err = c.DeployImage(ctx, image)
	case c.Local == nil && push == "":
		err = errors.New("say where to push the operator's image, such as IMG=quay.io/me/meteor-operator:dev, or name one that exists by --image")
	default:
		err = c.Deploy(ctx, push)
	}
	if err != nil {
		return err
	}
	fmt.Printf("The operator runs in namespace %s. Try: kubectl apply -f config/samples/customnbimage-import.yaml\n", operator.Namespace)
	return nil
}
