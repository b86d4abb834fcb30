package inspect

import "testing"

func TestCustomary(t *testing.T) {
	for in, want := range map[string]string{
		"index.docker.io/library/python:3": "docker.io/library/python:3",
		"quay.io/a/b@sha256:1":             "quay.io/a/b@sha256:1",
		"index.docker.io.example/a:1":      "index.docker.io.example/a:1",
	} {
		if got := customary(in); got != want {
			t.Errorf("customary(%q) = %q, want %q", in, got, want)
		}
	}
}
