package python_test

import (
	"archive/tar"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/meteor-zone/meteor-operator/internal/failure"
	"github.com/meteor-zone/meteor-operator/internal/layer"
	"github.com/meteor-zone/meteor-operator/internal/python"
)

const describes = `
import os, sys
def prepare_metadata_for_build_wheel(into, config_settings=None):
    info = "NAME-1.0.dist-info"
    os.makedirs(os.path.join(into, info))
    with open(os.path.join(into, info, "METADATA"), "w") as f:
        f.write("Metadata-Version: 2.1\nName: NAME\nVersion: 1.0\n")
    return info
`

const compiles = describes + `
def build_wheel(into, config_settings=None, metadata_directory=None):
    print("building 'NAME._speed' extension")
    print("speed.c:1:10: fatal error: Python.h: No such file or directory", file=sys.stderr)
    print("compilation terminated.", file=sys.stderr)
    print("error: command '/usr/bin/cc' failed with exit code 1", file=sys.stderr)
    sys.exit(1)
`

const refusesToStart = `
def prepare_metadata_for_build_wheel(into, config_settings=None):
    raise RuntimeError("libspeed is missing, install libspeed-dev")
`

// stock fills an index with what people run into.
func stock(t *testing.T) *index {
	i := newIndex(t)
	i.wheel(t, "solo", "1.0", nil, nil)
	i.wheel(t, "solo", "1.1", func(f *file) { f.yanked = "broken" }, nil)
	i.wheel(t, "new-only", "2.0", func(f *file) { f.python = ">=3.99" }, nil)
	i.wheel(t, "windows", "1.0", func(f *file) { f.name = "windows-1.0-cp311-cp311-win_amd64.whl" }, nil)
	i.wheel(t, "a", "1.0", nil, nil, "Requires-Dist: c==1.0")
	i.wheel(t, "b", "1.0", nil, nil, "Requires-Dist: c==2.0")
	i.wheel(t, "c", "1.0", nil, nil)
	i.wheel(t, "c", "2.0", nil, nil)
	i.wheel(t, "needs-ghost", "1.0", nil, nil, "Requires-Dist: ghost>=3")
	i.sdist(t, "compiles", "1.0", strings.ReplaceAll(compiles, "NAME", "compiles"))
	i.sdist(t, "refuses", "1.0", refusesToStart)
	i.sdist(t, "wants-setuptools", "1.0", "")
	for project, status := range map[string]int{
		"busy": http.StatusServiceUnavailable, "gateway": http.StatusBadGateway, "private": http.StatusUnauthorized, "blocked": http.StatusForbidden,
	} {
		i.answer[project] = status
	}
	i.wheel(t, "lost", "1.0", nil, nil)
	i.files["lost"][0].name = "lost-1.0-py3-none-any.whl"
	return i
}

