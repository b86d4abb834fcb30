package v1alpha1

// Condition types of all kinds.
const (
	// ConditionReady sums up. It is True when the current spec was wholly acted
	// on and what it asks for is there.
	ConditionReady = "Ready"

	// ConditionReconciling is there, and True, while something is done or
	// waited for about the current spec.
	ConditionReconciling = "Reconciling"

	// ConditionStalled is there, and True, when nothing more will be tried
	// until somebody changes something.
	ConditionStalled = "Stalled"
)

// Condition types of a CustomNBImage. ConditionPipelinesInstalled is a
// Meteor's too.
const (
	// ConditionPipelinesInstalled is True when the object's namespace has the
	// pipelines that it needs.
	ConditionPipelinesInstalled = "PipelinesInstalled"

	// ConditionImageBuilt is True when there is an image: built and pushed, or
	// found where it is imported from.
	ConditionImageBuilt = "ImageBuilt"

	// ConditionImageValidated is True when the image started as a notebook and
	// passed all checks that are errors.
	ConditionImageValidated = "ImageValidated"

	// ConditionImagePublished is True when the image is offered: by an
	// ImageStream or, where there are none, by its reference in the status.
	ConditionImagePublished = "ImagePublished"
)

// Condition types of a CNBiConfig.
const (
	// ConditionTektonAvailable is True when the cluster has Tekton Pipelines.
	ConditionTektonAvailable = "TektonAvailable"

	// ConditionImageStreamsAvailable is True when the cluster has ImageStreams.
	ConditionImageStreamsAvailable = "ImageStreamsAvailable"

	// ConditionRoutesAvailable is True when the cluster has Routes.
	ConditionRoutesAvailable = "RoutesAvailable"

	// ConditionNamespacesReady is True when every namespace that should have
	// the pipelines has them.
	ConditionNamespacesReady = "NamespacesReady"
)

// Reasons for which it is nobody's turn: all is well, or goes on by itself.
const (
	// ReasonSucceeded is the reason of every condition that is True.
	ReasonSucceeded = "Succeeded"

	// ReasonWaitingForPipelines is while the namespace is given its pipelines.
	ReasonWaitingForPipelines = "WaitingForPipelines"

	// ReasonQueuedBehind is while other builds of the namespace go first.
	ReasonQueuedBehind = "QueuedBehind"

	// ReasonPreparing is while what the build needs is fetched.
	ReasonPreparing = "Preparing"

	// ReasonResolving is while the versions of all packages are found.
	ReasonResolving = "Resolving"

	// ReasonBuilding is while packages are installed and the image is pushed.
	ReasonBuilding = "Building"

	// ReasonImporting is while the image that is imported is looked at.
	ReasonImporting = "Importing"

	// ReasonValidating is while the image runs as a notebook.
	ReasonValidating = "Validating"

	// ReasonNotPublished is when the image is offered by its reference in the
	// status alone, since the cluster has no ImageStreams.
	ReasonNotPublished = "NotPublished"

	// ReasonPublishingDisabled is when the image is offered by its reference in
	// the status alone, since the CNBiConfig says so.
	ReasonPublishingDisabled = "PublishingDisabled"

	// ReasonExpired is when a Meteor's ttl has passed and it is removed.
	ReasonExpired = "Expired"

	// ReasonExpiring is when a Meteor is soon removed: who still needs it raises
	// spec.ttl.
	ReasonExpiring = "Expiring"

	// ReasonServing is while a Meteor's site that was built is started.
	ReasonServing = "Serving"

	// ReasonInstalling is while namespaces are given their pipelines.
	ReasonInstalling = "Installing"

	// ReasonRemoving is while the pipelines are taken away, which waits for the
	// builds that run.
	ReasonRemoving = "Removing"
)

