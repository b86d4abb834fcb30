// Package manifests holds what the local cluster has besides Kubernetes and
// Tekton.
package manifests

import _ "embed"

// Addons are what a node needs to be of use: name service, storage, rights.
//
//go:embed addons.yaml
var Addons []byte

// ImageStream is a stand-in for OpenShift's kind of that name.
//
//go:embed imagestream.yaml
var ImageStream []byte

// OLM is the Operator Lifecycle Manager, whose images are still to be filled in.
//
//go:embed olm.yaml
var OLM []byte
