package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"os"
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
)

const goodLook = `{"python":"3.11.2","pip":"23.0","home":{"path":"/h","writable":true},"software":[{"name":"Notebook","version":"6.4"}],"packagesTotal":0}`

func TestUsage(t *testing.T) {
	cases := map[string]struct {
		args []string
		code int
		want string
	}{
		"Nothing":   {code: 2, want: "Usage: builder COMMAND"},
		"Unknown":   {args: []string{"build"}, code: 2, want: "Usage: builder COMMAND"},
		"Help":      {args: []string{"inspect", "-h"}, code: 0, want: "-image string"},
		"Flag":      {args: []string{"inspect", "--results=DIR", "--nope"}, code: 2, want: "flag provided but not defined: -nope"},
		"Argument":  {args: []string{"probe", "--results=DIR", "x; rm"}, code: 2, want: `unexpected argument "x; rm"`},
		"Platform":  {args: []string{"inspect", "--results=DIR", "--platform=a/b/c/d"}, code: 2, want: "cannot read platform"},
		"PlaceTo":   {args: []string{"place"}, code: 2, want: "--to is missing"},
		"Prefix":    {args: []string{"probe", "--results=DIR", "--prefix=x"}, code: 2, want: `--prefix "x" has to start with a slash and end without one`},
		"PrefixEnd": {args: []string{"probe", "--results=DIR", "--prefix=/x/"}, code: 2, want: `--prefix "/x/" has to start`},
		"Timeout":   {args: []string{"probe", "--results=DIR", "--startup-timeout=-1s"}, code: 2, want: "--startup-timeout has to be positive"},
		"Minimum":   {args: []string{"probe", "--results=DIR", "--minimum-python=new"}, code: 2, want: `--minimum-python "new" is not a version`},
		"Warnings":  {args: []string{"probe", "--results=DIR", "--warnings=speed"}, code: 2, want: `there is no check "speed"`},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			args := strings.Split(strings.ReplaceAll(strings.Join(tc.args, "\n"), "DIR", dir), "\n")
			if len(tc.args) == 0 {
				args = nil
			}
			var stderr bytes.Buffer
			if code := run(context.Background(), args, &stderr); code != tc.code || !strings.Contains(stderr.String(), tc.want) {
				t.Errorf("exit %d and %q, want %d and %q", code, stderr.String(), tc.code, tc.want)
			}
			if strings.Contains(strings.Join(args, " "), "--results") && !strings.HasPrefix(read(t, dir)["failure"], `{"reason":"InternalError"`) {
				t.Errorf("results are %v, want a failure", read(t, dir))
			}
		})
	}
}

func TestInspect(t *testing.T) {
	server := httptest.NewServer(registry.New(registry.Logger(log.New(io.Discard, "", 0))))
	t.Cleanup(server.Close)
	ref := strings.TrimPrefix(server.URL, "http://") + "/team/notebook:1"
	digest := push(t, ref)
	repository := strings.TrimSuffix(ref, ":1")

	dir := t.TempDir()
	expect(t, 0, "", "inspect", "--image="+ref, "--platform=linux/amd64", "--results="+dir, "--secret-name=meteor-no-secret", "--docker-config=/nonexistent")
	got := read(t, dir)
	if !strings.Contains(got["inspection"], `"cmd":["start"]`) {
		t.Errorf("inspection is %s", got["inspection"])
	}
	delete(got, "inspection")
	want := map[string]string{"image": repository + "@" + digest, "IMAGE_URL": ref, "IMAGE_DIGEST": digest}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("-want, +got:\n%s", diff)
	}

	dir = t.TempDir()
	expect(t, 1, "ImageNotFound: Image", "inspect", "--image="+repository+":2", "--platform=linux/amd64", "--results="+dir)
	want = map[string]string{"failure": fmt.Sprintf(`{"reason":"ImageNotFound","message":"Image \"%s:2\" was not found: repository \"%s\" has no \"2\""}`, repository, repository)}
	if diff := cmp.Diff(want, read(t, dir)); diff != "" {
		t.Errorf("-want, +got:\n%s", diff)
	}
}

