package v1alpha1

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// ManagementState is what the operator does about its pipelines.
// +kubebuilder:validation:Enum=Managed;Unmanaged;Removed
type ManagementState string

// The management states.
const (
	// StateManaged installs the pipelines and keeps them as they should be.
	StateManaged ManagementState = "Managed"

	// StateUnmanaged leaves the pipelines as they are.
	StateUnmanaged ManagementState = "Unmanaged"

	// StateRemoved takes the pipelines away.
	StateRemoved ManagementState = "Removed"
)

// NamespaceMode is which namespaces get pipelines.
// +kubebuilder:validation:Enum=OnDemand;Selected;All
type NamespaceMode string

// The namespace modes.
const (
	// NamespacesOnDemand are those with a CustomNBImage or a Meteor in them.
	NamespacesOnDemand NamespaceMode = "OnDemand"

	// NamespacesSelected are those that a label selector selects.
	NamespacesSelected NamespaceMode = "Selected"

	// NamespacesAll are all.
	NamespacesAll NamespaceMode = "All"
)

// NamespacesSpec says which namespaces get pipelines.
//
// +kubebuilder:validation:XValidation:rule="!has(self.mode) || self.mode != 'Selected' || has(self.selector)",message="mode Selected needs namespaces.selector: set matchLabels or matchExpressions in it",fieldPath=".selector",reason="FieldValueRequired"
// +kubebuilder:validation:XValidation:rule="!has(self.selector) || has(self.mode) && self.mode == 'Selected'",message="namespaces.selector belongs to mode Selected: remove it, or choose that mode",fieldPath=".selector",reason="FieldValueForbidden"
type NamespacesSpec struct {
	// mode is OnDemand (a namespace gets the pipelines when the first
	// CustomNBImage or Meteor appears in it), Selected (those that selector
	// selects) or All. The default is OnDemand.
	// +optional
	// +kubebuilder:default=OnDemand
	Mode NamespaceMode `json:"mode,omitempty"`

	// selector selects namespaces by their labels, for mode Selected.
	// +optional
	Selector *metav1.LabelSelector `json:"selector,omitempty"`

	// exclude are names of namespaces that never get pipelines, whatever the
	// mode; a name may end with '*', as in openshift-*.
	// +optional
	// +listType=set
	// +kubebuilder:validation:MaxItems=128
	// +kubebuilder:validation:items:MaxLength=63
	// +kubebuilder:validation:items:XValidation:rule="self.matches('^[a-z0-9]([a-z0-9-]*([a-z0-9]|[*]))?$|^[a-z0-9][*]$')",message="exclude has an entry that is not the name of a namespace: write lower-case letters, digits and '-', with a '*' at the end if it is the start of a name"
	Exclude []string `json:"exclude,omitempty"`
}

// CNBiConfigSpec is the cluster's settings for CustomNBImages and Meteors.
type CNBiConfigSpec struct {
	// managementState is Managed (the pipelines are installed and kept as they
	// should be), Unmanaged (they are left as they are) or Removed (they are
	// taken away). The default is Managed.
	// +optional
	// +kubebuilder:default=Managed
	ManagementState ManagementState `json:"managementState,omitempty"`

	// namespaces that get the pipelines.
	// +optional
	// +kubebuilder:default={}
	Namespaces NamespacesSpec `json:"namespaces,omitzero"`

	// runtimeEnvironments are the images that a CustomNBImage can ask for by
	// operating system and Python.
	// +optional
	// +listType=map
	// +listMapKey=osName
	// +listMapKey=osVersion
	// +listMapKey=pythonVersion
	// +kubebuilder:validation:MaxItems=64
	RuntimeEnvironments []RuntimeEnvironmentImage `json:"runtimeEnvironments,omitempty"`

	// registry that built images go to.
	// +optional
	// +kubebuilder:default={}
	Registry RegistrySpec `json:"registry,omitzero"`

	// packageIndex that Python packages come from.
	// +optional
	PackageIndex PackageIndexSpec `json:"packageIndex,omitzero"`

	// images that the steps of the pipelines run in.
	// +optional
	Images ImagesSpec `json:"images,omitzero"`

	// validation says what an image must be like.
	// +optional
	// +kubebuilder:default={}
	Validation ValidationSpec `json:"validation,omitzero"`

	// build says how builds run.
	// +optional
	// +kubebuilder:default={}
	Build BuildSpec `json:"build,omitzero"`

	// publish says how images are offered.
	// +optional
	// +kubebuilder:default={}
	Publish PublishSpec `json:"publish,omitzero"`

	// network says how builds reach the world.
	// +optional
	Network NetworkSpec `json:"network,omitzero"`

	// retention says which runs are kept.
	// +optional
	// +kubebuilder:default={}
	Retention RetentionSpec `json:"retention,omitzero"`

	// meteor says how long Meteors live, and where their sites are reached.
	// +optional
	Meteor MeteorDefaults `json:"meteor,omitzero"`
}

// OfferState is whether the cluster has an API.
// +kubebuilder:validation:Enum=Available;Absent
type OfferState string

// Whether the cluster has an API.
const (
	OfferAvailable OfferState = "Available"
	OfferAbsent    OfferState = "Absent"
)

