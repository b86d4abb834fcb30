// Command bundle writes what the operator is installed from: bundle/, bundle.Dockerfile, catalog/ and dist/install.yaml.
package main

import (
	"fmt"
	"os"

	"github.com/meteor-zone/meteor-operator/hack/bundle"
)

func main() {
	if err := run("."); err != nil {
		fmt.Fprintln(os.Stderr, "bundle:", err)
		os.Exit(1)
	}
}

func run(root string) error {
	source, err := bundle.Read(root)
	if err != nil {
		return err
	}
	files, err := source.All()
	if err != nil {
		return err
	}
	return files.Write(root)
}
