package main

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestPinned(t *testing.T) {
	const upstream = `module k8s.io/kubernetes

go 1.24.0

godebug default=go1.24

require (
	example.com/a v1.0.0
	k8s.io/api v0.0.0
)

require example.com/b v2.0.0+incompatible // indirect

replace k8s.io/api => ./staging/src/k8s.io/api
`
	const want = `module github.com/meteor-zone/meteor-operator/test/cluster/kube

go 1.24.0

godebug default=go1.24

replace k8s.io/api => k8s.io/api v0.34.4

require (
	example.com/a v1.0.0
	k8s.io/api v0.34.4
	k8s.io/kubernetes v1.34.4
)

require example.com/b v2.0.0+incompatible // indirect
`
	got, err := pinned([]byte(upstream), "v1.34.4")
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, string(got)); diff != "" {
		t.Errorf("staging modules are pinned, all else is required as it was: -want, +got:\n%s", diff)
	}
}
