package v1alpha1

import metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

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
