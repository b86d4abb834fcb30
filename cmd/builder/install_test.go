package main

import (
	"archive/tar"
	"archive/zip"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// wheel puts a package into a folder that pip can install from.
func wheel(t *testing.T, dir string) {
	t.Helper()
	f, err := os.Create(filepath.Join(dir, "solo-1.0-py3-none-any.whl"))
	if err != nil {
		t.Fatal(err)
	}
	w := zip.NewWriter(f)
	for name, content := range map[string]string{
		"solo.py":                     "x = 1\n",
		"solo-1.0.dist-info/METADATA": "Metadata-Version: 2.1\nName: solo\nVersion: 1.0\n",
		"solo-1.0.dist-info/WHEEL":    "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
		"solo-1.0.dist-info/RECORD":   "",
	} {
		entry, err := w.Create(name)
		if err == nil {
			_, err = io.WriteString(entry, content)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := errors.Join(w.Close(), f.Close()); err != nil {
		t.Fatal(err)
	}
}

// TestResolveAndInstall runs this machine's pip on an environment of its own.
func TestResolveAndInstall(t *testing.T) {
	root, work, packages := t.TempDir(), t.TempDir(), t.TempDir()
	if out, err := exec.Command("python3", "-m", "venv", "--without-pip", "--system-site-packages", filepath.Join(root, "app")).CombinedOutput(); err != nil {
		t.Fatalf("this needs python3 with pip and venv: %v\n%s", err, out)
	}
	wheel(t, packages)
	t.Setenv("PIP_CONFIG_FILE", os.DevNull)
	interpreter := "--python=" + filepath.Join(root, "app/bin/python")
	t.Setenv("PIP_NO_INDEX", "1")
	t.Setenv("PIP_FIND_LINKS", "file://"+packages)
	list, lock, out := filepath.Join(work, "requirements.txt"), filepath.Join(work, "requirements.lock"), filepath.Join(work, "layer.tar")

	rewrite(t, list, "solo==2\n")
	expect(t, 1, "PackageNotFound: No matching distribution found for solo==2: the index has 1.0", "resolve", interpreter, "--requirements="+list, "--lock="+lock, "--work="+work, "--results="+t.TempDir())
	rewrite(t, list, "solo\n")
	expect(t, 1, "UnsupportedFile: Package \"solo\" cannot be locked: it comes from", "resolve", interpreter, "--requirements="+list, "--lock="+lock, "--work="+work, "--results="+t.TempDir())
	expect(t, 1, "ImageInvalid: The base image has no Python", "resolve", "--python=no-such-python", "--requirements="+list, "--results="+t.TempDir())

	hash := sum(t, filepath.Join(packages, "solo-1.0-py3-none-any.whl"))
	rewrite(t, lock, "solo==1.0 --hash=sha256:"+hash+"\n")
	results := t.TempDir()
	expect(t, 0, "", "install", interpreter, "--lock="+lock, "--layer="+out, "--root="+root, "--work="+work, "--results="+results)
	if got := read(t, results)["timings"]; !strings.Contains(got, `"removed":0`) {
		t.Errorf("timings are %s", got)
	}
	if got := strings.Join(entries(t, out), " "); !strings.Contains(got, "/solo.py") || !strings.Contains(got, "/__pycache__/solo.") {
		t.Errorf("the layer holds %s", got)
	}
	rewrite(t, lock, "solo==1.0 --hash=sha256:"+strings.Repeat("0", 64)+"\n")
	if err := os.RemoveAll(filepath.Join(root, "app/lib")); err != nil {
		t.Fatal(err)
	}
	expect(t, 1, "PackageNotFound: The package index no longer has the files that were locked: it has others for solo==1.0", "install", interpreter, "--lock="+lock, "--layer="+out, "--root="+root, "--work="+work, "--results="+results)
}

func sum(t *testing.T, path string) string {
	t.Helper()
	out, err := exec.Command("sha256sum", path).Output()
	if err != nil {
		t.Fatal(err)
	}
	return strings.Fields(string(out))[0]
}

func entries(t *testing.T, path string) []string {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var out []string
	for r := tar.NewReader(f); ; {
		h, err := r.Next()
		if errors.Is(err, io.EOF) {
			return out
		}
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, "/"+h.Name)
	}
}