// Reasons for which it is the user's turn.
const (
	// ReasonSuspended is while spec.suspend is set: the user unsets it.
	ReasonSuspended = "Suspended"

	// ReasonSecretMissing is while a Secret that the spec names is not there:
	// the user creates it, and the object goes on by itself.
	ReasonSecretMissing = "SecretMissing"

	// ReasonInvalidSpec is when the spec asks for what cannot be: the user
	// edits it.
	ReasonInvalidSpec = "InvalidSpec"

	// ReasonInvalidReference is when the name of an image is none: the user
	// edits it.
	ReasonInvalidReference = "InvalidReference"

	// ReasonImageNotFound is when the registry does not know the image: the
	// user corrects the reference, or pushes the image.
	ReasonImageNotFound = "ImageNotFound"

	// ReasonImagePullUnauthorized is when the registry does not hand out the
	// image: the user names a Secret in spec.imagePullSecret that it accepts.
	ReasonImagePullUnauthorized = "ImagePullUnauthorized"

	// ReasonImagePlatformUnsupported is when the image is not for the cluster's
	// architecture: the user chooses another.
	ReasonImagePlatformUnsupported = "ImagePlatformUnsupported"

	// ReasonImageInvalid is when what was found is no image that could start:
	// the user chooses another.
	ReasonImageInvalid = "ImageInvalid"

	// ReasonValidationFailed is when the image does not do what a notebook
	// image must do: the user mends the image. The checks that failed are in
	// status.validation.
	ReasonValidationFailed = "ValidationFailed"

	// ReasonPackageNotFound is when a package, or the version asked for, is not
	// in the index: the user edits the packages.
	ReasonPackageNotFound = "PackageNotFound"

	// ReasonPackageConflict is when packages exclude each other: the user edits
	// the packages.
	ReasonPackageConflict = "PackageConflict"

	// ReasonPackageBuildFailed is when a package could not be built from
	// source: the user chooses another version or base image.
	ReasonPackageBuildFailed = "PackageBuildFailed"

	// ReasonBuildFailed is when something that the repository asks to be run
	// failed, such as postBuild or a line of a Containerfile: the user mends it.
	ReasonBuildFailed = "BuildFailed"

	// ReasonLimitExceeded is when the build took more memory, storage or
	// processes than it may: the user raises spec.resources, or asks for less.
	ReasonLimitExceeded = "LimitExceeded"

	// ReasonRuntimeEnvironmentNotFound is when the CNBiConfig has no such
	// runtime environment: the user chooses one that it has, or has it added.
	ReasonRuntimeEnvironmentNotFound = "RuntimeEnvironmentNotFound"

	// ReasonGitAuthenticationFailed is when the git server does not hand out
	// the repository, or there is none: the user corrects spec.gitSecret or the
	// URL.
	ReasonGitAuthenticationFailed = "GitAuthenticationFailed"

	// ReasonGitRefNotFound is when the repository has no such branch, tag or
	// commit: the user corrects it.
	ReasonGitRefNotFound = "GitRefNotFound"

	// ReasonUnsupportedFile is when a file in the repository asks for what
	// cannot be honoured: the user changes the file.
	ReasonUnsupportedFile = "UnsupportedFile"

	// ReasonBuildTimeout is when the build took longer than it may: the user
	// sets spec.timeout, or asks for less.
	ReasonBuildTimeout = "BuildTimeout"

	// ReasonBuildCancelled is when somebody cancelled the build, by the
	// annotation meteor.zone/cancel or in Tekton: the user asks for another.
	ReasonBuildCancelled = "BuildCancelled"

	// ReasonConflictingObject is when an object that the operator does not own
	// has the name that it needs: the user removes or renames one of the two.
	ReasonConflictingObject = "ConflictingObject"

	// ReasonPipelineNotFound is when a Meteor lists a Pipeline that the
	// namespace does not have: the user creates it or edits the list.
	ReasonPipelineNotFound = "PipelineNotFound"

	// ReasonBookNotFound is when a Meteor's repository holds nothing that a book
	// could be made of: the user adds notebooks or text to it, or takes
	// jupyterbook out of spec.pipelines.
	ReasonBookNotFound = "BookNotFound"

	// ReasonPipelineFailed is when a Pipeline that is not the operator's own
	// failed: the user looks at its PipelineRun.
	ReasonPipelineFailed = "PipelineFailed"
)

