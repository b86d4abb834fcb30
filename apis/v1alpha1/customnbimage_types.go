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

// CustomNBImagePhase is where a CustomNBImage is, in one word.
// +kubebuilder:validation:Enum=Pending;Building;Ready;Failed
type CustomNBImagePhase string

// The phases of a CustomNBImage.
const (
	// PhasePending is before a build: something must happen first, or its turn
	// has not come.
	PhasePending CustomNBImagePhase = "Pending"

	// PhaseBuilding is while a build runs.
	PhaseBuilding CustomNBImagePhase = "Building"

	// PhaseReady is when the image of the current spec has passed.
	PhaseReady CustomNBImagePhase = "Ready"

	// PhaseFailed is when the current spec came to no image and nothing will
	// be tried again without its user.
	PhaseFailed CustomNBImagePhase = "Failed"
)

// CustomNBImageStage is what a build is doing.
// +kubebuilder:validation:Enum=Preparing;Resolving;Building;Importing;Validating
type CustomNBImageStage string

// The stages of a build.
const (
	// StagePreparing fetches what is needed: the repository, the base image's
	// configuration.
	StagePreparing CustomNBImageStage = "Preparing"

	// StageResolving finds the versions of all packages.
	StageResolving CustomNBImageStage = "Resolving"

	// StageBuilding installs, and pushes the image.
	StageBuilding CustomNBImageStage = "Building"

	// StageImporting looks at the image that is imported.
	StageImporting CustomNBImageStage = "Importing"

	// StageValidating runs the image as a notebook.
	StageValidating CustomNBImageStage = "Validating"
)

// BuildCause is why a build was started.
// +kubebuilder:validation:Enum=Created;SpecChanged;Refresh;Rebuild;Retry
type BuildCause string

// The causes of a build.
const (
	// CauseCreated is the object's first build.
	CauseCreated BuildCause = "Created"

	// CauseSpecChanged follows an edit.
	CauseSpecChanged BuildCause = "SpecChanged"

	// CauseRefresh follows from spec.refresh.
	CauseRefresh BuildCause = "Refresh"

	// CauseRebuild was asked for with the annotation meteor.zone/rebuild.
	CauseRebuild BuildCause = "Rebuild"

	// CauseRetry follows a failure that was the platform's.
	CauseRetry BuildCause = "Retry"
)

// SoftwareVersion is a piece of software and its version.
type SoftwareVersion struct {
	// name of the software or package.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=128
	Name string `json:"name"`

	// version of the software or package. Empty when it does not tell.
	// +optional
	// +kubebuilder:validation:MaxLength=128
	Version string `json:"version,omitempty"`
}

// ValidationMessage is one thing that a look at the image found wrong.
type ValidationMessage struct {
	// check that found it.
	// +required
	Check ValidationCheck `json:"check"`

	// severity is error, which keeps the image from being offered, or warning.
	// +required
	Severity ValidationSeverity `json:"severity"`

	// message says what was found.
	// +required
	// +kubebuilder:validation:MaxLength=1024
	Message string `json:"message"`
}

// BuildRecord is what is kept of a build.
type BuildRecord struct {
	// id is the hash of what decided the build.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=63
	ID string `json:"id"`

	// cause is why the build was started.
	// +optional
	Cause BuildCause `json:"cause,omitempty"`

	// result is how the build ended. Empty while it runs.
	// +optional
	Result BuildResult `json:"result,omitempty"`

	// reason is the reason of the Ready condition that the build ended with.
	// +optional
	// +kubebuilder:validation:MaxLength=128
	Reason string `json:"reason,omitempty"`

	// image that the build made, by digest.
	// +optional
	// +kubebuilder:validation:MaxLength=512
	Image string `json:"image,omitempty"`

	// sourceImage is the image, by digest, that was imported or built on.
	// +optional
	// +kubebuilder:validation:MaxLength=512
	SourceImage string `json:"sourceImage,omitempty"`

	// gitCommit is the commit that was built, in full.
	// +optional
	// +kubebuilder:validation:MaxLength=64
	GitCommit string `json:"gitCommit,omitempty"`

	// pipelineRunName is the name of the build's PipelineRun, which retention
	// may have removed since.
	// +optional
	// +kubebuilder:validation:MaxLength=253
	PipelineRunName string `json:"pipelineRunName,omitempty"`

	// startTime is when the build's PipelineRun was created.
	// +optional
	StartTime *metav1.Time `json:"startTime,omitempty"`

	// completionTime is when the build ended.
	// +optional
	CompletionTime *metav1.Time `json:"completionTime,omitempty"`

	// duration is how long the build took, retries included, in whole seconds.
	// +optional
	// +kubebuilder:validation:Type=string
	// +kubebuilder:validation:MaxLength=16
	Duration *metav1.Duration `json:"duration,omitempty"`
}

