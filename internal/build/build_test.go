package build_test

import (
	"archive/tar"
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/meteor-zone/meteor-operator/internal/build"
	"github.com/meteor-zone/meteor-operator/internal/layer"
)

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// shell makes options that run scripts in a small file system.
func shell(t *testing.T, scripts ...string) (build.Options, *bytes.Buffer) {
	t.Helper()
	root, printed := t.TempDir(), &bytes.Buffer{}
	must(t, os.WriteFile(filepath.Join(root, "old"), []byte("1"), 0o644))
	o := build.Options{
		Dir: root, Env: []string{"GREETING=hello"}, Output: printed,
		Layer: layer.Options{Root: root}, Out: filepath.Join(t.TempDir(), "layer.tar"),
	}
	for _, s := range scripts {
		o.Commands = append(o.Commands, []string{"sh", "-c", s})
	}
	return o, printed
}

func names(t *testing.T, path string) []string {
	t.Helper()
	f, err := os.Open(path)
	must(t, err)
	defer f.Close()
	out := []string{}
	for r := tar.NewReader(f); ; {
		h, err := r.Next()
		if errors.Is(err, io.EOF) {
			return out
		}
		must(t, err)
		out = append(out, h.Name)
	}
}

func TestLayer(t *testing.T) {
	o, printed := shell(t, "echo $GREETING; echo x > new", "rm old")
	report, err := build.Layer(t.Context(), o)
	must(t, err)
	if diff := cmp.Diff([]string{".wh.old", "new"}, names(t, o.Out)); diff != "" {
		t.Errorf("-want, +got:\n%s", diff)
	}
	if diff := cmp.Diff(layer.Summary{Entries: 1, Removed: 1, Bytes: 2}, report.Summary); diff != "" || report.Files != 1 {
		t.Errorf("%d files before; -want, +got:\n%s", report.Files, diff)
	}
	if printed.String() != "hello\n" {
		t.Errorf("printed %q", printed)
	}
}

func TestLayerStopsAtAFailure(t *testing.T) {
	o, _ := shell(t, "echo broken >&2; exit 3", "touch never")
	_, err := build.Layer(t.Context(), o)
	var exit *exec.ExitError
	if !errors.As(err, &exit) || exit.ExitCode() != 3 {
		t.Errorf("Layer: %v, want exit code 3", err)
	}
	if _, err := os.Stat(filepath.Join(o.Layer.Root, "never")); err == nil {
		t.Error("the next command was run")
	}
	if _, err := os.Stat(o.Out); err == nil {
		t.Error("a layer was written")
	}
}

func TestLayerLeavesNoProcess(t *testing.T) {
	// Processes in a session of their own, whose parents have ended, and which hold the output open.
	o, _ := shell(t, `for i in 1 2 3; do setsid sh -c '(sleep 300 & while :; do date > late; sleep 0.01; done) &' & done; sleep 0.2; echo first > early`)
	start := time.Now()
	_, err := build.Layer(t.Context(), o)
	must(t, err)
	if took := time.Since(start); took > 30*time.Second {
		t.Errorf("waited %s for processes that were left behind", took)
	}
	late := filepath.Join(o.Layer.Root, "late")
	before, err := os.Stat(late)
	must(t, err)
	time.Sleep(100 * time.Millisecond)
	after, err := os.Stat(late)
	must(t, err)
	if !before.ModTime().Equal(after.ModTime()) {
		t.Error("something is still writing")
	}
	if got := strings.Join(names(t, o.Out), " "); got != "early late" {
		t.Errorf("the layer holds %s", got)
	}
}

func TestLayerEndsWhatMultiplies(t *testing.T) {
	// Each starts another in a session of its own and ends, so that none is ever there for long.
	o, _ := shell(t, `cat > again <<'END'
date > alive
sleep 0.01
setsid sh again & setsid sh -c 'sleep 300' &
END
setsid sh again & sleep 0.1`)
	_, err := build.Layer(t.Context(), o)
	must(t, err)
	alive := filepath.Join(o.Layer.Root, "alive")
	before, err := os.Stat(alive)
	must(t, err)
	time.Sleep(100 * time.Millisecond)
	after, err := os.Stat(alive)
	must(t, err)
	if !before.ModTime().Equal(after.ModTime()) {
		t.Error("something is still running")
	}
}

func TestLayerStopsWhenCancelled(t *testing.T) {
	o, _ := shell(t, "sleep 300")
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	if _, err := build.Layer(ctx, o); err == nil {
		t.Error("a cancelled build left a layer")
	}
}
