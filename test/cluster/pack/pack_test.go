package pack

import (
	"archive/tar"
	"errors"
	"io"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/registry"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/validate"
)

func TestImage(t *testing.T) {
	dir := t.TempDir()
	program, data := filepath.Join(dir, "program"), filepath.Join(dir, "data")
	write(t, program, "#!", 0o700)
	write(t, data, "x", 0o600)
	cases := map[string]struct {
		reason string
		spec   Spec
		want   []string
	}{
		"Nothing": {reason: "Every image has a place for temporary files.", want: []string{"tmp/ 1777"}},
		"All": {
			reason: "Parents come first; files are readable by everyone, and executable when they were.",
			spec: Spec{
				Files: map[string]string{"/a/b/program": program, "/data": data},
				Links: map[string]string{"/bin/sh": "busybox"},
			},
			want: []string{"a/ 755", "a/b/ 755", "bin/ 755", "tmp/ 1777", "a/b/program 755", "data 644", "bin/sh 777 busybox"},
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			img, err := Image(tc.spec)
			if err != nil {
				t.Fatal(err)
			}
			if err := validate.Image(img); err != nil {
				t.Errorf("%s\nnot an image: %v", tc.reason, err)
			}
			if diff := cmp.Diff(tc.want, entries(t, img)); diff != "" {
				t.Errorf("%s\n-want, +got:\n%s", tc.reason, diff)
			}
		})
	}
}

func TestPushTwice(t *testing.T) {
	server := httptest.NewServer(registry.New())
	defer server.Close()
	file := filepath.Join(t.TempDir(), "program")
	write(t, file, "one", 0o755)
	ref := strings.TrimPrefix(server.URL, "http://") + "/a/b:1"
	spec := Spec{Files: map[string]string{"/program": file}, Entrypoint: []string{"/program"}, User: "1:2"}
	first, err := Push(t.Context(), ref, spec)
	if err != nil {
		t.Fatal(err)
	}
	again, err := Push(t.Context(), ref, spec)
	if err != nil || again != first {
		t.Errorf("the same files give the same image: got %s, %v, want %s", again, err, first)
	}
	write(t, file, "two", 0o755)
	other, err := Push(t.Context(), ref, spec)
	if err != nil || other == first {
		t.Errorf("other files give another image: got %s, %v", other, err)
	}
	parsed, err := name.ParseReference(ref)
	if err != nil {
		t.Fatal(err)
	}
	img, err := remote.Image(parsed)
	if err != nil {
		t.Fatal(err)
	}
	config, err := img.ConfigFile()
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"/program", "1:2"}, append(config.Config.Entrypoint, config.Config.User)); diff != "" {
		t.Errorf("how it starts: -want, +got:\n%s", diff)
	}
}

func write(t *testing.T, path, content string, mode os.FileMode) {
	t.Helper()
	if err := os.WriteFile(path, []byte(content), mode); err != nil {
		t.Fatal(err)
	}
}

func entries(t *testing.T, img v1.Image) []string {
	t.Helper()
	content := mutate.Extract(img)
	defer content.Close()
	var all []string
	for r := tar.NewReader(content); ; {
		header, err := r.Next()
		if errors.Is(err, io.EOF) {
			return all
		}
		if err != nil {
			t.Fatal(err)
		}
		line := header.Name
		if header.Typeflag == tar.TypeDir && !strings.HasSuffix(line, "/") {
			line += "/"
		}
		line += " " + strconv.FormatInt(header.Mode, 8)
		if header.Linkname != "" {
			line += " " + header.Linkname
		}
		all = append(all, line)
	}
}
