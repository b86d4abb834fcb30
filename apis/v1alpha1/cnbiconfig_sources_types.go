package v1alpha1

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