func TestInspectWithABrokenSecret(t *testing.T) {
	dir, mount := t.TempDir(), t.TempDir()
	write(t, mount, ".dockerconfigjson", "{")
	expect(t, 1, `ImagePullUnauthorized: The pull secret "pull" cannot be used`, "inspect", "--image=quay.io/a/b", "--results="+dir, "--docker-config="+mount, "--secret-name=pull")
}

func TestPlace(t *testing.T) {
	path := filepath.Join(t.TempDir(), "bin", "builder")
	expect(t, 0, "", "place", "--to="+path)
	if info, err := os.Stat(path); err != nil || info.Mode() != 0o555 {
		t.Errorf("placed: %v, %v", info, err)
	}
	expect(t, 1, "InternalError: cannot", "place", "--to=/proc/nowhere/builder")
}

// The notebook is watched from its first answer on, which one step may note for another.
func TestAnswerIsHandedOn(t *testing.T) {
	notebook := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	bin, dir := t.TempDir(), t.TempDir()
	answer := filepath.Join(bin, "answer.json")
	write(t, dir, "look", goodLook)
	expect(t, 0, "", "place", "--to="+filepath.Join(bin, "builder"), "--answer="+answer, "--base="+notebook.URL, "--prefix=/p")
	notebook.Close()
	expect(t, 1, "stopped answering after it had answered", "probe", "--answer="+answer, "--base="+notebook.URL, "--prefix=/p", "--results="+dir)

	write(t, bin, "answer.json", "{")
	expect(t, 1, "InternalError: cannot read the first answer", "probe", "--answer="+answer, "--base="+notebook.URL, "--prefix=/p", "--results="+dir)
}

func TestLook(t *testing.T) {
	dir := t.TempDir()
	t.Setenv("PATH", "/nonexistent")
	t.Setenv("HOME", "/nonexistent")
	expect(t, 0, "", "look", "--results="+dir)
	want := map[string]string{"look": `{"home":{"path":"/nonexistent","writable":false},"packagesTotal":0}`}
	if diff := cmp.Diff(want, read(t, dir)); diff != "" {
		t.Errorf("-want, +got:\n%s", diff)
	}
}