func TestClassifyResolving(t *testing.T) {
	i := stock(t)
	// elsewhere are the cases in which other versions of pip have had other words.
	elsewhere := []string{"Version", "Conflict", "Metadata", "Down"}
	gone := httptest.NewServer(http.NotFoundHandler())
	gone.Close()
	here := python.Index{URL: i.simple()}
	cases := map[string]struct {
		from   python.Index
		ask    []string
		reason failure.Reason
		want   []string
	}{
		"Version":    {ask: []string{"solo==9"}, reason: failure.PackageNotFound, want: []string{"No matching distribution found for solo==9: the index has 1.0"}},
		"Package":    {ask: []string{"ghost"}, reason: failure.PackageNotFound, want: []string{"No matching distribution found for ghost: the index has no such package"}},
		"Python":     {ask: []string{"new-only"}, reason: failure.PackageNotFound, want: []string{"found for new-only: left out for this Python: 2.0 Requires-Python >=3.99"}},
		"Platform":   {ask: []string{"windows"}, reason: failure.PackageNotFound, want: []string{"nothing for this Python and platform"}},
		"Transitive": {ask: []string{"needs-ghost"}, reason: failure.PackageNotFound, want: []string{"No matching distribution found for ghost>=3, which needs-ghost asks for"}},
		"Conflict":   {ask: []string{"a", "b"}, reason: failure.PackageConflict, want: []string{"Cannot install ", " together: a 1.0 depends on c==1.0; b 1.0 depends on c==2.0"}},
		"Asked":      {ask: []string{"a", "c==2.0"}, reason: failure.PackageConflict, want: []string{"a 1.0 depends on c==1.0", "c==2.0 is asked for"}},
		"Metadata":   {ask: []string{"refuses"}, reason: failure.PackageBuildFailed, want: []string{"Package \"refuses\" could not be built from source: ", "RuntimeError: libspeed is missing, install libspeed-dev"}},
		"Busy":       {ask: []string{"solo", "busy"}, reason: failure.PackageIndexUnavailable, want: []string{"The package index cannot be asked for busy: 127.0.0.1:", "it answered with status 503 each time"}},
		"Gateway":    {ask: []string{"gateway>1"}, reason: failure.PackageIndexUnavailable, want: []string{"it answered with status 502 (Bad Gateway)"}},
		"Private":    {ask: []string{"private"}, reason: failure.PackageIndexUnavailable, want: []string{"it answered with status 401 (Unauthorized)"}},
		"Blocked":    {ask: []string{"blocked"}, reason: failure.PackageIndexUnavailable, want: []string{"it answered with status 403 (Forbidden)"}},
		"Down":       {from: python.Index{URL: gone.URL + "/simple"}, ask: []string{"solo"}, reason: failure.PackageIndexUnavailable, want: []string{"cannot be asked for solo: 127.0.0.1:", "it cannot be reached: Connection refused"}},
		"ExtraDown":  {from: python.Index{URL: i.simple(), ExtraURLs: []string{gone.URL + "/simple"}}, ask: []string{"ghost"}, reason: failure.PackageIndexUnavailable, want: []string{"Connection refused"}},
		"NoTLS":      {from: python.Index{URL: strings.Replace(i.url, "http://", "https://", 1) + "/simple"}, ask: []string{"solo"}, reason: failure.PackageIndexUnavailable, want: []string{"it cannot be asked over TLS: "}},
		"Untrusted":  {from: python.Index{URL: "http://index.invalid/simple"}, ask: []string{"solo"}, reason: failure.PackageIndexUnavailable, want: []string{`host "index.invalid" is not asked`, "packageIndex.trustedHosts"}},
		"Invalid":    {ask: []string{"solo >< 1"}, reason: failure.UnsupportedFile, want: []string{"'solo >< 1' is no requirement that pip understands"}},
	}
	for n, interpreter := range interpreters(t) {
		e := newEnvironment(t, interpreter, t.TempDir())
		for name, tc := range cases {
			if n > 0 && !slices.Contains(elsewhere, name) {
				continue
			}
			t.Run(fmt.Sprint(name, n), func(t *testing.T) {
				from := tc.from
				if from.URL == "" {
					from = here
				}
				_, log, err := e.resolve(t, from, tc.ask...)
				if err == nil {
					t.Fatal("pip found a way")
				}
				expect(t, log, tc.reason, tc.want)
			})
		}
	}
}

// expect classifies a log and checks what comes out.
func expect(t *testing.T, log string, reason failure.Reason, want []string) {
	t.Helper()
	data, err := os.ReadFile(log)
	must(t, err)
	got := python.Classify(bytes.NewReader(data), python.Index{})
	if got.Reason != reason {
		t.Errorf("got %s, want %s\n%s", got, reason, data)
	}
	for _, part := range want {
		if !strings.Contains(got.Message, part) {
			t.Errorf("got %q, want %q in it", got.Message, part)
		}
	}
	if strings.Contains(got.Message, "secret-word") || strings.Contains(got.Message, "ann:") {
		t.Errorf("the message tells the credentials: %s", got.Message)
	}
}