// Reasons for which it is the platform's turn: it is tried again by itself, or
// goes on by itself when an admin has changed something.
const (
	// ReasonTektonUnavailable is while the cluster has no Tekton Pipelines: an
	// admin installs them, and everything goes on by itself.
	ReasonTektonUnavailable = "TektonUnavailable"

	// ReasonImageStreamsUnavailable is while the CNBiConfig wants ImageStreams
	// and the cluster has none.
	ReasonImageStreamsUnavailable = "ImageStreamsUnavailable"

	// ReasonRoutesUnavailable is while the cluster has no Routes, which nothing
	// waits for.
	ReasonRoutesUnavailable = "RoutesUnavailable"

	// ReasonUnmanaged is while the CNBiConfig's managementState is Unmanaged or
	// Removed and the namespace lacks its pipelines: an admin changes it.
	ReasonUnmanaged = "Unmanaged"

	// ReasonNamespaceExcluded is while the CNBiConfig gives the namespace no
	// pipelines: an admin changes it.
	ReasonNamespaceExcluded = "NamespaceExcluded"

	// ReasonNamespacesFailing is while some namespaces could not be given their
	// pipelines.
	ReasonNamespacesFailing = "NamespacesFailing"

	// ReasonSourceMissing is while a Secret or ConfigMap that the CNBiConfig has
	// copied from the operator's namespace is not there, or lacks what it should
	// hold: an admin mends it.
	ReasonSourceMissing = "SourceMissing"

	// ReasonProgressingWithRetry is while something unexpected is tried again,
	// or while it cannot be told which APIs the cluster has.
	ReasonProgressingWithRetry = "ProgressingWithRetry"

	// ReasonRegistryUnavailable is while a registry does not answer as it
	// should; the build is tried again.
	ReasonRegistryUnavailable = "RegistryUnavailable"

	// ReasonRegistryPushUnauthorized is while the registry does not take the
	// image: an admin corrects the CNBiConfig's spec.registry; the build is
	// tried again.
	ReasonRegistryPushUnauthorized = "RegistryPushUnauthorized"

	// ReasonRegistryNotConfigured is while there is no registry that built
	// images could go to: an admin sets spec.registry.repository of the
	// CNBiConfig, and everything goes on by itself.
	ReasonRegistryNotConfigured = "RegistryNotConfigured"

	// ReasonPackageIndexUnavailable is while the package index does not answer
	// as it should; the build is tried again.
	ReasonPackageIndexUnavailable = "PackageIndexUnavailable"

	// ReasonGitUnreachable is while the git server does not answer as it
	// should; the build is tried again.
	ReasonGitUnreachable = "GitUnreachable"

	// ReasonNodeLost is while a build is tried again whose pod went away.
	ReasonNodeLost = "NodeLost"

	// ReasonPodUnschedulable is while no node takes a pod of the build.
	ReasonPodUnschedulable = "PodUnschedulable"

	// ReasonPodSecurityViolation is when the namespace's Pod Security Standard,
	// or the cluster's policy, refuses a pod of the build: an admin changes the
	// setting that the message names.
	ReasonPodSecurityViolation = "PodSecurityViolation"

	// ReasonQuotaExceeded is while the namespace's quota refuses a pod of the
	// build; it is tried again.
	ReasonQuotaExceeded = "QuotaExceeded"

	// ReasonBookImageNotConfigured is while there is no image that books could be
	// built in: an admin sets spec.images.jupyterBook of the CNBiConfig, and
	// everything goes on by itself.
	ReasonBookImageNotConfigured = "BookImageNotConfigured"

	// ReasonSiteUnavailable is while the pod that serves a Meteor's site does not
	// get ready.
	ReasonSiteUnavailable = "SiteUnavailable"

	// ReasonRetriesExhausted is when a failure that was the platform's was
	// tried again as often as it may be: an admin mends the cause, and somebody
	// asks for another build.
	ReasonRetriesExhausted = "RetriesExhausted"

	// ReasonInternalError is while a fault of the operator's own is tried
	// again.
	ReasonInternalError = "InternalError"
)

// Turn is who must act for something to change.
type Turn string

// Those who can have to act.
const (
	// TurnNobody is when all is well, or goes on by itself.
	TurnNobody Turn = "Nobody"

	// TurnUser is when the object's user must act.
	TurnUser Turn = "User"

	// TurnPlatform is when the platform must recover, or its admin act.
	TurnPlatform Turn = "Platform"
)

// TurnOf returns who must act when a condition has the reason. For a reason
// that is not of this API it is the platform.
func TurnOf(reason string) Turn {
	switch reason {
	case ReasonSucceeded, ReasonWaitingForPipelines, ReasonQueuedBehind,
		ReasonPreparing, ReasonResolving, ReasonBuilding, ReasonImporting,
		ReasonValidating, ReasonNotPublished, ReasonPublishingDisabled,
		ReasonExpired, ReasonInstalling, ReasonRemoving,
		ReasonExpiring, ReasonServing:
		return TurnNobody
	case ReasonSuspended, ReasonSecretMissing, ReasonInvalidSpec,
		ReasonInvalidReference, ReasonImageNotFound, ReasonImagePullUnauthorized,
		ReasonImagePlatformUnsupported, ReasonImageInvalid,
		ReasonValidationFailed, ReasonPackageNotFound, ReasonPackageConflict,
		ReasonPackageBuildFailed, ReasonBuildFailed, ReasonLimitExceeded,
		ReasonRuntimeEnvironmentNotFound,
		ReasonGitAuthenticationFailed, ReasonGitRefNotFound,
		ReasonUnsupportedFile, ReasonBuildTimeout, ReasonBuildCancelled,
		ReasonConflictingObject, ReasonPipelineNotFound, ReasonBookNotFound,
		ReasonPipelineFailed:
		return TurnUser
	}
	return TurnPlatform
}
