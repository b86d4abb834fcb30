// Package lifetest has the tests of whole lives of CustomNBImages: real controllers, wired as in the manager, on a real
// kube-apiserver, with Tekton's own kinds. There is no Tekton at work and no kubelet, so the tests write what these
// would; what Tekton and notebooks really do is tested on a real cluster.
package lifetest
