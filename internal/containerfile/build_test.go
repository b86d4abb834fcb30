package containerfile

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/meteor-zone/meteor-operator/internal/failure"
	"github.com/meteor-zone/meteor-operator/internal/layer"
)

// standIn is a program in buildah's place, which notes how it was called.
const standIn = `#!/bin/sh
echo "$*" >> "$HOME/calls"
env > "$HOME/env"
case "$*" in
*"--storage-driver overlay "*images*) [ ! -e "$HOME/no-overlay" ] ;;
*"--storage-driver vfs "*images*) [ ! -e "$HOME/no-vfs" ] || { echo 'Error during unshare(CLONE_NEWUSER): Operation not permitted'; exit 1; } ;;
*" pull "*) echo loaded-id ;;
*" tag "*) ;;
*" build "*)
	echo 'STEP 1/2: FROM a'
	if [ -e "$HOME/fail" ]; then echo broken >&2; echo 'Error: building at STEP "FROM a": while running runtime: exit status 3' >&2; exit 1; fi
	while [ "$1" != --iidfile ]; do shift; done
	echo built-id > "$2" ;;
*" push "*) ls "$HOME/../out/blobs/sha256" > "$HOME/there" ;;
*) exit 9 ;;
esac
`

type stage struct {
	w    *world
	o    Options
	said bytes.Buffer
}

func newStage(t *testing.T) *stage {
	t.Helper()
	s := &stage{w: newWorld(t, false)}
	root := t.TempDir()
	program := filepath.Join(root, "buildah")
	must(t, os.WriteFile(program, []byte(standIn), 0o755))
	must(t, errors.Join(os.Mkdir(filepath.Join(root, "work"), 0o755), os.Mkdir(filepath.Join(root, "out"), 0o755)))
	s.o = Options{
		Buildah: program, Plan: s.w.dir, Bases: s.w.bases, Context: "/source;x",
		Work: filepath.Join(root, "work"), Out: filepath.Join(root, "out"), Output: &s.said,
	}
	return s
}

func (s *stage) read(t *testing.T, name string) string {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(s.o.Work, name))
	must(t, err)
	return string(data)
}

func TestBuild(t *testing.T) {
	t.Setenv("HTTPS_PROXY", "http://proxy:1")
	t.Setenv("SOME_PASSWORD", "of the pod's")
	s := newStage(t)
	report, err := Build(t.Context(), s.o)
	must(t, err)
	if report.Driver != "overlay" {
		t.Errorf("built with %s", report.Driver)
	}
	calls := s.read(t, "calls")
	for _, want := range []string{
		"pull --quiet oci:" + s.w.bases + ":base-0",
		"tag loaded-id " + s.w.host + "/ns/base:1",
		"--pull=never", "--isolation chroot", "--build-arg SOURCE_DATE_EPOCH=", "/source;x",
		"built-id oci:" + s.o.Out + ":image",
	} {
		if !strings.Contains(calls, want) {
			t.Errorf("there is no %q in the calls:\n%s", want, calls)
		}
	}
	if env := s.read(t, "env"); strings.Contains(env, "SOME_PASSWORD") || !strings.Contains(env, "HTTPS_PROXY=http://proxy:1") {
		t.Errorf("environment:\n%s", env)
	}
	there := s.read(t, "there")
	for _, diff := range s.w.plan.Images[0].DiffIDs {
		if !strings.Contains(there, diff.Hex) {
			t.Errorf("layer %s is not marked as there", diff)
		}
	}
}

func TestBuildFallsBack(t *testing.T) {
	s := newStage(t)
	must(t, os.WriteFile(filepath.Join(s.o.Work, "no-overlay"), nil, 0o644))
	report, err := Build(t.Context(), s.o)
	must(t, err)
	if report.Driver != "vfs" || !strings.Contains(s.said.String(), "cannot use overlay here") {
		t.Errorf("built with %s, and said %q", report.Driver, s.said.String())
	}
}

func TestBuildFails(t *testing.T) {
	cases := map[string]struct {
		files []string
		want  string
	}{
		"NoRights": {[]string{"no-overlay", "no-vfs"}, "Containerfile cannot be built here: the pod may not make a user namespace"},
		"Command":  {[]string{"fail"}, "FROM a ended with status 3: broken"},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			s := newStage(t)
			for _, f := range tc.files {
				must(t, os.WriteFile(filepath.Join(s.o.Work, f), nil, 0o644))
			}
			_, err := Build(t.Context(), s.o)
			var f *failure.Failure
			if !errors.As(err, &f) || f.Reason != failure.BuildFailed || !strings.Contains(f.Message, tc.want) {
				t.Errorf("Build: %v, want %q", err, tc.want)
			}
		})
	}
}

func TestBuildIsEnded(t *testing.T) {
	s := newStage(t)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := Build(ctx, s.o)
	var f *failure.Failure
	if !errors.As(err, &f) || f.Reason != failure.BuildFailed || f.Message != "The build was ended before it was done" {
		t.Errorf("Build: %v", err)
	}
}

// A build that left nothing is no image.
func TestOpenNothing(t *testing.T) {
	w := newWorld(t, false)
	_, err := Open(w.plan, w.bases, w.out, layer.Limits{})
	var f *failure.Failure
	if !errors.As(err, &f) || f.Reason != failure.ImageInvalid {
		t.Errorf("Open: %v", err)
	}
}

func TestFind(t *testing.T) {
	cases := map[string]struct {
		files map[string]string
		named string
		want  string
	}{
		"Containerfile": {map[string]string{"Containerfile": "c", "Dockerfile": "d"}, "", "Containerfile c"},
		"Dockerfile":    {map[string]string{"Dockerfile": "d"}, "", "Dockerfile d"},
		"Named":         {map[string]string{"Containerfile": "c", "sub/Dockerfile": "s"}, "sub/Dockerfile", "sub/Dockerfile s"},
		"None":          {nil, "", "The repository has no Containerfile"},
		"NamedNone":     {nil, "x", "The repository has no x"},
		"LinkOut":       {map[string]string{"Containerfile": "-> /etc/passwd"}, "", "Containerfile cannot be read: "},
		"LinkIn":        {map[string]string{"Containerfile": "-> build/file", "build/file": "f"}, "", "Containerfile f"},
		"Folder":        {map[string]string{"Containerfile/x": ""}, "", "Containerfile cannot be read: it is no plain file"},
		"Large":         {map[string]string{"Containerfile": strings.Repeat("x", maxFile+1)}, "", "it is larger than"},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			for path, content := range tc.files {
				path = filepath.Join(dir, path)
				must(t, os.MkdirAll(filepath.Dir(path), 0o755))
				if target, ok := strings.CutPrefix(content, "-> "); ok {
					must(t, os.Symlink(target, path))
				} else {
					must(t, os.WriteFile(path, []byte(content), 0o644))
				}
			}
			root, err := os.OpenRoot(dir)
			must(t, err)
			defer root.Close()
			found, content, err := Find(root, tc.named)
			got := found + " " + string(content)
			if err != nil {
				got = failure.From(err).Message
			}
			if !strings.Contains(got, tc.want) {
				t.Errorf("Find: %.200q, want %q", got, tc.want)
			}
		})
	}
}
