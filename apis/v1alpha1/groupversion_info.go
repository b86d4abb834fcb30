package v1alpha1

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

// Kinds of this API, as they stand in an object's kind field.
const (
	CustomNBImageKind = "CustomNBImage"
	MeteorKind        = "Meteor"
	CNBiConfigKind    = "CNBiConfig"
)

var (
	// GroupVersion is the group and version of this API.
	GroupVersion = schema.GroupVersion{Group: "meteor.zone", Version: "v1alpha1"}

	// SchemeBuilder collects what adds this API's types to a scheme.
	SchemeBuilder = runtime.NewSchemeBuilder(addKnownTypes)

	// AddToScheme adds this API's types to a scheme.
	AddToScheme = SchemeBuilder.AddToScheme
)

// Resource returns the group's resource of that name.
func Resource(name string) schema.GroupResource {
	return GroupVersion.WithResource(name).GroupResource()
}

func addKnownTypes(scheme *runtime.Scheme) error {
	scheme.AddKnownTypes(GroupVersion,
		&CustomNBImage{}, &CustomNBImageList{},
		&Meteor{}, &MeteorList{},
		&CNBiConfig{}, &CNBiConfigList{},
	)
	metav1.AddToGroupVersion(scheme, GroupVersion)
	return nil
}