func TestClassifyInstalling(t *testing.T) {
	i := stock(t)
	from := python.Index{URL: i.simple()}
	e := newEnvironment(t, interpreters(t)[0], t.TempDir())
	report, _, err := e.resolve(t, from, "solo", "compiles", "lost")
	must(t, err)
	lock := parse(t, report)
	only := func(name string) []byte {
		for _, p := range lock.Packages {
			if p.Name == name {
				return (&python.Lock{Packages: []python.Package{p}}).Requirements()
			}
		}
		t.Fatalf("no %s in the lock", name)
		return nil
	}
	i.answer["lost"] = http.StatusGone
	i.wheel(t, "solo", "1.0", nil, map[string]string{"solo.py": "other = True\n"})
	i.files["solo"] = i.files["solo"][len(i.files["solo"])-1:]
	cases := map[string]struct {
		lock   []byte
		reason failure.Reason
		want   []string
	}{
		"Compiler":  {lock: only("compiles"), reason: failure.PackageBuildFailed, want: []string{"Package \"compiles\" could not be built from source: building 'compiles._speed' extension | speed.c:1:10: fatal error: Python.h: No such file or directory | compilation terminated. | error: command '/usr/bin/cc' failed with exit code 1"}},
		"Exchanged": {lock: only("solo"), reason: failure.PackageNotFound, want: []string{"no longer has the files that were locked: it has others for solo==1.0"}},
		"Lost":      {lock: only("lost"), reason: failure.PackageIndexUnavailable, want: []string{"410"}},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			log, err := e.install(t, from, tc.lock)
			if err == nil {
				t.Fatal("pip installed it")
			}
			expect(t, log, tc.reason, tc.want)
		})
	}
}

func TestClassifyOutput(t *testing.T) {
	cases := map[string]struct {
		log    string
		reason failure.Reason
		want   string
	}{
		"Nothing":     {log: "", reason: failure.BuildFailed, want: "pip failed and did not say why"},
		"Unknown":     {log: "ERROR: something else\n", reason: failure.BuildFailed, want: "pip failed: something else"},
		"NoPip":       {log: "/opt/app-root/bin/python3: No module named pip\n", reason: failure.ImageInvalid, want: "The base image's Python does not install packages: /opt/app-root/bin/python3: No module named pip"},
		"ReadOnly":    {log: "ERROR: Could not install packages due to an OSError: [Errno 13] Permission denied: '/usr/lib/python3/x'\n", reason: failure.ImageInvalid, want: "The base image does not let its users install packages: Permission denied: /usr/lib/python3/x"},
		"Crash":       {log: "Traceback (most recent call last):\nPermissionError: [Errno 13] Permission denied: '/x'\n", reason: failure.ImageInvalid, want: "The base image does not let its users install packages: Permission denied: /x"},
		"DiskFull":    {log: "ERROR: Could not install packages due to an OSError: [Errno 28] No space left on device\n", reason: failure.BuildFailed, want: "There is not enough disk space to install the packages"},
		"TimedOut":    {log: "pip._vendor.urllib3.exceptions.ReadTimeoutError: HTTPConnectionPool(host='x', port=80): Read timed out.\n", reason: failure.PackageIndexUnavailable, want: "The package index cannot be asked: it took too long to answer"},
		"Credentials": {log: "ERROR: HTTP error 503 while getting https://ann:secret@host/x.whl\n", reason: failure.PackageIndexUnavailable, want: "The package index answered with status 503 for https://host/x.whl"},
		"ManyVersions": {
			log:    "2026-01-01T00:00:00,000 ERROR: Could not find a version that satisfies the requirement x>9 (from versions: 1, 2, 3, 4, 5, 6, 7, 8)\n",
			reason: failure.PackageNotFound, want: "No matching distribution found for x>9: the index has …, 3, 4, 5, 6, 7, 8",
		},
		"BuildNeedsIndex": {
			log: "Collecting x==1\n× pip subprocess to install build dependencies did not run successfully.\n╰─> [3 lines of output]\n" +
				"WARNING: Retrying (Retry(total=0)) after connection broken by 'refused': /simple/setuptools/\nERROR: No matching distribution found for setuptools\n[end of output]\n",
			reason: failure.PackageIndexUnavailable, want: "The package index cannot be asked for what building \"x==1\" needs: refused",
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			want := failure.New(tc.reason, "%s", tc.want)
			if diff := cmp.Diff(want, python.Classify(strings.NewReader(tc.log), python.Index{})); diff != "" {
				t.Errorf("-want, +got:\n%s", diff)
			}
		})
	}
}

