package main

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"io/fs"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

const password = "only-the-forwarder-knows"

// nosy is the back end of a package that puts all that it can see into what it installs, and says it besides.
const nosy = `
import base64, hashlib, os, sys, zipfile
SEEN = repr(sorted(os.environ.items()))
for pid in os.listdir("/proc"):
    for name in ("environ", "cmdline"):
        try:
            SEEN += repr(open("/proc/%s/%s" % (pid, name), "rb").read()) if pid == str(os.getppid()) else ""
        except OSError:
            pass
INFO = "nosy-1.0.dist-info"
META = "Metadata-Version: 2.1\nName: nosy\nVersion: 1.0\n"
WHEEL = "Wheel-Version: 1.0\nGenerator: nosy\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
def prepare_metadata_for_build_wheel(into, config_settings=None):
    os.makedirs(os.path.join(into, INFO))
    open(os.path.join(into, INFO, "METADATA"), "w").write(META)
    return INFO
def build_wheel(into, config_settings=None, metadata_directory=None):
    print("NOSY", SEEN, file=sys.stderr)
    name = "nosy-1.0-py3-none-any.whl"
    with zipfile.ZipFile(os.path.join(into, name), "w") as z:
        for path, text in (("nosy.py", "SEEN = %r\n" % SEEN), (INFO + "/METADATA", META), (INFO + "/WHEEL", WHEEL), (INFO + "/RECORD", "")):
            z.writestr(path, text)
    return name
`

// privateIndex has one package, for those who know the password.
func privateIndex(t *testing.T) string {
	t.Helper()
	var buf bytes.Buffer
	z := gzip.NewWriter(&buf)
	w := tar.NewWriter(z)
	for name, text := range map[string]string{
		"PKG-INFO":       "Metadata-Version: 2.1\nName: nosy\nVersion: 1.0\n",
		"pyproject.toml": "[build-system]\nrequires = []\nbuild-backend = \"backend\"\nbackend-path = [\".\"]\n",
		"backend.py":     nosy,
	} {
		if err := w.WriteHeader(&tar.Header{Typeflag: tar.TypeReg, Name: "nosy-1.0/" + name, Mode: 0o644, Size: int64(len(text))}); err != nil {
			t.Fatal(err)
		}
		_, _ = w.Write([]byte(text))
	}
	_, _ = w.Close(), z.Close()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch _, given, _ := r.BasicAuth(); {
		case given != password:
			w.WriteHeader(http.StatusUnauthorized)
		case r.URL.Path == "/simple/nosy/":
			w.Header().Set("Content-Type", "text/html")
			fmt.Fprintf(w, `<a href="/files/nosy-1.0.tar.gz#sha256=%x">nosy-1.0.tar.gz</a>`, sha256.Sum256(buf.Bytes()))
		case r.URL.Path == "/files/nosy-1.0.tar.gz":
			_, _ = w.Write(buf.Bytes())
		default:
			w.WriteHeader(http.StatusNotFound)
		}
	}))
	t.Cleanup(server.Close)
	return server.URL
}

// startForwarder runs the command as the pod does, and returns its address.
func startForwarder(t *testing.T, args ...string) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := listener.Addr().String()
	_ = listener.Close()
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan int)
	go func() {
		done <- run(ctx, append([]string{"forward", "--listen=" + address}, args...), os.Stderr)
	}()
	t.Cleanup(func() {
		stop()
		if code := <-done; code != 0 {
			t.Errorf("the forwarder ended with %d", code)
		}
	})
	for range 100 {
		if conn, err := net.Dial("tcp", address); err == nil {
			_ = conn.Close()
			return "http://" + address
		}
		time.Sleep(20 * time.Millisecond)
	}
	t.Fatal("the forwarder does not listen")
	return ""
}

