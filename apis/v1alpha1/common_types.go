package v1alpha1

// ImageReference names a container image, such as quay.io/org/image:tag,
// host:5000/org/image@sha256:… or, for Docker Hub, just image.
//
// +kubebuilder:validation:MaxLength=512
// +kubebuilder:validation:XValidation:rule="!self.matches('[^!-~]')",message="image reference has a blank, an invisible or a non-ASCII character in it: remove it, whether before, inside or after the reference"
// +kubebuilder:validation:XValidation:rule="self.matches('[^!-~]') || !self.contains('://')",message="image reference has a scheme in front: leave out everything up to '://', as in quay.io/org/image:tag"
// +kubebuilder:validation:XValidation:rule="self.matches('[^!-~]') || self.contains('://') || !self.matches('^[^@]*[A-Z][^@]*/|^([^@]*/)?[^:@/]*[A-Z]')",message="image reference has an upper-case letter before its tag: write registry and repository in lower case, as in quay.io/org/image:Tag"
// +kubebuilder:validation:XValidation:rule="self.matches('[^!-~]') || self.contains('://') || !self.contains('@') || self.matches('^[^@]+@sha256:[0-9a-f]{64}$')",message="image reference has a malformed digest: write @sha256: and 64 lower-case hexadecimal digits, or name a tag instead"
// +kubebuilder:validation:XValidation:rule="self.matches('[^!-~]') || self.contains('://') || self.matches('^[^@]*[A-Z][^@]*/|^([^@]*/)?[^:@/]*[A-Z]') || self.contains('@') && !self.matches('^[^@]+@sha256:[0-9a-f]{64}$') || self.matches('^(([a-z0-9]([a-z0-9-]*[a-z0-9])?([.][a-z0-9]([a-z0-9-]*[a-z0-9])?)*|\\\\[[0-9a-f:]+\\\\])(:[0-9]{1,5})?/)?[a-z0-9]+(([.]|_{1,2}|-+)[a-z0-9]+)*(/[a-z0-9]+(([.]|_{1,2}|-+)[a-z0-9]+)*)*(:[A-Za-z0-9_][A-Za-z0-9_.-]{0,127})?(@.*)?$')",message="not an image reference: write [registry[:port]/]repository[:tag][@sha256:digest], as in quay.io/org/image:tag"
type ImageReference string

// RepositoryURL is where a git repository is cloned from: an https://,
// http:// or ssh:// URL, or user@host:path.
//
// +kubebuilder:validation:MaxLength=1024
// +kubebuilder:validation:XValidation:rule="!self.matches('[^!-~]')",message="repository URL has a blank, an invisible or a non-ASCII character in it: remove it, or write it percent-encoded"
// +kubebuilder:validation:XValidation:rule="self.matches('[^!-~]') || !self.matches('^[A-Za-z][A-Za-z0-9+.-]*://[^/?#]*:[^/?#]*@|^[Hh][Tt][Tt][Pp][Ss]?://[^/?#]*@')",message="repository URL has credentials in it: take them out and put them into a Secret that gitSecret names"
// +kubebuilder:validation:XValidation:rule="self.matches('[^!-~]') || self.matches('^[A-Za-z][A-Za-z0-9+.-]*://[^/?#]*:[^/?#]*@|^[Hh][Tt][Tt][Pp][Ss]?://[^/?#]*@') || self.matches('^https?://([A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?|\\\\[[0-9A-Fa-f:]+\\\\])(:[0-9]{1,5})?/[^?#]+$|^ssh://([A-Za-z0-9_][A-Za-z0-9_.-]*@)?([A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?|\\\\[[0-9A-Fa-f:]+\\\\])(:[0-9]{1,5})?/[^?#]+$|^[A-Za-z0-9_][A-Za-z0-9_.-]*@[A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?:[^?#-][^?#]*$')",message="not the URL of a git repository: write https://host/path, ssh://user@host/path or user@host:path"
type RepositoryURL string