// ClusterOffers is what the cluster has.
type ClusterOffers struct {
	// tekton is whether the cluster has Tekton Pipelines.
	// +optional
	Tekton OfferState `json:"tekton,omitempty"`

	// imageStreams is whether the cluster has ImageStreams.
	// +optional
	ImageStreams OfferState `json:"imageStreams,omitempty"`

	// routes is whether the cluster has Routes.
	// +optional
	Routes OfferState `json:"routes,omitempty"`
}

// FailingNamespace is a namespace that could not get its pipelines.
type FailingNamespace struct {
	// name of the namespace.
	// +required
	// +kubebuilder:validation:MaxLength=63
	Name string `json:"name"`

	// message says what went wrong.
	// +required
	// +kubebuilder:validation:MaxLength=1024
	Message string `json:"message"`
}

// NamespacesStatus counts namespaces.
type NamespacesStatus struct {
	// ready is how many namespaces have the pipelines.
	// +optional
	// +kubebuilder:validation:Minimum=0
	Ready int32 `json:"ready"`

	// pending is how many namespaces are yet to get the pipelines.
	// +optional
	// +kubebuilder:validation:Minimum=0
	Pending int32 `json:"pending"`

	// failed is how many namespaces could not get the pipelines.
	// +optional
	// +kubebuilder:validation:Minimum=0
	Failed int32 `json:"failed"`

	// failing are the namespaces that could not get the pipelines, sorted by
	// name, at most ten of them.
	// +optional
	// +listType=map
	// +listMapKey=name
	// +kubebuilder:validation:MaxItems=10
	Failing []FailingNamespace `json:"failing,omitempty"`
}

// CNBiConfigStatus says how the cluster stands.
type CNBiConfigStatus struct {
	// observedGeneration is the generation of the spec that was wholly acted
	// on. It is -1 until the object was seen for the first time.
	// +optional
	// +kubebuilder:validation:Minimum=-1
	// +kubebuilder:default=-1
	ObservedGeneration int64 `json:"observedGeneration,omitempty"`

	// conditions of the object: Ready, Reconciling, Stalled, TektonAvailable,
	// ImageStreamsAvailable, RoutesAvailable and NamespacesReady.
	// +optional
	// +listType=map
	// +listMapKey=type
	// +patchStrategy=merge
	// +patchMergeKey=type
	// +kubebuilder:validation:MaxItems=16
	Conditions []metav1.Condition `json:"conditions,omitempty" patchStrategy:"merge" patchMergeKey:"type"`

	// namespaces counts those that have the pipelines, wait for them, or could
	// not get them.
	// +optional
	Namespaces NamespacesStatus `json:"namespaces,omitzero"`

	// revision of the pipelines' manifests as a whole. Each object has one of
	// its own, in its label meteor.zone/revision.
	// +optional
	// +kubebuilder:validation:MaxLength=63
	Revision string `json:"revision,omitempty"`

	// offers is what the cluster has.
	// +optional
	Offers ClusterOffers `json:"offers,omitzero"`
}

// CNBiConfig is the cluster's settings for CustomNBImages and Meteors. There
// is one, named cluster, which the operator makes when there is none.
//
// +kubebuilder:object:root=true
// +kubebuilder:subresource:status
// +kubebuilder:resource:path=cnbiconfigs,singular=cnbiconfig,scope=Cluster,categories=opendatahub
// +kubebuilder:printcolumn:name="Ready",type=string,JSONPath=`.status.conditions[?(@.type=='Ready')].status`,description="Whether all is as it should be"
// +kubebuilder:printcolumn:name="Namespaces",type=integer,JSONPath=`.status.namespaces.ready`,description="How many namespaces have the pipelines"
// +kubebuilder:printcolumn:name="Failed",type=integer,priority=1,JSONPath=`.status.namespaces.failed`,description="How many namespaces could not get the pipelines"
// +kubebuilder:printcolumn:name="Revision",type=string,priority=1,JSONPath=`.status.revision`,description="The revision of the pipelines' manifests"
// +kubebuilder:printcolumn:name="Message",type=string,JSONPath=`.status.conditions[?(@.type=='Ready')].message`,description="What happened or is waited for"
// +kubebuilder:printcolumn:name="Age",type=date,JSONPath=`.metadata.creationTimestamp`,description="Time since the object was created"
// +kubebuilder:validation:XValidation:rule="self.metadata.name == 'cluster'",message="metadata.name is not cluster: there is one CNBiConfig, named cluster",fieldPath=".metadata"
type CNBiConfig struct {
	metav1.TypeMeta `json:",inline"`

	// metadata of the object. Its name is cluster.
	// +optional
	metav1.ObjectMeta `json:"metadata,omitzero"`

	// spec is the settings.
	// +optional
	// +kubebuilder:default={}
	Spec CNBiConfigSpec `json:"spec,omitzero"`

	// status says how the cluster stands.
	// +optional
	// +kubebuilder:default:={"observedGeneration":-1}
	Status CNBiConfigStatus `json:"status,omitzero"`
}

// CNBiConfigList is a list of CNBiConfigs.
//
// +kubebuilder:object:root=true
type CNBiConfigList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitzero"`

	// items of the list.
	Items []CNBiConfig `json:"items"`
}
