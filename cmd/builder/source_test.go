package main

import (
	"context"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/registry"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/random"
	"github.com/google/go-containerregistry/pkg/v1/remote"

	"github.com/meteor-zone/meteor-operator/internal/git/gittest"
)

// TestMain lets the test be the program that one of the commands starts.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 && os.Args[1] == "assemble" {
		os.Exit(run(context.Background(), os.Args[1:], os.Stderr))
	}
	os.Exit(m.Run())
}

// builderBase pushes an image that source-to-image can build with.
func builderBase(t *testing.T, ref string) {
	t.Helper()
	tag, err := name.ParseReference(ref)
	if err != nil {
		t.Fatal(err)
	}
	img, err := random.Image(16, 1)
	if err == nil {
		img, err = mutate.Config(img, v1.Config{Cmd: []string{"usage"}, Labels: map[string]string{"io.openshift.s2i.scripts-url": "image:///usr/libexec/s2i"}})
	}
	if err == nil {
		err = remote.Write(tag, img)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// simpleIndex serves the one package that there is.
func simpleIndex(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	wheel(t, dir)
	const file = "solo-1.0-py3-none-any.whl"
	hash := sum(t, filepath.Join(dir, file))
	mux := http.NewServeMux()
	mux.Handle("/files/", http.StripPrefix("/files/", http.FileServer(http.Dir(dir))))
	mux.HandleFunc("/simple/solo/", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/html")
		fmt.Fprintf(w, `<a href="/files/%s#sha256=%s">%s</a>`, file, hash, file)
	})
	server := httptest.NewServer(mux)
	t.Cleanup(server.Close)
	return server.URL + "/simple/"
}

func TestRepositoryBecomesAnImage(t *testing.T) {
	repositories, root, folders := t.TempDir(), t.TempDir(), t.TempDir()
	commit := gittest.Init(t, repositories, "open/notes.git").Commit(map[string]string{
		"requirements.txt": "solo\n", "a.ipynb": "{}", "x:postBuild": "#!/bin/sh\necho yes > said\n", "runtime.txt": "python-3.8",
	})
	server := httptest.NewServer(registry.New(registry.Logger(log.New(io.Discard, "", 0)), registry.WithReferrersSupport(true)))
	t.Cleanup(server.Close)
	host := strings.TrimPrefix(server.URL, "http://")
	base := host + "/team/base:1"
	digest := push(t, base)
	url, index := gittest.HTTP(t, repositories)+"/open/notes.git", simpleIndex(t)
	dir := func(name string) string {
		path := filepath.Join(folders, name)
		if err := os.MkdirAll(path, 0o755); err != nil {
			t.Fatal(err)
		}
		return path
	}

	expect(t, 0, "", "fetch", "--url="+url, "--ref=main", "--to="+dir("fetched"), "--scratch="+dir("scratch"), "--default-image="+base, "--platform=linux/amd64",
		"--git-secret=/nonexistent", "--git-secret-name=meteor-no-secret", "--secret-name=meteor-no-secret", "--results="+dir("one"))
	want := map[string]string{
		"commit": commit, "kind": "layer", "containerfile": "", "image": host + "/team/base@" + digest,
		"plan": `{"kind":"layer","files":["requirements.txt","postBuild"],"base":"` + base + `","s2i":false,"ignored":["runtime.txt: the Python is the base image's"]}`,
	}
	if diff := cmp.Diff(want, read(t, dir("one"))); diff != "" {
		t.Fatalf("-want, +got:\n%s", diff)
	}
	source, bin := dir("source"), filepath.Join(dir("bin"), "builder")
	expect(t, 0, "", "source", "--url="+url, "--ref=main", "--commit="+commit, "--plan="+want["plan"], "--to="+bin, "--source="+source, "--scratch="+dir("scratch"), "--results="+dir("two"))
	if _, err := os.Stat(bin); err != nil {
		t.Error(err)
	}

	if out, err := exec.Command("python3", "-m", "venv", "--without-pip", filepath.Join(root, "app")).CombinedOutput(); err != nil {
		t.Fatalf("this needs python3 with pip and venv: %v\n%s", err, out)
	}
	python := filepath.Join(root, "app/bin/python")
	if out, err := exec.Command("python3", "-m", "pip", "--python", python, "--version").CombinedOutput(); err != nil {
		t.Fatalf("this needs a pip that can work for another Python: %v\n%s", err, out)
	}
	// The environment has no pip of its own, so that the layer has none.
	t.Setenv("PIP_PYTHON", python)
	lock, layer, work := filepath.Join(dir("lock"), "requirements.lock"), filepath.Join(dir("layer"), "layer.tar"), dir("work")
	common := []string{"--source=" + source, "--lock=" + lock, "--work=" + work, "--index-url=" + index}
	expect(t, 0, "", append([]string{"resolve-repository", "--results=" + dir("three")}, common...)...)
	if data, err := os.ReadFile(lock); err != nil || !strings.Contains(string(data), "solo==1.0 \\\n    --hash=sha256:") {
		t.Fatalf("the lock is %s, %v", data, err)
	}
	// What is compiled and where content goes is asked of the Python that installs.
	t.Setenv("PATH", filepath.Join(root, "app/bin")+":"+os.Getenv("PATH"))
	t.Setenv("PYTHONPATH", pipOf(t))
	t.Setenv("PIP_PYTHON", "")
	expect(t, 0, "", append([]string{"install-repository", "--results=" + dir("four"), "--layer=" + layer, "--root=" + root}, common...)...)
	got := strings.Join(entries(t, layer), "\n")
	for _, part := range []string{
		"/site-packages/solo.py", "/site-packages/meteor_repository.py", "app/etc/jupyter/jupyter_server_config.d/meteor_repository.json",
		"app/share/meteor/repository/notes/a.ipynb", "app/share/meteor/repository/notes/said",
	} {
		if !strings.Contains(got, part) {
			t.Errorf("%s is not in the layer:\n%s", part, got)
		}
	}

	expect(t, 0, "", "push", "--layer="+layer, "--lock="+lock, "--scratch="+dir("scratch"), "--base="+want["image"], "--target="+host+"/ns/built:1", "--platform=linux/amd64",
		"--source-url="+url, "--source-commit="+commit, "--plan="+want["plan"], "--results="+dir("five"))
	config := configOf(t, read(t, dir("five"))["image"])
	labels := map[string]string{"org.opencontainers.image.source": url, "org.opencontainers.image.revision": commit}
	if diff := cmp.Diff(labels, config.Config.Labels); diff != "" {
		t.Errorf("labels: -want, +got:\n%s", diff)
	}
	if diff := cmp.Diff([]string{"start"}, config.Config.Cmd); diff != "" {
		t.Errorf("command: -want, +got:\n%s", diff)
	}
}

// pipOf is the folder that has the machine's pip.
func pipOf(t *testing.T) string {
	t.Helper()
	cmd := exec.Command("python3", "-c", "import os, pip; print(os.path.dirname(os.path.dirname(pip.__file__)))")
	cmd.Env = append(os.Environ(), "PATH="+strings.SplitN(os.Getenv("PATH"), ":", 2)[1])
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("this needs python3 with pip: %v", err)
	}
	return strings.TrimSpace(string(out))
}