func FuzzClassify(f *testing.F) {
	f.Add([]byte("ERROR: Could not find a version that satisfies the requirement x (from versions: none)\n"))
	f.Add([]byte("× Building wheel for  did not run successfully.\n╰─> [1 lines of output]\n x\n[end of output]\n"))
	f.Add([]byte("ERROR: Cannot install a because these package versions have conflicting dependencies.\nThe conflict is caused by:\n x\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		got := python.Classify(bytes.NewReader(data), python.Index{})
		encoded, err := json.Marshal(got)
		must(t, err)
		if _, err := failure.Parse(encoded); err != nil {
			t.Errorf("%q gave what is no failure: %v", data, err)
		}
	})
}

func parse(t *testing.T, report string) *python.Lock {
	t.Helper()
	f, err := os.Open(report)
	must(t, err)
	lock, err := python.ParseReport(f, python.Index{})
	must(t, errors.Join(err, f.Close()))
	return lock
}

// TestSameLockSameLayer installs a lock twice, at different times, and packs what that changed.
func TestSameLockSameLayer(t *testing.T) {
	i := newIndex(t)
	module := strings.Repeat("def f(a={1, 2, 'x'}):\n    return {'a', 'b', 'c'} & set(a)\n", 20)
	i.wheel(t, "tool", "1.0", nil, map[string]string{
		"tool/__init__.py": module, "tool/deep/__init__.py": "import tool\n", "tool/data.bin": "\x00\x01",
		"STEM.dist-info/entry_points.txt": "[console_scripts]\ntool = tool:f\n",
	}, "Requires-Dist: lib>=1")
	i.wheel(t, "lib", "1.0", nil, map[string]string{"lib.py": module})
	from := python.Index{URL: i.simple()}
	root := filepath.Join(t.TempDir(), "image")
	var lock []byte
	build := func() (*environment, []byte) {
		e := newEnvironment(t, interpreters(t)[0], root)
		before, err := layer.Note(layer.Options{Root: root})
		must(t, err)
		report, _, err := e.resolve(t, from, "tool")
		must(t, err)
		again := parse(t, report).Requirements()
		if lock != nil && !bytes.Equal(lock, again) {
			t.Errorf("two locks of the same:\n%s\n%s", lock, again)
		}
		lock = again
		_, err = e.install(t, from, lock)
		must(t, err)
		var out bytes.Buffer
		_, err = layer.Pack(&out, layer.Options{Root: root}, before)
		must(t, err)
		return e, out.Bytes()
	}
	_, first := build()
	time.Sleep(1100 * time.Millisecond)
	e, second := build()
	if !bytes.Equal(first, second) {
		t.Error("the same lock gave two layers")
	}
	if bytes.Contains(first, []byte("secret-word")) || bytes.Contains(lock, []byte("secret-word")) {
		t.Error("the index's credentials are in the image or the lock")
	}
	compiledIsUsed(t, e, first)
}

// compiledIsUsed puts a layer in place and looks whether Python takes its byte code.
func compiledIsUsed(t *testing.T, e *environment, data []byte) {
	t.Helper()
	for r := tar.NewReader(bytes.NewReader(data)); ; {
		h, err := r.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		must(t, err)
		at := filepath.Join(e.root, h.Name)
		if h.Typeflag == tar.TypeReg {
			content, err := io.ReadAll(r)
			must(t, err)
			must(t, os.WriteFile(at, content, 0o644))
			must(t, os.Chtimes(at, h.ModTime, h.ModTime))
		}
	}
	out, err := exec.Command(e.bin(), "-B", "-v", "-c", "import lib, tool.deep").CombinedOutput()
	must(t, err)
	if n := strings.Count(string(out), "site-packages"); n == 0 {
		t.Errorf("nothing was imported:\n%s", out)
	}
	for _, module := range []string{"lib.", "tool/__pycache__", "tool/deep/__pycache__"} {
		used := false
		for line := range strings.Lines(string(out)) {
			used = used || strings.Contains(line, "code object from") && strings.Contains(line, module) && strings.Contains(line, ".pyc'")
		}
		if !used {
			t.Errorf("the byte code of %s was not used:\n%s", module, out)
		}
	}
}
