package controllers

import (
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/meteor-zone/meteor-operator/manifests"
)

// render renders the embedded manifests.
func render(o manifests.Options) ([]*unstructured.Unstructured, string, error) {
	objs, err := manifests.Objects(o)
	if err != nil {
		return nil, "", err
	}
	return objs, manifests.Revision(objs), nil
}