func TestProbe(t *testing.T) {
	const prefix = "/notebook/ns/name"
	notebook := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != prefix+"/api" {
			w.WriteHeader(http.StatusNotFound)
		}
	}))
	t.Cleanup(notebook.Close)
	const nobody = "http://127.0.0.1:1"
	cases := map[string]struct {
		reason string
		base   string
		plant  map[string]string
		args   []string
		code   int
		want   map[string]string
	}{
		"Good": {
			reason: "A good image leaves no failure, not even a forged one, and no second copy of the look",
			base:   notebook.URL, plant: map[string]string{"look": goodLook, "failure": `{"reason":"ImageNotFound"}`, "checks": "forged"},
			want: map[string]string{"checks": `[]`, "probe": "ok"},
		},
		"NoLook": {
			reason: "A look that is missing is an error of its own",
			base:   notebook.URL, code: 1,
			want: map[string]string{
				"checks":  `[{"check":"look","severity":"error","message":"The image could not be looked into: the step that runs in the image left no result"}]`,
				"failure": `{"reason":"ValidationFailed","message":"The image could not be looked into: the step that runs in the image left no result"}`, "probe": "ok",
			},
		},
		"Garbage": {
			reason: "So is one that cannot be read",
			base:   notebook.URL, plant: map[string]string{"look": `"\u0000`}, code: 1,
			want: map[string]string{
				"checks":  `[{"check":"look","severity":"error","message":"The image could not be looked into: cannot parse look: unexpected end of JSON input"}]`,
				"failure": `{"reason":"ValidationFailed","message":"The image could not be looked into: cannot parse look: unexpected end of JSON input"}`, "probe": "ok",
			},
		},
		"Huge": {
			reason: "So is one that is too large",
			base:   notebook.URL, plant: map[string]string{"look": strings.Repeat("x", 1<<20)}, args: []string{"--warnings=look"},
			want: map[string]string{"checks": `[{"check":"look","severity":"warning","message":"The image could not be looked into: cannot read result \"look\": more than 8192 bytes"}]`, "probe": "ok"},
		},
		"OldAndSilent": {
			reason: "All that failed is told, from inside and outside",
			base:   nobody, plant: map[string]string{"look": strings.Replace(goodLook, "3.11.2", "3.6.9", 1)}, args: []string{"--minimum-python=3.8"}, code: 1,
			want: map[string]string{
				"checks":  `[{"check":"python-version","severity":"error","message":"Python version does not meet minimal required version ('3.8.0'): found 3.6.9"},{"check":"startup","severity":"error","message":"The notebook did not answer on port 8888 within 300ms"}]`,
				"failure": `{"reason":"ValidationFailed","message":"Python version does not meet minimal required version ('3.8.0'): found 3.6.9 (and 1 more)"}`, "probe": "timeout",
			},
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			for file, content := range tc.plant {
				write(t, dir, file, content)
			}
			args := append([]string{"probe", "--base=" + tc.base, "--prefix=" + prefix, "--startup-timeout=300ms", "--results=" + dir}, tc.args...)
			var stderr bytes.Buffer
			if code := run(context.Background(), args, &stderr); code != tc.code {
				t.Errorf("%s: exit %d, want %d: %s", tc.reason, code, tc.code, stderr.String())
			}
			got := read(t, dir)
			if outcome := `{"outcome":"` + tc.want["probe"] + `"`; !strings.HasPrefix(got["probe"], outcome) {
				t.Errorf("%s: probe is %s, want %s", tc.reason, got["probe"], outcome)
			}
			got["probe"] = tc.want["probe"]
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Errorf("%s: -want, +got:\n%s", tc.reason, diff)
			}
		})
	}
}

// A step that Tekton ends early must not leave a verdict.
func TestProbeInterrupted(t *testing.T) {
	dir := t.TempDir()
	write(t, dir, "look", goodLook)
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	var stderr bytes.Buffer
	code := run(ctx, []string{"probe", "--base=http://127.0.0.1:1", "--results=" + dir}, &stderr)
	got := read(t, dir)
	if code != 1 || got["checks"] != "" || !strings.HasPrefix(got["failure"], `{"reason":"InternalError","message":"cannot go on probing`) {
		t.Errorf("exit %d, results %v", code, got)
	}
}

func expect(t *testing.T, code int, says string, args ...string) {
	t.Helper()
	var stderr bytes.Buffer
	if got := run(context.Background(), args, &stderr); got != code || !strings.Contains(stderr.String(), says) {
		t.Fatalf("builder %s: exit %d, want %d and %q: %s", args[0], got, code, says, stderr.String())
	}
}

func push(t *testing.T, ref string) string {
	t.Helper()
	tag, err := name.ParseReference(ref)
	if err != nil {
		t.Fatal(err)
	}
	img, err := random.Image(16, 1)
	if err != nil {
		t.Fatal(err)
	}
	img, err = mutate.Config(img, v1.Config{Cmd: []string{"start"}})
	if err != nil {
		t.Fatal(err)
	}
	if err := remote.Write(tag, img); err != nil {
		t.Fatal(err)
	}
	digest, err := img.Digest()
	if err != nil {
		t.Fatal(err)
	}
	return digest.String()
}

func read(t *testing.T, dir string) map[string]string {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	found := map[string]string{}
	for _, entry := range entries {
		data, err := os.ReadFile(filepath.Join(dir, entry.Name()))
		if err != nil {
			t.Fatal(err)
		}
		found[entry.Name()] = string(data)
	}
	return found
}

func write(t *testing.T, dir, file, content string) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(dir, file), []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
}
