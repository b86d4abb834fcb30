package controllers

import (
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/meteor-zone/meteor-operator/manifests"
)

// render renders the embedded manifests.
func render(builderImage string) ([]*unstructured.Unstructured, string, error) {
	objs, err := manifests.Objects(manifests.Options{BuilderImage: builderImage})
	if err != nil {
		return nil, "", err
	}
	return objs, manifests.Revision(objs), nil
}
