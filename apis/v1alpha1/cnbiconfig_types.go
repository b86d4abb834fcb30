package v1alpha1

import (
	corev1 "k8s.io/api/core/v1"
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

// RuntimeEnvironmentImage is the image of a runtime environment.
type RuntimeEnvironmentImage struct {
	RuntimeEnvironment `json:",inline"`

	// image that is built on when this runtime environment is asked for.
	// +required
	Image ImageReference `json:"image"`
}

// SecretSource is where a Secret is taken from.
// +kubebuilder:validation:Enum=Namespace;Operator
type SecretSource string

// The places that a Secret can be taken from.
const (
	// SecretFromNamespace is the namespace in which the build runs.
	SecretFromNamespace SecretSource = "Namespace"

	// SecretFromOperator is the operator's own namespace, from where it is
	// copied to where builds run.
	SecretFromOperator SecretSource = "Operator"
)

// SharedSecretReference names a Secret that builds in several namespaces use.
type SharedSecretReference struct {
	// name of the Secret.
	// +required
	// +kubebuilder:validation:MaxLength=253
	// +kubebuilder:validation:XValidation:rule="self.matches('^[a-z0-9]([a-z0-9-]*[a-z0-9])?([.][a-z0-9]([a-z0-9-]*[a-z0-9])?)*$')",message="not the name of a Secret: write lower-case letters, digits, '-' and '.', starting and ending with a letter or digit"
	Name string `json:"name"`

	// source is Namespace (each namespace in which builds run has a Secret of
	// that name of its own; none crosses a namespace's border) or Operator (the
	// Secret is in the operator's namespace and is copied to every namespace in
	// which builds run: whoever can read Secrets or start pods there can read
	// it). The default is Namespace.
	// +optional
	// +kubebuilder:default=Namespace
	Source SecretSource `json:"source,omitempty"`
}

// ConfigMapKeyReference names a key of a ConfigMap in the operator's namespace.
type ConfigMapKeyReference struct {
	// name of the ConfigMap, in the operator's namespace.
	// +required
	// +kubebuilder:validation:MaxLength=253
	// +kubebuilder:validation:XValidation:rule="self.matches('^[a-z0-9]([a-z0-9-]*[a-z0-9])?([.][a-z0-9]([a-z0-9-]*[a-z0-9])?)*$')",message="not the name of a ConfigMap: write lower-case letters, digits, '-' and '.', starting and ending with a letter or digit"
	Name string `json:"name"`

	// key of the ConfigMap that holds the certificates, in PEM. The default is
	// ca-bundle.crt, the key that OpenShift fills in.
	// +optional
	// +kubebuilder:default="ca-bundle.crt"
	// +kubebuilder:validation:MaxLength=253
	// +kubebuilder:validation:XValidation:rule="self.matches('^[A-Za-z0-9._-]+$')",message="not a key of a ConfigMap: write letters, digits, '-', '_' and '.'"
	Key string `json:"key,omitempty"`
}

// RegistryInsecurity is what is let pass when talking to a registry.
// +kubebuilder:validation:Enum=Never;SkipVerify;PlainHTTP
type RegistryInsecurity string

// What can be let pass when talking to a registry.
const (
	// InsecureNever wants TLS, and a certificate that can be verified.
	InsecureNever RegistryInsecurity = "Never"

	// InsecureSkipVerify wants TLS, with whatever certificate.
	InsecureSkipVerify RegistryInsecurity = "SkipVerify"

	// InsecurePlainHTTP takes plain HTTP too.
	InsecurePlainHTTP RegistryInsecurity = "PlainHTTP"
)

// RegistrySpec says where built images go.
//
// +kubebuilder:validation:XValidation:rule="!has(self.insecureHosts) || size(self.insecureHosts) == 0 || has(self.insecure) && self.insecure != 'Never'",message="registry.insecureHosts has no effect with insecure Never: remove it, or set registry.insecure to SkipVerify or PlainHTTP",fieldPath=".insecureHosts",reason="FieldValueForbidden"
type RegistrySpec struct {
	// repository is the template of the repository that a built image is
	// pushed to, as in registry.example.com/notebooks/{namespace}/{name}:
	// {namespace} and {name} stand for the CustomNBImage's, and both must be
	// there, with '/', '.' or '_' beside {namespace}, so that no namespace can
	// write another's images. Without it, images go to OpenShift's internal
	// registry, where there is one. Imports push nothing.
	// +optional
	// +kubebuilder:validation:MaxLength=255
	// +kubebuilder:validation:XValidation:rule="self.contains('{namespace}') && self.contains('{name}')",message="registry.repository needs both {namespace} and {name} in it, as in registry.example.com/notebooks/{namespace}/{name}"
	// +kubebuilder:validation:XValidation:rule="self.replace('{namespace}', 'x').replace('{name}', 'x').matches('^([a-z0-9]([a-z0-9-]*[a-z0-9])?([.][a-z0-9]([a-z0-9-]*[a-z0-9])?)*|\\\\[[0-9a-f:]+\\\\])(:[0-9]{1,5})?(/[a-z0-9]+(([.]|_{1,2}|-+)[a-z0-9]+)*)+$')",message="registry.repository is not a repository: write registry[:port]/path in lower case, without scheme, tag and digest, as in registry.example.com/notebooks/{namespace}/{name}"
	// +kubebuilder:validation:XValidation:rule="!self.contains('{namespace}') || self.matches('[/._][{]namespace[}]([/._]|$)')",message="registry.repository has a '-', a letter or a digit beside {namespace}, with which two namespaces could come to the same repository: write '/', '.' or '_' there, as in quay.io/org/{namespace}.{name}"
	Repository string `json:"repository,omitempty"`

	// pushSecret names the Secret of type kubernetes.io/dockerconfigjson that
	// built images are pushed with. Only the step that pushes sees it. Without
	// it, the service account's own token is used, as OpenShift's internal
	// registry wants it.
	// +optional
	PushSecret *SharedSecretReference `json:"pushSecret,omitempty"`

	// ca names the ConfigMap, in the operator's namespace, with the
	// certificate authorities that registries are verified by, besides the
	// public ones. It is copied to where builds run.
	// +optional
	CA *ConfigMapKeyReference `json:"ca,omitempty"`

	// insecure is what is let pass when talking to the registry of repository
	// and to insecureHosts: Never (nothing), SkipVerify (a certificate that
	// cannot be verified) or PlainHTTP (no TLS either). The default is Never.
	// +optional
	// +kubebuilder:default=Never
	Insecure RegistryInsecurity `json:"insecure,omitempty"`

	// insecureHosts are further registries, by host or host:port, that insecure
	// holds for, such as those that images are imported from.
	// +optional
	// +listType=set
	// +kubebuilder:validation:MaxItems=32
	// +kubebuilder:validation:items:MaxLength=255
	// +kubebuilder:validation:items:XValidation:rule="self.matches('^([a-z0-9]([a-z0-9-]*[a-z0-9])?([.][a-z0-9]([a-z0-9-]*[a-z0-9])?)*|\\\\[[0-9a-f:]+\\\\])(:[0-9]{1,5})?$')",message="insecureHosts has an entry that is not a registry: write host or host:port in lower case, without scheme and path"
	InsecureHosts []string `json:"insecureHosts,omitempty"`
}

// PackageIndexSpec says where Python packages come from.
type PackageIndexSpec struct {
	// url of the index, in the form of PEP 503 or 691. Without it, it is the
	// installer's own default.
	// +optional
	// +kubebuilder:validation:MaxLength=1024
	// +kubebuilder:validation:XValidation:rule="self.matches('^https?://[^/?#@]+(/[!-~]*)?$') && !self.matches('[^!-~]')",message="packageIndex.url is not the URL of an index: write https://host/path, without blanks; credentials go into packageIndex.credentials"
	URL string `json:"url,omitempty"`

	// extraUrls are further indexes that are searched too. A package that is in
	// several is taken from any of them: do not mix public and private ones.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=8
	// +kubebuilder:validation:items:MaxLength=1024
	// +kubebuilder:validation:items:XValidation:rule="self.matches('^https?://[^/?#@]+(/[!-~]*)?$') && !self.matches('[^!-~]')",message="extraUrls has an entry that is not the URL of an index: write https://host/path, without blanks; credentials go into packageIndex.credentials"
	ExtraURLs []string `json:"extraUrls,omitempty"`

	// ca names the ConfigMap, in the operator's namespace, with the
	// certificate authorities that the indexes are verified by, besides the
	// public ones. It is copied to where builds run.
	// +optional
	CA *ConfigMapKeyReference `json:"ca,omitempty"`

	// trustedHosts are hosts, or host:port, that need no TLS and no certificate
	// that can be verified.
	// +optional
	// +listType=set
	// +kubebuilder:validation:MaxItems=16
	// +kubebuilder:validation:items:MaxLength=255
	// +kubebuilder:validation:items:XValidation:rule="self.matches('^([A-Za-z0-9]([A-Za-z0-9-]*[A-Za-z0-9])?([.][A-Za-z0-9]([A-Za-z0-9-]*[A-Za-z0-9])?)*|\\\\[[0-9A-Fa-f:]+\\\\])(:[0-9]{1,5})?$')",message="trustedHosts has an entry that is not a host: write host or host:port, without scheme and path"
	TrustedHosts []string `json:"trustedHosts,omitempty"`

	// credentials names the Secret of type kubernetes.io/basic-auth that the
	// indexes ask for. Only a container of its own beside the build sees it,
	// which asks the indexes in the installer's place: no package ever does.
	// +optional
	Credentials *SharedSecretReference `json:"credentials,omitempty"`
}

// ImagesSpec names the images that the steps of the pipelines run in.
type ImagesSpec struct {
	// builder is the image with the builder binary. Without it, it is the
	// operator's own image.
	// +optional
	Builder ImageReference `json:"builder,omitempty"`

	// buildah is the image with buildah, for repositories that have a
	// Containerfile. Without it, it is that of the operator's own environment.
	// +optional
	Buildah ImageReference `json:"buildah,omitempty"`

	// jupyterBook is the image that a Meteor's site is built in. Without it,
	// it is that of the operator's own environment.
	// +optional
	JupyterBook ImageReference `json:"jupyterBook,omitempty"`
}

// ValidationCheck is a check of an image.
// +kubebuilder:validation:Enum=look;python;pip;python-version;jupyter;home;startup
type ValidationCheck string

// The checks of an image.
const (
	// CheckLook is whether the image can be looked into from inside.
	CheckLook ValidationCheck = "look"

	// CheckPython is whether there is a Python.
	CheckPython ValidationCheck = "python"

	// CheckPip is whether there is a pip.
	CheckPip ValidationCheck = "pip"

	// CheckPythonVersion is whether Python is new enough.
	CheckPythonVersion ValidationCheck = "python-version"

	// CheckJupyter is whether Jupyter can be imported.
	CheckJupyter ValidationCheck = "jupyter"

	// CheckHome is whether HOME is set and can be written to.
	CheckHome ValidationCheck = "home"

	// CheckStartup is whether the image starts and answers as a notebook does.
	CheckStartup ValidationCheck = "startup"
)

// ValidationSeverity is how much a failed check matters.
// +kubebuilder:validation:Enum=error;warning
type ValidationSeverity string

// The severities of a failed check.
const (
	// SeverityError keeps the image from being offered.
	SeverityError ValidationSeverity = "error"

	// SeverityWarning is reported only.
	SeverityWarning ValidationSeverity = "warning"
)

// CheckSeverity says how much a check matters.
type CheckSeverity struct {
	// name of the check: look, python, pip, python-version, jupyter, home or
	// startup.
	// +required
	Name ValidationCheck `json:"name"`

	// severity is error, which keeps an image that fails the check from being
	// offered, or warning, which is reported only.
	// +required
	Severity ValidationSeverity `json:"severity"`
}

// ValidationSpec says what an image must be like.
type ValidationSpec struct {
	// checks whose severity is not error. A check that is not listed is an
	// error when it fails.
	// +optional
	// +listType=map
	// +listMapKey=name
	// +kubebuilder:validation:MaxItems=16
	Checks []CheckSeverity `json:"checks,omitempty"`

	// minimumPython is the oldest Python that passes. The default is "3.8".
	// +optional
	// +kubebuilder:default="3.8"
	// +kubebuilder:validation:MaxLength=16
	// +kubebuilder:validation:XValidation:rule="self.matches('^[0-9]+[.][0-9]+([.][0-9]+)?$')",message="validation.minimumPython is not a version of Python: write two or three numbers, as in \"3.8\""
	MinimumPython string `json:"minimumPython,omitempty"`

	// startupTimeout is how long an image may take until it answers as a
	// notebook does, from 5s to 30m. The default is 120s.
	// +optional
	// +kubebuilder:default="120s"
	// +kubebuilder:validation:Type=string
	// +kubebuilder:validation:MaxLength=16
	// +kubebuilder:validation:XValidation:rule="self.matches('^([0-9]{1,6}(s|m|h))+$') && duration(self) >= duration('5s') && duration(self) <= duration('30m')",message="validation.startupTimeout is a duration from 5s to 30m, such as 120s"
	StartupTimeout *metav1.Duration `json:"startupTimeout,omitempty"`
}

// ContainerfilePolicy is what becomes of repositories with a Containerfile.
// +kubebuilder:validation:Enum=Unprivileged;Privileged;Never
type ContainerfilePolicy string

// The policies about Containerfiles.
const (
	// ContainerfilesUnprivileged builds them with as few rights as buildah can
	// do with.
	ContainerfilesUnprivileged ContainerfilePolicy = "Unprivileged"

	// ContainerfilesPrivileged builds them in a privileged container.
	ContainerfilesPrivileged ContainerfilePolicy = "Privileged"

	// ContainerfilesNever refuses to build them.
	ContainerfilesNever ContainerfilePolicy = "Never"
)

// BuildSpec says how builds run.
type BuildSpec struct {
	// timeout is how long one build may take, from 1m to 24h, unless the
	// CustomNBImage says otherwise. The default is 1h.
	// +optional
	// +kubebuilder:default="1h"
	// +kubebuilder:validation:Type=string
	// +kubebuilder:validation:MaxLength=16
	// +kubebuilder:validation:XValidation:rule="self.matches('^([0-9]{1,6}(s|m|h))+$') && duration(self) >= duration('1m') && duration(self) <= duration('24h')",message="build.timeout is a duration from 1m to 24h, such as 45m or 1h30m"
	Timeout *metav1.Duration `json:"timeout,omitempty"`

	// resources are what the pods of a build request and are limited to, of
	// cpu, memory and ephemeral-storage, unless the CustomNBImage says otherwise.
	// +optional
	// +kubebuilder:validation:XValidation:rule="!has(self.requests) || size(self.requests) == ['cpu', 'memory', 'ephemeral-storage'].filter(name, name in self.requests).size()",message="build.resources.requests has a resource other than cpu, memory and ephemeral-storage: remove it",fieldPath=".requests",reason="FieldValueForbidden"
	// +kubebuilder:validation:XValidation:rule="!has(self.requests) || !['cpu', 'memory', 'ephemeral-storage'].exists(name, name in self.requests && string(self.requests[name]).matches('^-|e|E.'))",message="build.resources.requests has an amount that is negative or has an exponent: write a number and a unit, as in 500m or 2Gi",fieldPath=".requests",reason="FieldValueInvalid"
	// +kubebuilder:validation:XValidation:rule="!has(self.limits) || size(self.limits) == ['cpu', 'memory', 'ephemeral-storage'].filter(name, name in self.limits).size()",message="build.resources.limits has a resource other than cpu, memory and ephemeral-storage: remove it",fieldPath=".limits",reason="FieldValueForbidden"
	// +kubebuilder:validation:XValidation:rule="!has(self.limits) || !['cpu', 'memory', 'ephemeral-storage'].exists(name, name in self.limits && string(self.limits[name]).matches('^-|e|E.'))",message="build.resources.limits has an amount that is negative or has an exponent: write a number and a unit, as in 500m or 2Gi",fieldPath=".limits",reason="FieldValueInvalid"
	// +kubebuilder:validation:XValidation:rule="!has(self.claims)",message="build.resources.claims is not supported: set requests and limits only",fieldPath=".claims",reason="FieldValueForbidden"
	Resources *corev1.ResourceRequirements `json:"resources,omitempty"`

	// concurrency is how many builds may run at once in a namespace, from 1 to
	// 1000. Those beyond it wait. The default is 10.
	// +optional
	// +kubebuilder:default=10
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=1000
	Concurrency int32 `json:"concurrency,omitempty"`

	// retries is how often a build is tried again after a failure that was the
	// platform's, such as a registry that did not answer, from 0 to 20. The
	// time between two tries doubles. The default is 5.
	// +optional
	// +kubebuilder:default=5
	// +kubebuilder:validation:Minimum=0
	// +kubebuilder:validation:Maximum=20
	Retries *int32 `json:"retries,omitempty"`

	// serviceAccount is the name of the service account that builds run as, in
	// each namespace. Tekton shows the registry credentials among an account's
	// secrets to every step, and so to what users install. Without it, builds
	// run as accounts that come with the pipelines and may do nothing.
	// +optional
	// +kubebuilder:validation:MaxLength=253
	// +kubebuilder:validation:XValidation:rule="self.matches('^[a-z0-9]([a-z0-9-]*[a-z0-9])?([.][a-z0-9]([a-z0-9-]*[a-z0-9])?)*$')",message="build.serviceAccount is not the name of a service account: write lower-case letters, digits, '-' and '.', starting and ending with a letter or digit"
	ServiceAccount string `json:"serviceAccount,omitempty"`

	// containerfiles is what becomes of repositories with a Containerfile:
	// Unprivileged (they are built with as few rights as buildah can do with,
	// which are still more than the Pod Security Standard restricted grants),
	// Privileged (they are built in a privileged container, which is faster and
	// owns the node) or Never (they are refused). The default is Unprivileged.
	// +optional
	// +kubebuilder:default=Unprivileged
	Containerfiles ContainerfilePolicy `json:"containerfiles,omitempty"`

	// nodeSelector is the labels of the nodes that builds may run on.
	// +optional
	// +mapType=atomic
	// +kubebuilder:validation:MaxProperties=32
	NodeSelector map[string]string `json:"nodeSelector,omitempty"`

	// tolerations of the pods of a build.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=32
	Tolerations []corev1.Toleration `json:"tolerations,omitempty"`

	// affinity of the pods of a build.
	// +optional
	Affinity *corev1.Affinity `json:"affinity,omitempty"`
}

// ImageStreamPolicy is whether images are published as ImageStreams.
// +kubebuilder:validation:Enum=Auto;Always;Never
type ImageStreamPolicy string

// The ImageStream policies.
const (
	// ImageStreamsAuto publishes where the cluster has ImageStreams.
	ImageStreamsAuto ImageStreamPolicy = "Auto"

	// ImageStreamsAlways waits for ImageStreams where the cluster has none.
	ImageStreamsAlways ImageStreamPolicy = "Always"

	// ImageStreamsNever publishes by reference in the status only.
	ImageStreamsNever ImageStreamPolicy = "Never"
)

// ReferencePolicy is how an ImageStreamTag refers to its image.
// +kubebuilder:validation:Enum=Source;Local
type ReferencePolicy string

// The reference policies.
const (
	// ReferenceSource has pods pull from the image's own registry.
	ReferenceSource ReferencePolicy = "Source"

	// ReferenceLocal has pods pull through OpenShift's internal registry.
	ReferenceLocal ReferencePolicy = "Local"
)

// ScheduledImport is whether OpenShift imports a tag again and again.
// +kubebuilder:validation:Enum=Enabled;Disabled
type ScheduledImport string

// The choices for scheduled import.
const (
	ScheduledImportEnabled  ScheduledImport = "Enabled"
	ScheduledImportDisabled ScheduledImport = "Disabled"
)

// PublishSpec says how images are offered.
type PublishSpec struct {
	// imageStreams is whether images are published as ImageStreams: Auto (where
	// the cluster has them), Always (and wait for them where it has not) or
	// Never. The default is Auto.
	// +optional
	// +kubebuilder:default=Auto
	ImageStreams ImageStreamPolicy `json:"imageStreams,omitempty"`

	// referencePolicy is from where pods pull an image that an ImageStream
	// offers: Source (its own registry) or Local (OpenShift's internal
	// registry, which caches it and needs no pull secret in other namespaces).
	// The default is Source.
	// +optional
	// +kubebuilder:default=Source
	ReferencePolicy ReferencePolicy `json:"referencePolicy,omitempty"`

	// scheduledImport is whether OpenShift looks again and again where an
	// imported tag points to: Enabled or Disabled. What it finds then has not
	// been validated. The default is Disabled.
	// +optional
	// +kubebuilder:default=Disabled
	ScheduledImport ScheduledImport `json:"scheduledImport,omitempty"`
}

// ProxySpec says which proxy builds use.
type ProxySpec struct {
	// httpProxy is the URL of the proxy for http:// URLs.
	// +optional
	// +kubebuilder:validation:MaxLength=1024
	// +kubebuilder:validation:XValidation:rule="self.matches('^(https?|socks5h?)://[!-~]+$')",message="proxy.httpProxy is not the URL of a proxy: write http://host:port"
	HTTPProxy string `json:"httpProxy,omitempty"`

	// httpsProxy is the URL of the proxy for https:// URLs.
	// +optional
	// +kubebuilder:validation:MaxLength=1024
	// +kubebuilder:validation:XValidation:rule="self.matches('^(https?|socks5h?)://[!-~]+$')",message="proxy.httpsProxy is not the URL of a proxy: write http://host:port"
	HTTPSProxy string `json:"httpsProxy,omitempty"`

	// noProxy lists, with commas between them, the hosts, domains and networks
	// that are reached without a proxy.
	// +optional
	// +kubebuilder:validation:MaxLength=4096
	// +kubebuilder:validation:XValidation:rule="!self.matches('[^ -~]')",message="proxy.noProxy has an invisible or a non-ASCII character in it: write hosts, domains and networks with commas between them"
	NoProxy string `json:"noProxy,omitempty"`
}

// NetworkSpec says how builds reach the world.
type NetworkSpec struct {
	// proxy that builds use. Without it, it is that of the operator's own
	// environment, as OLM sets it from the cluster's.
	// +optional
	Proxy *ProxySpec `json:"proxy,omitempty"`

	// trustedCA names the ConfigMap, in the operator's namespace, with the
	// certificate authorities that builds trust, besides the public ones. It
	// is copied to where builds run.
	// +optional
	TrustedCA *ConfigMapKeyReference `json:"trustedCA,omitempty"`
}

// RunRetention says which runs are kept.
type RunRetention struct {
	// count is how many runs of one CustomNBImage or Meteor are kept, from 0
	// to 100. Without it, their number does not matter. The run that the status
	// is about is always kept.
	// +optional
	// +kubebuilder:validation:Minimum=0
	// +kubebuilder:validation:Maximum=100
	Count *int32 `json:"count,omitempty"`

	// age is how long a run is kept after it ended, from 1m to 8760h. Without
	// it, age does not matter.
	// +optional
	// +kubebuilder:validation:Type=string
	// +kubebuilder:validation:MaxLength=16
	// +kubebuilder:validation:XValidation:rule="self.matches('^([0-9]{1,6}(s|m|h))+$') && duration(self) >= duration('1m') && duration(self) <= duration('8760h')",message="retention's age is a duration from 1m to 8760h, such as 168h"
	Age *metav1.Duration `json:"age,omitempty"`
}

// RetentionSpec says which runs are kept.
type RetentionSpec struct {
	// successful runs that are kept. The default is one, for a week.
	// +optional
	// +kubebuilder:default={"count":1,"age":"168h"}
	Successful RunRetention `json:"successful,omitzero"`

	// failed runs that are kept. The default is three, for a week.
	// +optional
	// +kubebuilder:default={"count":3,"age":"168h"}
	Failed RunRetention `json:"failed,omitzero"`
}

// MeteorIngressTLS says whether sites are served by HTTPS.
// +kubebuilder:validation:Enum=Enabled;Disabled
type MeteorIngressTLS string

// Whether sites are served by HTTPS.
const (
	// IngressTLSEnabled serves sites by HTTPS with the ingress controller's own
	// certificate.
	IngressTLSEnabled MeteorIngressTLS = "Enabled"

	// IngressTLSDisabled serves sites by plain HTTP.
	IngressTLSDisabled MeteorIngressTLS = "Disabled"
)

// MeteorIngress says where sites are reached from outside of a cluster that has
// no Routes.
type MeteorIngress struct {
	// host is the domain below which each site gets a host of its own, as in
	// apps.example.org: its names have to lead to the ingress controller.
	// +required
	// +kubebuilder:validation:MaxLength=180
	// +kubebuilder:validation:XValidation:rule="self.matches('^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?([.][a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?)*$')",message="meteor.ingress.host is not a domain: write labels of lower-case letters, digits and '-', as in apps.example.org"
	Host string `json:"host"`

	// className is the class of the Ingresses. Without one, it is the cluster's
	// default.
	// +optional
	// +kubebuilder:validation:MaxLength=253
	// +kubebuilder:validation:XValidation:rule="self.matches('^[a-z0-9]([a-z0-9-]*[a-z0-9])?([.][a-z0-9]([a-z0-9-]*[a-z0-9])?)*$')",message="meteor.ingress.className is not the name of an IngressClass: write lower-case letters, digits, '-' and '.'"
	ClassName string `json:"className,omitempty"`

	// tls is Enabled, where the ingress controller has a certificate for all
	// hosts below the domain, or Disabled, the default.
	// +optional
	// +kubebuilder:default=Disabled
	TLS MeteorIngressTLS `json:"tls,omitempty"`
}

// MeteorDefaults says how long Meteors live, and where their sites are reached.
//
// +kubebuilder:validation:XValidation:rule="!has(self.maximumTTLSeconds) || self.maximumTTLSeconds == 0 || !has(self.defaultTTLSeconds) || self.defaultTTLSeconds <= self.maximumTTLSeconds",message="meteor.defaultTTLSeconds is more than meteor.maximumTTLSeconds: lower the one or raise the other",fieldPath=".defaultTTLSeconds",reason="FieldValueInvalid"
type MeteorDefaults struct {
	// defaultTTLSeconds is the ttl of a Meteor that says none, in seconds. 0,
	// the default, keeps it.
	// +optional
	// +kubebuilder:validation:Minimum=0
	// +kubebuilder:validation:Maximum=3153600000
	DefaultTTLSeconds int64 `json:"defaultTTLSeconds,omitempty"`

	// maximumTTLSeconds is the longest ttl that a Meteor can have, in seconds;
	// one with more, or with none, gets this. 0, the default, is no maximum.
	// +optional
	// +kubebuilder:validation:Minimum=0
	// +kubebuilder:validation:Maximum=3153600000
	MaximumTTLSeconds int64 `json:"maximumTTLSeconds,omitempty"`

	// ingress says where sites are reached from outside of a cluster that has no
	// Routes. Without it, they are reached inside the cluster alone.
	// +optional
	Ingress *MeteorIngress `json:"ingress,omitempty"`
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
