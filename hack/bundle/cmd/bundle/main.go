// Command bundle writes what the operator is installed from: bundle/, bundle.Dockerfile, catalog/ and dist/install.yaml.
//
//	go run ./hack/bundle/cmd/bundle --push REGISTRY/meteor-operator:TAG
//
// also pushes the bundle's image, to REGISTRY/meteor-operator-bundle and with the digest that the catalogue says. A
// container engine would give it another, with the same content.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"

	"github.com/meteor-zone/meteor-operator/hack/bundle"
)

func main() {
	beside := flag.String("push", "", "push the bundle's image beside this one, the operator's")
	flag.Parse()
	if err := run(context.Background(), ".", *beside); err != nil {
		fmt.Fprintln(os.Stderr, "bundle:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, root, beside string) error {
	source, err := bundle.Read(root)
	if err != nil {
		return err
	}
	files, err := source.All()
	if err != nil {
		return err
	}
	if err := files.Write(root); err != nil || beside == "" {
		return err
	}
	pushed, err := bundle.Push(ctx, files, beside)
	if err != nil {
		return err
	}
	_, err = fmt.Println(pushed)
	return err
}
