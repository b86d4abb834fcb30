module github.com/meteor-zone/meteor-operator

go 1.26.4

require (
	github.com/go-logr/zapr v1.3.0
	github.com/google/go-cmp v0.7.0
	github.com/google/go-containerregistry v0.22.1
	github.com/openshift/api v0.0.0-20260511191110-9b69e5fa27e9
	github.com/openshift/client-go v0.0.0-20260512113608-deb4dc54551a
	github.com/tektoncd/pipeline v1.15.0
	go.uber.org/zap v1.28.0
	k8s.io/api v0.36.3
	k8s.io/apiextensions-apiserver v0.36.3
	k8s.io/apimachinery v0.36.3
	k8s.io/client-go v0.36.3
	sigs.k8s.io/controller-runtime v0.24.1
)