// TestNoPackageSeesTheCredentials installs a package that looks for them from an index that wants them.
func TestNoPackageSeesTheCredentials(t *testing.T) {
	root, work, secret := t.TempDir(), t.TempDir(), t.TempDir()
	if out, err := exec.Command("python3", "-m", "venv", "--without-pip", "--system-site-packages", filepath.Join(root, "app")).CombinedOutput(); err != nil {
		t.Fatalf("this needs python3 with pip and venv: %v\n%s", err, out)
	}
	write(t, secret, "username", "ann")
	write(t, secret, "password", password+"\n")
	index := privateIndex(t)
	via := startForwarder(t, "--index-url="+index+"/simple/", "--credentials="+secret, "--index-ca=/nonexistent", "--extra-index-urls", "--trusted-hosts", "x.example")
	list, lock, out := filepath.Join(work, "requirements.txt"), filepath.Join(work, "requirements.lock"), filepath.Join(work, "layer.tar")
	expect(t, 0, "", "prepare", "--to="+filepath.Join(t.TempDir(), "builder"), "--requirements="+list, "--results="+t.TempDir(), "--", "nosy>=1")
	common := []string{
		"--python=" + filepath.Join(root, "app/bin/python"), "--lock=" + lock, "--work=" + work, "--index-url=" + index + "/simple/", "--index-via=" + via,
		"--extra-index-urls", "--trusted-hosts", "x.example", "--results=" + t.TempDir(),
	}
	expect(t, 0, "", append([]string{"resolve", "--requirements=" + list}, common...)...)
	expect(t, 0, "", append([]string{"install", "--layer=" + out, "--root=" + root}, common...)...)

	if text, err := os.ReadFile(lock); err != nil || !strings.Contains(string(text), "nosy==1.0") {
		t.Errorf("the lock is %q, %v", text, err)
	}
	if got := strings.Join(entries(t, out), " "); !strings.Contains(got, "/nosy.py") || !strings.Contains(got, "/__pycache__/nosy.") {
		t.Errorf("the layer holds %s", got)
	}
	searched := 0
	for _, dir := range []string{root, work} {
		_ = filepath.WalkDir(dir, func(path string, entry fs.DirEntry, _ error) error {
			if entry == nil || !entry.Type().IsRegular() {
				return nil
			}
			data, _ := os.ReadFile(path)
			searched += bytes.Count(data, []byte("SEEN = "))
			for _, form := range []string{password, base64.StdEncoding.EncodeToString([]byte("ann:" + password))} {
				if bytes.Contains(data, []byte(form)) {
					t.Errorf("%s holds the credentials", path)
				}
			}
			return nil
		})
	}
	if searched == 0 {
		t.Error("what the package saw was not found")
	}

	infos, err := filepath.Glob(filepath.Join(root, "app/lib/*/site-packages/nosy-1.0.dist-info"))
	if err != nil || len(infos) != 1 || os.RemoveAll(infos[0]) != nil {
		t.Fatalf("cannot forget the package: %v, %v", infos, err)
	}
	write(t, secret, "password", "wrong")
	via = startForwarder(t, "--index-url="+index+"/simple/", "--credentials="+secret)
	common[4] = "--index-via=" + via
	expect(t, 1, "PackageIndexUnavailable: The package index cannot be asked for nosy>=1: "+strings.TrimPrefix(index, "http://")+": it refuses the credentials of the package index", append([]string{"resolve", "--requirements=" + list}, common...)...)
}

func TestPrepare(t *testing.T) {
	dir := t.TempDir()
	list, to := filepath.Join(dir, "requirements.txt"), "--to="+filepath.Join(dir, "builder")
	base := []string{"prepare", to, "--requirements=" + list, "--results=" + t.TempDir()}
	expect(t, 0, "", append(base, "--", "pandas", "boto3[crt]>=1.24,<2; python_version >= '3.9'")...)
	if got, err := os.ReadFile(list); err != nil || string(got) != "pandas\nboto3[crt]>=1.24,<2; python_version >= '3.9'\n" {
		t.Errorf("requirements are %q, %v", got, err)
	}
	expect(t, 1, `UnsupportedFile: "--index-url=http://x" is no PEP 508 requirement that can be used: options`, append(base, "--", "--index-url=http://x")...)
	expect(t, 1, "UnsupportedFile: There is no package to install", append(base, "--")...)
	expect(t, 2, `unexpected argument "pandas"`, append(base, "pandas")...)
	expect(t, 2, "--to or --requirements is missing", "prepare", to, "--results="+t.TempDir(), "--", "pandas")
}
