package install

// The names of what a namespace is given copies of, where the CNBiConfig asks for it.
const (
	// PushSecret is the Secret that built images are pushed with.
	PushSecret = "meteor-push"
	// IndexSecret is the Secret that package indexes ask for.
	IndexSecret = "meteor-index"
	// CAConfigMap holds the certificate authorities that builds trust.
	CAConfigMap = "meteor-ca"
)
