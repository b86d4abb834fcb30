// Package v1alpha1 is the API of the Meteor Operator: CustomNBImage, the wish
// for a notebook image; Meteor, a repository made usable for a while; and
// CNBiConfig, the cluster's settings for both.
//
// The package depends on k8s.io/api and k8s.io/apimachinery only, so that
// clients can import it without the operator's own dependencies. The rules
// that objects must obey are in the CRDs: as bounds where a bound says it, and
// as CEL expressions with a message otherwise. The expressions keep to what
// Kubernetes 1.25 understands.
//
// +kubebuilder:object:generate=true
// +groupName=meteor.zone
package v1alpha1