func configOf(t *testing.T, image string) *v1.ConfigFile {
	t.Helper()
	ref, err := name.ParseReference(image)
	if err != nil {
		t.Fatal(err)
	}
	img, err := remote.Image(ref)
	if err != nil {
		t.Fatal(err)
	}
	config, err := img.ConfigFile()
	if err != nil {
		t.Fatal(err)
	}
	return config
}

func TestFetch(t *testing.T) {
	repositories := t.TempDir()
	gittest.Init(t, repositories, "plain.git").Commit(map[string]string{"requirements.txt": "solo\n"})
	gittest.Init(t, repositories, "container.git").Commit(map[string]string{"Containerfile": "FROM x\n"})
	gittest.Init(t, repositories, "named.git").Commit(map[string]string{".aicoe-ci.yaml": "build:\n  base-image: HOST/none:1\n"})
	gittest.Init(t, repositories, "apt.git").Commit(map[string]string{"apt.txt": "gcc\n"})
	url := gittest.HTTP(t, repositories)
	server := httptest.NewServer(registry.New(registry.Logger(log.New(io.Discard, "", 0))))
	t.Cleanup(server.Close)
	base := strings.TrimPrefix(server.URL, "http://") + "/team/s2i:1"
	builderBase(t, base)
	gittest.Open(t, repositories, "named.git").Commit(map[string]string{".aicoe-ci.yaml": "build:\n  base-image: " + strings.Replace(base, "s2i", "none", 1) + "\n"})

	cases := map[string]struct {
		args []string
		code int
		says string
		plan string
	}{
		"S2I":        {args: []string{"--url=" + url + "/plain.git", "--base-image=" + base}, plan: `{"kind":"layer","files":["requirements.txt"],"base":"` + base + `","s2i":true,"scripts":"/usr/libexec/s2i"}`},
		"Container":  {args: []string{"--url=" + url + "/container.git", "--default-image=" + base}, plan: `{"kind":"containerfile","files":["Containerfile"],"s2i":false}`},
		"SwitchedOf": {args: []string{"--url=" + url + "/container.git", "--containerfiles=false"}, code: 1, says: "UnsupportedFile"},
		"Apt":        {args: []string{"--url=" + url + "/apt.git", "--base-image=" + base}, code: 1, says: "UnsupportedFile: \"apt.txt\""},
		"NamedWrong": {args: []string{"--url=" + url + "/named.git"}, code: 1, says: "ImageNotFound: .aicoe-ci.yaml names a base image that cannot be used"},
		"Gone":       {args: []string{"--url=" + url + "/gone.git"}, code: 1, says: "GitAuthenticationFailed"},
		"NoURL":      {code: 2, says: "--url is missing"},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			expect(t, tc.code, tc.says, append([]string{"fetch", "--to=" + t.TempDir(), "--scratch=" + t.TempDir(), "--platform=linux/amd64", "--results=" + dir}, tc.args...)...)
			got := read(t, dir)
			if got["plan"] != tc.plan || (got["failure"] == "") != (tc.code == 0) {
				t.Errorf("results are %v", got)
			}
		})
	}
}

func TestSourceRefusesIndexes(t *testing.T) {
	repositories := t.TempDir()
	commit := gittest.Init(t, repositories, "notes.git").Commit(map[string]string{"requirements.txt": "-i https://other.example/simple\nsolo\n"})
	args := []string{"source", "--url=" + gittest.HTTP(t, repositories) + "/notes.git", "--commit=" + commit, `--plan={"kind":"layer"}`, "--scratch=" + t.TempDir(), "--results=" + t.TempDir(), "--to=" + filepath.Join(t.TempDir(), "builder")}
	expect(t, 1, "UnsupportedFile: requirements.txt:1 names package index", append(args, "--source="+t.TempDir(), "--index-url=https://mirror.example/simple")...)
	expect(t, 0, "", append(args, "--source="+t.TempDir(), "--index-url=https://mirror.example/simple", "--extra-index-urls", "https://other.example/simple/")...)
	expect(t, 2, "--commit is missing", "source", "--to=x", "--source=y", "--results="+t.TempDir())
	expect(t, 2, "cannot read plan", append(args, "--source="+t.TempDir(), "--plan={")...)
}
