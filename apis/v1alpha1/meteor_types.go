package v1alpha1

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// The pipelines that a Meteor starts by default.
const (
	// PipelineJupyterHub makes a CustomNBImage from the repository.
	PipelineJupyterHub = "jupyterhub"

	// PipelineJupyterBook builds a site from the repository and serves it.
	PipelineJupyterBook = "jupyterbook"
)

// ConditionPipelinePrefix starts the type of the condition of each of a Meteor's
// pipelines; the pipeline's name follows. It is True when the pipeline succeeded
// and what it made can be used, Unknown while it runs, and False otherwise.
const ConditionPipelinePrefix = "pipeline.meteor.zone/"

// ConditionExpiring is there, and True, when a Meteor is about to be removed.
const ConditionExpiring = "Expiring"

// MeteorSpec says which repository is made usable, how and for how long.
//
// +kubebuilder:validation:XValidation:rule="!has(self.gitSecret) || !self.url.startsWith('http://')",message="gitSecret would be sent unencrypted: use https:// in url, or remove gitSecret",fieldPath=".gitSecret",reason="FieldValueInvalid"
type MeteorSpec struct {
	// url of the repository, starting with https:// or http://.
	// +required
	// +kubebuilder:validation:MaxLength=1024
	// +kubebuilder:validation:XValidation:rule="self.matches('^https?://')",message="url starts with https:// or http://, as in https://github.com/org/repository"
	// +kubebuilder:validation:XValidation:rule="!self.matches('[^!-~]')",message="url has a blank, an invisible or a non-ASCII character in it: remove it, or write it percent-encoded"
	// +kubebuilder:validation:XValidation:rule="!self.matches('^https?://[^/?#]*@')",message="url has credentials in it: take them out and put them into a Secret that gitSecret names"
	// +kubebuilder:validation:XValidation:rule="!self.matches('^https?://') || self.matches('[^!-~]|^https?://[^/?#]*@') || self.matches('^https?://([A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?|\\\\[[0-9A-Fa-f:]+\\\\])(:[0-9]{1,5})?/[^?#]+$')",message="url is not the URL of a repository: write https://host/path, without '?' and '#'"
	URL string `json:"url"`

	// ref is the branch, tag or commit. Without it, it is the repository's
	// default branch.
	// +optional
	Ref GitReference `json:"ref,omitempty"`

	// gitSecret names a Secret for a repository that is not open to everybody, of
	// type kubernetes.io/basic-auth.
	// +optional
	GitSecret *LocalSecretReference `json:"gitSecret,omitempty"`

	// ttl is how many seconds after its creation the Meteor is removed with all
	// that it made. 0 keeps it; without one, it is as the cluster's CNBiConfig
	// says, which may also set a maximum.
	// +optional
	// +kubebuilder:validation:XValidation:rule="self >= 0",message="ttl is a number of seconds, 0 or more: write 0 to keep the Meteor"
	// +kubebuilder:validation:Maximum=3153600000
	TTL *int64 `json:"ttl,omitempty"`

	// refresh says when to build again without an edit. Never, if it is not set.
	// +optional
	Refresh *RefreshSpec `json:"refresh,omitempty"`

	// pipelines that are started for the repository, by name: jupyterhub makes
	// a CustomNBImage, jupyterbook a site that is served, and any other name is
	// that of a Pipeline in the Meteor's own namespace.
	// +optional
	// +listType=set
	// +kubebuilder:default={"jupyterhub","jupyterbook"}
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=16
	// +kubebuilder:validation:items:MaxLength=63
	// +kubebuilder:validation:items:XValidation:rule="self.matches('^[a-z0-9]([a-z0-9-]*[a-z0-9])?([.][a-z0-9]([a-z0-9-]*[a-z0-9])?)*$')",message="pipelines has an entry that is not the name of a Pipeline: write lower-case letters, digits, '-' and '.', starting and ending with a letter or digit"
	Pipelines []string `json:"pipelines,omitempty"`
}

// MeteorPhase is where a Meteor is, in one word.
// +kubebuilder:validation:Enum=Building;Succeeded;Failed
type MeteorPhase string

// The phases of a Meteor.
const (
	// MeteorBuilding is while a pipeline runs or is waited for.
	MeteorBuilding MeteorPhase = "Building"

	// MeteorSucceeded is when all pipelines succeeded.
	MeteorSucceeded MeteorPhase = "Succeeded"

	// MeteorFailed is when a pipeline failed.
	MeteorFailed MeteorPhase = "Failed"
)

// MeteorStage sorts a Meteor's pipelines by how they go. The OpenShift console
// draws it.
type MeteorStage struct {
	// running are the names of the pipelines that run.
	// +optional
	// +listType=set
	// +kubebuilder:validation:MaxItems=16
	// +kubebuilder:validation:items:MaxLength=63
	Running []string `json:"running,omitempty"`

	// succeeded are the names of the pipelines that succeeded.
	// +optional
	// +listType=set
	// +kubebuilder:validation:MaxItems=16
	// +kubebuilder:validation:items:MaxLength=63
	Succeeded []string `json:"succeeded,omitempty"`

	// failed are the names of the pipelines that failed.
	// +optional
	// +listType=set
	// +kubebuilder:validation:MaxItems=16
	// +kubebuilder:validation:items:MaxLength=63
	Failed []string `json:"failed,omitempty"`
}

// BookTool is what a site was built with.
// +kubebuilder:validation:Enum=JupyterBook;Sphinx;Nbconvert
type BookTool string