// GitReference is a branch, a tag or a commit.
//
// +kubebuilder:validation:MaxLength=255
// +kubebuilder:validation:XValidation:rule="!self.startsWith('-')",message="git reference starts with '-': name a branch, a tag or a commit"
// +kubebuilder:validation:XValidation:rule="self.startsWith('-') || self.matches('^[^\\\\x00-\\\\x20\\\\x7f~^:?*\\\\[\\\\\\\\]+$') && !self.matches('[.][.]|@[{]|//|^[/.]|/[.]|[/.]$|[.]lock(/|$)|^@$')",message="not a git reference: name a branch, a tag or a commit, without blanks, '..', '@{', '//' or any of ~ ^ : ? * [ and backslash"
type GitReference string

// LocalSecretReference names a Secret in the object's own namespace.
type LocalSecretReference struct {
	// name of the Secret, in the object's own namespace. What the operator
	// copies there for an admin cannot be named: meteor-push, meteor-index and
	// meteor-push-token.
	// +required
	// +kubebuilder:validation:MaxLength=253
	// +kubebuilder:validation:XValidation:rule="!(self in ['meteor-push', 'meteor-index', 'meteor-push-token'])",message="this Secret is the admin's, for builds alone: name one of your own"
	// +kubebuilder:validation:XValidation:rule="self.matches('^[a-z0-9]([a-z0-9-]*[a-z0-9])?([.][a-z0-9]([a-z0-9-]*[a-z0-9])?)*$')",message="not the name of a Secret: write lower-case letters, digits, '-' and '.', starting and ending with a letter or digit"
	Name string `json:"name"`
}

// RuntimeEnvironment says which operating system and Python an image is built
// for. The cluster's CNBiConfig lists the images that there are.
type RuntimeEnvironment struct {
	// osName is the name of the operating system, such as ubi.
	// +required
	// +kubebuilder:validation:MaxLength=63
	// +kubebuilder:validation:XValidation:rule="self.matches('^[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?$')",message="not the name of an operating system: write letters, digits, '.', '_' and '-', as in ubi"
	OSName string `json:"osName"`

	// osVersion is the version of the operating system, such as "9".
	// +required
	// +kubebuilder:validation:MaxLength=63
	// +kubebuilder:validation:XValidation:rule="self.matches('^[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?$')",message="not the version of an operating system: write letters, digits, '.', '_' and '-', as in \"9\""
	OSVersion string `json:"osVersion"`

	// pythonVersion is the version of Python, such as "3.11".
	// +required
	// +kubebuilder:validation:MaxLength=16
	// +kubebuilder:validation:XValidation:rule="self.matches('^[0-9]+[.][0-9]+([.][0-9]+)?$')",message="not a version of Python: write two or three numbers, as in \"3.11\""
	PythonVersion string `json:"pythonVersion"`
}

// PipelineStatus says how a pipeline that was started for an object went.
type PipelineStatus struct {
	// name of the Pipeline.
	// +required
	// +kubebuilder:validation:MaxLength=253
	Name string `json:"name"`

	// pipelineRunName is the name of the PipelineRun.
	// +required
	// +kubebuilder:validation:MaxLength=253
	PipelineRunName string `json:"pipelineRunName"`

	// url of what the pipeline made, routable at least within the cluster.
	// Empty until there is something.
	// +optional
	// +kubebuilder:validation:MaxLength=2048
	URL string `json:"url,omitempty"`

	// ready is "True" when the pipeline succeeded, "False" when it failed,
	// "Unknown" when it succeeded and what it made cannot be used now, and
	// empty while it runs.
	// +optional
	// +kubebuilder:validation:Enum="True";"False";"Unknown"
	Ready string `json:"ready,omitempty"`
}

// BuildResult is how a build ended.
// +kubebuilder:validation:Enum=Succeeded;Failed;Cancelled
type BuildResult string

// The ways in which a build can end.
const (
	BuildSucceeded BuildResult = "Succeeded"
	BuildFailed    BuildResult = "Failed"
	BuildCancelled BuildResult = "Cancelled"
)
