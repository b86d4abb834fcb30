// Package olm tests the bundle with a real OLM on the local cluster: installed from a catalogue, upgraded while builds
// run, in every install mode, and removed. It needs the cluster for itself: `make test-olm`.
package olm