// The tools that sites are built with.
const (
	// BookToolJupyterBook is Jupyter Book.
	BookToolJupyterBook BookTool = "JupyterBook"

	// BookToolSphinx is Sphinx, with MyST and nbsphinx as far as they are there.
	BookToolSphinx BookTool = "Sphinx"

	// BookToolNbconvert is nbconvert, page by page.
	BookToolNbconvert BookTool = "Nbconvert"
)

// MeteorSite is the site that was built last.
type MeteorSite struct {
	// image that serves the site, by digest.
	// +optional
	Image ImageReference `json:"image,omitempty"`

	// builtWith is JupyterBook, Sphinx or Nbconvert.
	// +optional
	BuiltWith BookTool `json:"builtWith,omitempty"`

	// gitCommit is the commit that it was built of, in full.
	// +optional
	// +kubebuilder:validation:MaxLength=64
	GitCommit string `json:"gitCommit,omitempty"`

	// pages is how many pages the site has.
	// +optional
	// +kubebuilder:validation:Minimum=0
	Pages int32 `json:"pages,omitempty"`
}

// MeteorStatus says what became of a Meteor.
type MeteorStatus struct {
	// observedGeneration is the generation of the spec that was wholly acted
	// on. It is -1 until the object was seen for the first time.
	// +optional
	// +kubebuilder:validation:Minimum=-1
	// +kubebuilder:default=-1
	ObservedGeneration int64 `json:"observedGeneration,omitempty"`

	// phase is where the object is, in one word: Building, Succeeded or Failed.
	// It follows from the conditions.
	// +optional
	Phase MeteorPhase `json:"phase,omitempty"`

	// conditions of the object: Ready, Reconciling, Stalled, Expiring,
	// PipelinesInstalled and, for each pipeline, pipeline.meteor.zone/ and its
	// name.
	// +optional
	// +listType=map
	// +listMapKey=type
	// +patchStrategy=merge
	// +patchMergeKey=type
	// +kubebuilder:validation:MaxItems=32
	Conditions []metav1.Condition `json:"conditions,omitempty" patchStrategy:"merge" patchMergeKey:"type"`

	// pipelines that were started for the object, and what they made.
	// +optional
	// +listType=map
	// +listMapKey=name
	// +kubebuilder:validation:MaxItems=16
	Pipelines []PipelineStatus `json:"pipelines,omitempty"`

	// stage sorts the pipelines by how they go.
	// +optional
	Stage MeteorStage `json:"stage,omitzero"`

	// expirationTimestamp is when the Meteor is removed. Empty when it is kept.
	// +optional
	ExpirationTimestamp *metav1.Time `json:"expirationTimestamp,omitempty"`

	// gitCommit is the commit that the newest build was of, in full.
	// +optional
	// +kubebuilder:validation:MaxLength=64
	GitCommit string `json:"gitCommit,omitempty"`

	// site is what the pipeline jupyterbook built last.
	// +optional
	Site *MeteorSite `json:"site,omitempty"`

	// lastRebuild is the annotation meteor.zone/rebuild that was acted on last.
	// +optional
	// +kubebuilder:validation:MaxLength=256
	LastRebuild string `json:"lastRebuild,omitempty"`

	// lastRefreshTime is when the repository was looked at last, or the last
	// refresh began.
	// +optional
	LastRefreshTime *metav1.Time `json:"lastRefreshTime,omitempty"`

	// customNBImageName is the name of the CustomNBImage that the pipeline
	// jupyterhub made.
	// +optional
	// +kubebuilder:validation:MaxLength=253
	CustomNBImageName string `json:"customNBImageName,omitempty"`
}

// Meteor is a repository that is made usable for a while.
//
// +kubebuilder:object:root=true
// +kubebuilder:subresource:status
// +kubebuilder:resource:path=meteors,singular=meteor,categories=opendatahub
// +kubebuilder:printcolumn:name="Phase",type=string,JSONPath=`.status.phase`,description="Where the object is: Building, Succeeded or Failed"
// +kubebuilder:printcolumn:name="Url",type=string,JSONPath=`.spec.url`,description="The repository"
// +kubebuilder:printcolumn:name="Ready",type=string,JSONPath=`.status.conditions[?(@.type=='Ready')].status`,description="Whether all is made"
// +kubebuilder:printcolumn:name="Message",type=string,JSONPath=`.status.conditions[?(@.type=='Ready')].message`,description="What happened or is waited for"
// +kubebuilder:printcolumn:name="Expires",type=string,priority=1,JSONPath=`.status.expirationTimestamp`,description="When the object is removed"
// +kubebuilder:printcolumn:name="Age",type=date,JSONPath=`.metadata.creationTimestamp`,description="Time since the object was created"
// +kubebuilder:validation:XValidation:rule="size(self.metadata.name) <= 63",message="metadata.name has more than 63 characters, which labels and image tags cannot hold: choose a shorter one",fieldPath=".metadata"
type Meteor struct {
	metav1.TypeMeta `json:",inline"`

	// metadata of the object. Its name has at most 63 characters.
	// +optional
	metav1.ObjectMeta `json:"metadata,omitzero"`

	// spec says which repository is made usable, how and for how long.
	// +required
	Spec MeteorSpec `json:"spec"`

	// status says what became of it.
	// +optional
	// +kubebuilder:default:={"observedGeneration":-1,"phase":"Building"}
	Status MeteorStatus `json:"status,omitzero"`
}

// MeteorList is a list of Meteors.
//
// +kubebuilder:object:root=true
type MeteorList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitzero"`

	// items of the list.
	Items []Meteor `json:"items"`
}
