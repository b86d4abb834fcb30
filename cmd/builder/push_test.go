package main

import (
	"archive/tar"
	"bytes"
	"io"
	"log"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/registry"
	"github.com/google/go-containerregistry/pkg/v1/remote"
)

// leave writes what the untrusted steps leave: a layer of one file, and a lock.
func leave(t *testing.T, dir string) (layer, lock string) {
	t.Helper()
	var buf bytes.Buffer
	w := tar.NewWriter(&buf)
	if err := w.WriteHeader(&tar.Header{Typeflag: tar.TypeReg, Name: "file", Mode: 0o664, Size: 3}); err != nil {
		t.Fatal(err)
	}
	if _, err := io.WriteString(w, "abc"); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	layer, lock = filepath.Join(dir, "layer.tar"), filepath.Join(dir, "requirements.lock")
	for path, data := range map[string][]byte{layer: buf.Bytes(), lock: []byte("a==1 --hash=sha256:" + strings.Repeat("0", 64) + "\n")} {
		if err := os.WriteFile(path, data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return layer, lock
}

func TestPush(t *testing.T) {
	server := httptest.NewServer(registry.New(registry.Logger(log.New(io.Discard, "", 0)), registry.WithReferrersSupport(true)))
	t.Cleanup(server.Close)
	host := strings.TrimPrefix(server.URL, "http://")
	base := host + "/team/base@" + push(t, host+"/team/base:1")
	layer, lock := leave(t, t.TempDir())

	out := map[string]map[string]string{}
	for _, run := range []string{"one", "two"} {
		dir := t.TempDir()
		expect(t, 0, "", "push", "--layer="+layer, "--lock="+lock, "--base="+base, "--target="+host+"/ns/built:1", "--platform=linux/amd64",
			"--base-secret-name=meteor-no-secret", "--base-docker-config=/nonexistent", "--scratch="+t.TempDir(), "--results="+dir)
		out[run] = read(t, dir)
	}
	if diff := cmp.Diff(out["one"], out["two"]); diff != "" {
		t.Errorf("the same twice: -first, +second:\n%s", diff)
	}
	got := out["one"]
	if !regexp.MustCompile(`^\{"entries":1,"removed":0,"bytes":3,"layerSize":\d+,"packages":1,"lock":"sha256:[0-9a-f]{64}","sbom":"sha256:[0-9a-f]{64}"\}$`).MatchString(got["built"]) {
		t.Errorf("built is %s", got["built"])
	}
	if got["IMAGE_URL"] != host+"/ns/built:1" || got["image"] != host+"/ns/built@"+got["IMAGE_DIGEST"] {
		t.Errorf("results are %v", got)
	}
	ref, err := name.ParseReference(got["image"])
	if err != nil {
		t.Fatal(err)
	}
	if _, err := remote.Image(ref); err != nil {
		t.Errorf("what was pushed is not there: %v", err)
	}
}

func TestPushRefuses(t *testing.T) {
	cases := map[string]struct {
		spoil func(t *testing.T, layer, lock string)
		want  string
	}{
		"Lock":     {spoil: func(t *testing.T, _, lock string) { rewrite(t, lock, "--index-url https://evil.example\n") }, want: "UnsupportedFile: The lock cannot be used: cannot read lock: "},
		"LockLink": {spoil: func(t *testing.T, _, lock string) { relink(t, lock) }, want: "cannot open lock: "},
		"Layer":    {spoil: func(t *testing.T, layer, _ string) { rewrite(t, layer, strings.Repeat("x", 1000)) }, want: "UnsupportedFile: The layer that the build left is no proper tar file"},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			layer, lock := leave(t, t.TempDir())
			tc.spoil(t, layer, lock)
			expect(t, 1, tc.want, "push", "--layer="+layer, "--lock="+lock, "--base=127.0.0.1:1/a@sha256:"+strings.Repeat("0", 64),
				"--target=127.0.0.1:1/b:1", "--scratch="+t.TempDir(), "--results="+t.TempDir())
		})
	}
}

func rewrite(t *testing.T, path, content string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
}

func relink(t *testing.T, path string) {
	t.Helper()
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("/etc/hostname", path); err != nil {
		t.Fatal(err)
	}
}
