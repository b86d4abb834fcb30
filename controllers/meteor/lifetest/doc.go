// Package lifetest tests Meteors' lives on a real kube-apiserver, with managers wired as the real one is. There is no
// Tekton at work, no kubelet and nothing that collects garbage: the tests play their parts.
package lifetest
