package main

import (
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-containerregistry/pkg/registry"
)

// The token goes to the registry that it is for, and to no other, whatever a user names as base image.
func TestWhoSeesTheToken(t *testing.T) {
	seen := map[string]bool{}
	start := func(name string) string {
		inner := registry.New(registry.Logger(log.New(io.Discard, "", 0)))
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if _, given, ok := r.BasicAuth(); ok {
				seen[name] = true
				if given != "the-token" {
					t.Errorf("%s was shown %q", name, given)
				}
			} else if name == "own" {
				w.Header().Set("WWW-Authenticate", `Basic realm="x"`)
				w.WriteHeader(http.StatusUnauthorized)
				return
			}
			inner.ServeHTTP(w, r)
		}))
		t.Cleanup(server.Close)
		return strings.TrimPrefix(server.URL, "http://")
	}
	own, other := start("own"), start("other")
	push(t, other+"/base:1")
	dir := t.TempDir()
	write(t, dir, "token", "the-token\n")
	args := func(image, use string) []string {
		return []string{
			"inspect", "--image=" + image, "--platform=linux/amd64", "--results=" + t.TempDir(),
			"--token-file=" + filepath.Join(dir, "token"), "--token-for=" + own + "/ns/target:1", "--use-token=" + use,
		}
	}
	expect(t, 0, "", args(other+"/base:1", "true")...)
	expect(t, 1, "ImagePullUnauthorized", args(own+"/base:1", "false")...)
	if len(seen) > 0 {
		t.Errorf("the token was shown to %v", seen)
	}
	expect(t, 1, "ImageNotFound", args(own+"/base:1", "true")...)
	if !seen["own"] || seen["other"] {
		t.Errorf("the token was shown to %v", seen)
	}
	absent := args(own+"/base:1", "true")
	absent[4] = "--token-file=" + filepath.Join(dir, "absent")
	expect(t, 1, `Secret "meteor-push-token" is missing`, absent...)
}