// CustomNBImageStatus says what became of a CustomNBImage.
type CustomNBImageStatus struct {
	// observedGeneration is the generation of the spec that was wholly acted
	// on. It is -1 until the object was seen for the first time.
	// +optional
	// +kubebuilder:validation:Minimum=-1
	// +kubebuilder:default=-1
	ObservedGeneration int64 `json:"observedGeneration,omitempty"`

	// phase is where the object is, in one word: Pending, Building, Ready or
	// Failed. It follows from the conditions.
	// +optional
	Phase CustomNBImagePhase `json:"phase,omitempty"`

	// stage is what the running build is doing. Empty when none runs.
	// +optional
	Stage CustomNBImageStage `json:"stage,omitempty"`

	// conditions of the object: Ready, Reconciling, Stalled,
	// PipelinesInstalled, ImageBuilt, ImageValidated and ImagePublished.
	// +optional
	// +listType=map
	// +listMapKey=type
	// +patchStrategy=merge
	// +patchMergeKey=type
	// +kubebuilder:validation:MaxItems=16
	Conditions []metav1.Condition `json:"conditions,omitempty" patchStrategy:"merge" patchMergeKey:"type"`

	// image is the image by digest, repository@sha256:…, that passed last.
	// +optional
	// +kubebuilder:validation:MaxLength=512
	Image string `json:"image,omitempty"`

	// sourceImage is the image, by digest, that was imported or built on.
	// +optional
	// +kubebuilder:validation:MaxLength=512
	SourceImage string `json:"sourceImage,omitempty"`

	// imageStreamTag is name:tag of the ImageStreamTag that offers the image.
	// Empty where there are no ImageStreams.
	// +optional
	// +kubebuilder:validation:MaxLength=512
	ImageStreamTag string `json:"imageStreamTag,omitempty"`

	// gitCommit is the commit that was built, in full.
	// +optional
	// +kubebuilder:validation:MaxLength=64
	GitCommit string `json:"gitCommit,omitempty"`

	// software is what was found in the image, such as Python and JupyterLab.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=64
	Software []SoftwareVersion `json:"software,omitempty"`

	// packages are the Python packages that were found in the image, sorted by
	// name, at most 500 of them.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=500
	Packages []SoftwareVersion `json:"packages,omitempty"`

	// packagesTotal is how many Python packages there are in the image.
	// +optional
	// +kubebuilder:validation:Minimum=0
	PackagesTotal int32 `json:"packagesTotal,omitempty"`

	// validation is what the checks of the image found wrong.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=32
	Validation []ValidationMessage `json:"validation,omitempty"`

	// buildID is the hash of what decides the current build.
	// +optional
	// +kubebuilder:validation:MaxLength=63
	BuildID string `json:"buildID,omitempty"`

	// pipelineRunName is the name of the current build's PipelineRun.
	// +optional
	// +kubebuilder:validation:MaxLength=253
	PipelineRunName string `json:"pipelineRunName,omitempty"`

	// retries is how often the current build was tried again because of a
	// failure that was the platform's.
	// +optional
	// +kubebuilder:validation:Minimum=0
	Retries int32 `json:"retries,omitempty"`

	// nextRetryTime is when the current build is tried again.
	// +optional
	NextRetryTime *metav1.Time `json:"nextRetryTime,omitempty"`

	// lastRefreshTime is when the source was last looked at, or the image last
	// built, because of spec.refresh.
	// +optional
	LastRefreshTime *metav1.Time `json:"lastRefreshTime,omitempty"`

	// lastRebuild is the value of the annotation meteor.zone/rebuild that was
	// last acted on.
	// +optional
	// +kubebuilder:validation:MaxLength=256
	LastRebuild string `json:"lastRebuild,omitempty"`

	// lastCancel is the value of the annotation meteor.zone/cancel that was
	// last acted on.
	// +optional
	// +kubebuilder:validation:MaxLength=256
	LastCancel string `json:"lastCancel,omitempty"`

	// builds are the last builds, the newest first.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=5
	Builds []BuildRecord `json:"builds,omitempty"`

	// pipelines that were started for the object.
	// +optional
	// +listType=map
	// +listMapKey=name
	// +kubebuilder:validation:MaxItems=16
	Pipelines []PipelineStatus `json:"pipelines,omitempty"`
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
