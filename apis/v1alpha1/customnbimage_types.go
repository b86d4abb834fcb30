package v1alpha1

import (
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// BuildType is how an image comes to be.
// +kubebuilder:validation:Enum=ImageImport;ImportImage;PackageList;GitRepository
type BuildType string

// The ways in which an image can come to be.
const (
	// BuildTypeImageImport takes an image that exists, as it is.
	BuildTypeImageImport BuildType = "ImageImport"

	// BuildTypeImportImage is the older spelling of ImageImport.
	BuildTypeImportImage BuildType = "ImportImage"

	// BuildTypePackageList adds Python packages to an image.
	BuildTypePackageList BuildType = "PackageList"

	// BuildTypeGitRepository builds what a git repository asks for.
	BuildTypeGitRepository BuildType = "GitRepository"
)

// RefreshPolicy is when an image is built again without an edit.
// +kubebuilder:validation:Enum=Never;OnSourceChange;Interval
type RefreshPolicy string

// The refresh policies.
const (
	// RefreshNever builds again only when the object is edited.
	RefreshNever RefreshPolicy = "Never"

	// RefreshOnSourceChange builds again when the tag of the source or base
	// image points to another digest, or the git branch to another commit.
	RefreshOnSourceChange RefreshPolicy = "OnSourceChange"

	// RefreshInterval builds again when the interval has passed.
	RefreshInterval RefreshPolicy = "Interval"
)

// RefreshSpec says when an image is built again without an edit.
//
// +kubebuilder:validation:XValidation:rule="!has(self.policy) || self.policy != 'Interval' || has(self.interval)",message="policy Interval needs refresh.interval, such as 24h",fieldPath=".interval",reason="FieldValueRequired"
// +kubebuilder:validation:XValidation:rule="!has(self.interval) || has(self.policy) && self.policy != 'Never'",message="refresh.interval has no effect with policy Never: remove it, or set refresh.policy to OnSourceChange or Interval",fieldPath=".interval",reason="FieldValueForbidden"
type RefreshSpec struct {
	// policy is Never, OnSourceChange (when the tag of the source or base image
	// points to another digest, or the git branch to another commit) or
	// Interval (each time when interval has passed). The default is Never.
	// +optional
	// +kubebuilder:default=Never
	Policy RefreshPolicy `json:"policy,omitempty"`

	// interval is the time between two builds for the policy Interval, and
	// between two looks at the source for OnSourceChange, where the default is
	// one hour. From 10m to 8760h.
	// +optional
	// +kubebuilder:validation:Type=string
	// +kubebuilder:validation:MaxLength=16
	// +kubebuilder:validation:XValidation:rule="self.matches('^([0-9]{1,6}(s|m|h))+$') && duration(self) >= duration('10m') && duration(self) <= duration('8760h')",message="refresh.interval is a duration from 10m to 8760h, such as 24h or 1h30m"
	Interval *metav1.Duration `json:"interval,omitempty"`
}

// CustomNBImageSpec says which notebook image is wanted.
//
// +kubebuilder:validation:XValidation:rule="!(self.buildType in ['ImageImport', 'ImportImage']) || has(self.fromImage)",message="fromImage is missing: name the image that ImageImport takes",fieldPath=".fromImage",reason="FieldValueRequired"
// +kubebuilder:validation:XValidation:rule="self.buildType in ['ImageImport', 'ImportImage'] || !has(self.fromImage)",message="fromImage belongs to buildType ImageImport: remove it; the image to build on is builderImage",fieldPath=".fromImage",reason="FieldValueForbidden"
// +kubebuilder:validation:XValidation:rule="!(self.buildType in ['ImageImport', 'ImportImage']) || !has(self.runtimeEnvironment)",message="runtimeEnvironment belongs to the buildTypes PackageList and GitRepository: remove it",fieldPath=".runtimeEnvironment",reason="FieldValueForbidden"
// +kubebuilder:validation:XValidation:rule="!(self.buildType in ['ImageImport', 'ImportImage']) || !has(self.builderImage)",message="builderImage belongs to the buildTypes PackageList and GitRepository: remove it; the image to import is fromImage",fieldPath=".builderImage",reason="FieldValueForbidden"
// +kubebuilder:validation:XValidation:rule="!(self.buildType in ['ImageImport', 'ImportImage']) || !has(self.baseImage)",message="baseImage belongs to the buildTypes PackageList and GitRepository: remove it; the image to import is fromImage",fieldPath=".baseImage",reason="FieldValueForbidden"
// +kubebuilder:validation:XValidation:rule="self.buildType != 'PackageList' || has(self.packageVersions) && size(self.packageVersions) > 0",message="packageVersions is missing: name at least one package for buildType PackageList",fieldPath=".packageVersions",reason="FieldValueRequired"
// +kubebuilder:validation:XValidation:rule="self.buildType == 'PackageList' || !has(self.packageVersions) || size(self.packageVersions) == 0",message="packageVersions belongs to buildType PackageList: remove it, or choose that buildType",fieldPath=".packageVersions",reason="FieldValueForbidden"
// +kubebuilder:validation:XValidation:rule="self.buildType != 'GitRepository' || has(self.repositoryUrl) || has(self.repository)",message="repositoryUrl is missing: name the repository that GitRepository builds from",fieldPath=".repositoryUrl",reason="FieldValueRequired"
// +kubebuilder:validation:XValidation:rule="self.buildType == 'GitRepository' || !has(self.repositoryUrl)",message="repositoryUrl belongs to buildType GitRepository: remove it, or choose that buildType",fieldPath=".repositoryUrl",reason="FieldValueForbidden"
// +kubebuilder:validation:XValidation:rule="self.buildType == 'GitRepository' || !has(self.repository)",message="repository belongs to buildType GitRepository: remove it, or choose that buildType",fieldPath=".repository",reason="FieldValueForbidden"
// +kubebuilder:validation:XValidation:rule="self.buildType == 'GitRepository' || !has(self.gitRef)",message="gitRef belongs to buildType GitRepository: remove it, or choose that buildType",fieldPath=".gitRef",reason="FieldValueForbidden"
// +kubebuilder:validation:XValidation:rule="self.buildType == 'GitRepository' || !has(self.gitSecret)",message="gitSecret belongs to buildType GitRepository: remove it, or choose that buildType",fieldPath=".gitSecret",reason="FieldValueForbidden"
// +kubebuilder:validation:XValidation:rule="!has(self.builderImage) || !has(self.baseImage) || self.builderImage == self.baseImage",message="baseImage is the older name of builderImage and says something else: keep one of the two",fieldPath=".baseImage",reason="FieldValueInvalid"
// +kubebuilder:validation:XValidation:rule="!has(self.repositoryUrl) || !has(self.repository) || self.repositoryUrl == self.repository",message="repository is the older name of repositoryUrl and says something else: keep one of the two",fieldPath=".repository",reason="FieldValueInvalid"
// +kubebuilder:validation:XValidation:rule="self.buildType in ['ImageImport', 'ImportImage'] || !has(self.runtimeEnvironment) || !has(self.builderImage) && !has(self.baseImage)",message="runtimeEnvironment and builderImage (or baseImage) both say what to build on: keep one of the two",fieldPath=".runtimeEnvironment",reason="FieldValueInvalid"
// +kubebuilder:validation:XValidation:rule="self.buildType != 'PackageList' || has(self.runtimeEnvironment) || has(self.builderImage) || has(self.baseImage)",message="PackageList needs an image to build on: set runtimeEnvironment or builderImage",fieldPath=".builderImage",reason="FieldValueRequired"
// +kubebuilder:validation:XValidation:rule="!has(self.gitSecret) || !(has(self.repositoryUrl) && self.repositoryUrl.startsWith('http://') || has(self.repository) && self.repository.startsWith('http://'))",message="gitSecret would be sent unencrypted: use https:// or ssh:// in repositoryUrl, or remove gitSecret",fieldPath=".gitSecret",reason="FieldValueInvalid"
type CustomNBImageSpec struct {
	// buildType is ImageImport (an image that exists, as it is), PackageList
	// (an image and more Python packages) or GitRepository (whatever a
	// repository asks for). ImportImage is the older spelling of ImageImport.
	// +required
	BuildType BuildType `json:"buildType"`

	// fromImage is the image that buildType ImageImport takes.
	// +optional
	FromImage ImageReference `json:"fromImage,omitempty"`

	// runtimeEnvironment is what to build on, by operating system and Python,
	// for the buildTypes PackageList and GitRepository. The images that there
	// are stand in the cluster's CNBiConfig.
	// +optional
	RuntimeEnvironment *RuntimeEnvironment `json:"runtimeEnvironment,omitempty"`

	// builderImage is an image to build on, instead of runtimeEnvironment, for
	// the buildTypes PackageList and GitRepository.
	// +optional
	BuilderImage ImageReference `json:"builderImage,omitempty"`

	// baseImage is the older name of builderImage and means the same.
	// +optional
	BaseImage ImageReference `json:"baseImage,omitempty"`

	// packageVersions are the Python packages that buildType PackageList
	// installs, each a PEP 508 requirement such as pandas or
	// boto3[crt]>=1.24,<2; python_version >= "3.9". Options, URLs and paths
	// are refused. At most 256, of 256 characters each.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=256
	// +kubebuilder:validation:items:MaxLength=256
	// +kubebuilder:validation:items:XValidation:rule="!self.startsWith('-')",message="an option of the installer has no place in packageVersions: name packages only; package indexes are set by an admin in CNBiConfig, spec.packageIndex"
	// +kubebuilder:validation:items:XValidation:rule="self.startsWith('-') || !self.matches('^[^;]*(@|://)')",message="packageVersions has a URL in it: name the package and its version in the package index, as in boto3==1.24.0"
	// +kubebuilder:validation:items:XValidation:rule="self.startsWith('-') || self.matches('^[^;]*(@|://)') || !self.matches('^[^;]*[/\\\\\\\\]|^[.~]|^[^;]*[.](whl|zip|tar|tgz|tar[.](gz|bz2|xz)) *(;|$)')",message="packageVersions has a path or a file in it: name the package and its version in the package index, as in boto3==1.24.0"
	// +kubebuilder:validation:items:XValidation:rule="!self.matches('^ *[A-Za-z0-9][A-Za-z0-9._-]* *(\\\\[[^\\\\]]*\\\\])? *=[^=>]')",message="packageVersions has a single '=' in it: write two, as in boto3==1.24.0"
	// +kubebuilder:validation:items:XValidation:rule="self.matches('^-|^[^;]*(@|[/\\\\\\\\])|^[.~]|^[^;]*[.](whl|zip|tar|tgz|tar[.](gz|bz2|xz)) *(;|$)|^ *[A-Za-z0-9][A-Za-z0-9._-]* *(\\\\[[^\\\\]]*\\\\])? *=[^=>]') || !self.matches('[ \\t]$') && self.matches('^[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?[ \\t]*(\\\\[[ \\t]*([A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?[ \\t]*(,[ \\t]*[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?[ \\t]*)*)?\\\\])?[ \\t]*([(]?[ \\t]*(===?|~=|!=|[<>]=?)[ \\t]*[A-Za-z0-9_.*+!-]+[ \\t]*(,[ \\t]*(===?|~=|!=|[<>]=?)[ \\t]*[A-Za-z0-9_.*+!-]+[ \\t]*)*[)]?)?[ \\t]*(;[ \\t(]*([a-z_]+|\\x27[^\\x27\\x22]*\\x27|\\x22[^\\x27\\x22]*\\x22)[ \\t]*(===?|~=|!=|[<>]=?|in|not[ \\t]+in)[ \\t]*([a-z_]+|\\x27[^\\x27\\x22]*\\x27|\\x22[^\\x27\\x22]*\\x22)[ \\t)]*((and|or)[ \\t(]*([a-z_]+|\\x27[^\\x27\\x22]*\\x27|\\x22[^\\x27\\x22]*\\x22)[ \\t]*(===?|~=|!=|[<>]=?|in|not[ \\t]+in)[ \\t]*([a-z_]+|\\x27[^\\x27\\x22]*\\x27|\\x22[^\\x27\\x22]*\\x22)[ \\t)]*)*)?$')",message="packageVersions has an entry that is not a PEP 508 requirement: write a name, then extras, versions and a marker as needed, as in boto3[crt]>=1.24,<2; python_version >= '3.9'"
	PackageVersions []string `json:"packageVersions,omitempty"`

	// repositoryUrl is the git repository that buildType GitRepository builds
	// from: https://host/path, ssh://user@host/path or user@host:path.
	// +optional
	RepositoryURL RepositoryURL `json:"repositoryUrl,omitempty"`

	// repository is the older name of repositoryUrl and means the same.
	// +optional
	Repository RepositoryURL `json:"repository,omitempty"`

	// gitRef is the branch, tag or commit to build. Without it, it is the
	// repository's default branch.
	// +optional
	GitRef GitReference `json:"gitRef,omitempty"`

	// imagePullSecret names a Secret of type kubernetes.io/dockerconfigjson, in
	// the object's own namespace, that fromImage or builderImage is pulled with.
	// +optional
	ImagePullSecret *LocalSecretReference `json:"imagePullSecret,omitempty"`

	// gitSecret names a Secret of type kubernetes.io/basic-auth or
	// kubernetes.io/ssh-auth, in the object's own namespace, that the
	// repository is cloned with.
	// +optional
	GitSecret *LocalSecretReference `json:"gitSecret,omitempty"`

	// timeout is how long one build may take, from 1m to 24h. Without it, it is
	// the CNBiConfig's spec.build.timeout.
	// +optional
	// +kubebuilder:validation:Type=string
	// +kubebuilder:validation:MaxLength=16
	// +kubebuilder:validation:XValidation:rule="self.matches('^([0-9]{1,6}(s|m|h))+$') && duration(self) >= duration('1m') && duration(self) <= duration('24h')",message="timeout is a duration from 1m to 24h, such as 45m or 1h30m"
	Timeout *metav1.Duration `json:"timeout,omitempty"`

	// resources are what the pods of a build request and are limited to, of
	// cpu, memory and ephemeral-storage. The image under validation runs within
	// them too. Without it, they are the CNBiConfig's spec.build.resources.
	// +optional
	// +kubebuilder:validation:XValidation:rule="!has(self.requests) || size(self.requests) == ['cpu', 'memory', 'ephemeral-storage'].filter(name, name in self.requests).size()",message="resources.requests has a resource other than cpu, memory and ephemeral-storage: remove it",fieldPath=".requests",reason="FieldValueForbidden"
	// +kubebuilder:validation:XValidation:rule="!has(self.requests) || !['cpu', 'memory', 'ephemeral-storage'].exists(name, name in self.requests && string(self.requests[name]).matches('^-|e|E.'))",message="resources.requests has an amount that is negative or has an exponent: write a number and a unit, as in 500m or 2Gi",fieldPath=".requests",reason="FieldValueInvalid"
	// +kubebuilder:validation:XValidation:rule="!has(self.limits) || size(self.limits) == ['cpu', 'memory', 'ephemeral-storage'].filter(name, name in self.limits).size()",message="resources.limits has a resource other than cpu, memory and ephemeral-storage: remove it",fieldPath=".limits",reason="FieldValueForbidden"
	// +kubebuilder:validation:XValidation:rule="!has(self.limits) || !['cpu', 'memory', 'ephemeral-storage'].exists(name, name in self.limits && string(self.limits[name]).matches('^-|e|E.'))",message="resources.limits has an amount that is negative or has an exponent: write a number and a unit, as in 500m or 2Gi",fieldPath=".limits",reason="FieldValueInvalid"
	// +kubebuilder:validation:XValidation:rule="!has(self.claims)",message="resources.claims is not supported: set requests and limits only",fieldPath=".claims",reason="FieldValueForbidden"
	Resources *corev1.ResourceRequirements `json:"resources,omitempty"`

	// suspend stops new builds from being started and a running one from going
	// on. What has been built stays.
	// +optional
	Suspend bool `json:"suspend,omitempty"`

	// refresh says when to build again without an edit of the object.
	// +optional
	Refresh *RefreshSpec `json:"refresh,omitempty"`
}

// CustomNBImage is the wish for a notebook image: one that exists, one with
// more Python packages, or one that a git repository describes.
//
// +kubebuilder:object:root=true
// +kubebuilder:subresource:status
// +kubebuilder:resource:path=customnbimages,singular=customnbimage,shortName=cnbi,categories=opendatahub
// +kubebuilder:printcolumn:name="Type",type=string,JSONPath=`.spec.buildType`,description="How the image comes to be"
// +kubebuilder:printcolumn:name="Phase",type=string,JSONPath=`.status.phase`,description="Where the object is: Pending, Building, Ready or Failed"
// +kubebuilder:printcolumn:name="Stage",type=string,JSONPath=`.status.stage`,description="What the running build is doing"
// +kubebuilder:printcolumn:name="Message",type=string,JSONPath=`.status.conditions[?(@.type=='Ready')].message`,description="What happened or is waited for"
// +kubebuilder:printcolumn:name="Reason",type=string,priority=1,JSONPath=`.status.conditions[?(@.type=='Ready')].reason`,description="The reason of the Ready condition"
// +kubebuilder:printcolumn:name="Image",type=string,priority=1,JSONPath=`.status.image`,description="The image by digest"
// +kubebuilder:printcolumn:name="Age",type=date,JSONPath=`.metadata.creationTimestamp`,description="Time since the object was created"
// +kubebuilder:validation:XValidation:rule="size(self.metadata.name) <= 63",message="metadata.name has more than 63 characters, which labels and image tags cannot hold: choose a shorter one",fieldPath=".metadata"
type CustomNBImage struct {
	metav1.TypeMeta `json:",inline"`

	// metadata of the object. Its name has at most 63 characters. The
	// annotations opendatahub.io/notebook-image-name, -desc and -creator say
	// how the image is presented.
	// +optional
	metav1.ObjectMeta `json:"metadata,omitzero"`

	// spec says which image is wanted.
	// +required
	Spec CustomNBImageSpec `json:"spec"`

	// status says what became of it.
	// +optional
	// +kubebuilder:default:={"observedGeneration":-1,"phase":"Pending"}
	Status CustomNBImageStatus `json:"status,omitzero"`
}

// CustomNBImageList is a list of CustomNBImages.
//
// +kubebuilder:object:root=true
type CustomNBImageList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitzero"`

	// items of the list.
	Items []CustomNBImage `json:"items"`
}
