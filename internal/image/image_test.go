package image_test

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/registry"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/random"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/types"
	"github.com/google/go-containerregistry/pkg/v1/validate"

	"github.com/meteor-zone/meteor-operator/internal/credentials"
	"github.com/meteor-zone/meteor-operator/internal/failure"
	"github.com/meteor-zone/meteor-operator/internal/image"
	"github.com/meteor-zone/meteor-operator/internal/layer"
)

// server is a registry that keeps what its repositories hold apart, as real ones do, and counts.
type server struct {
	host    string
	backend http.Handler
	mounts  bool
	// intercept answers a request instead of the registry, if it says so.
	intercept func(w http.ResponseWriter, r *http.Request) bool

	mu  sync.Mutex
	has map[string]bool
	// What was received, sent and mounted.
	uploaded, downloaded, mounted atomic.Int64
}

func serve(t *testing.T, edit func(*server), options ...registry.Option) *server {
	t.Helper()
	s := &server{
		backend: registry.New(append(options, registry.Logger(log.New(io.Discard, "", 0)))...),
		mounts:  true, has: map[string]bool{},
	}
	if edit != nil {
		edit(s)
	}
	web := httptest.NewServer(s)
	t.Cleanup(web.Close)
	s.host = strings.TrimPrefix(web.URL, "http://")
	return s
}

func (s *server) forget() {
	s.uploaded.Store(0)
	s.downloaded.Store(0)
	s.mounted.Store(0)
}

func (s *server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if s.intercept != nil && s.intercept(w, r) {
		return
	}
	repository, blob, isBlob := strings.Cut(strings.TrimPrefix(r.URL.Path, "/v2/"), "/blobs/")
	if !isBlob {
		s.backend.ServeHTTP(w, r)
		return
	}
	query := r.URL.Query()
	r.Body = &countingBody{ReadCloser: r.Body, n: &s.uploaded}
	switch {
	case r.Method == http.MethodPost && s.mount(repository, query.Get("mount"), query.Get("from")):
		w.WriteHeader(http.StatusCreated)
		return
	case r.Method == http.MethodPost:
		r.URL.RawQuery = ""
	case (r.Method == http.MethodHead || r.Method == http.MethodGet) && !s.holds(repository, blob):
		refuse(w, http.StatusNotFound, "BLOB_UNKNOWN", "blob unknown to repository")
		return
	}
	s.backend.ServeHTTP(&countingWriter{ResponseWriter: w, n: &s.downloaded}, r)
	s.mu.Lock()
	defer s.mu.Unlock()
	if digest := query.Get("digest"); digest != "" {
		s.has[repository+"@"+digest] = true
	}
}

func (s *server) holds(repository, digest string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.has[repository+"@"+digest]
}

func (s *server) mount(repository, digest, from string) bool {
	if !s.mounts || !s.holds(from, digest) {
		return false
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.has[repository+"@"+digest] = true
	s.mounted.Add(1)
	return true
}

type countingBody struct {
	io.ReadCloser
	n *atomic.Int64
}

func (b *countingBody) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	b.n.Add(int64(n))
	return n, err
}

type countingWriter struct {
	http.ResponseWriter
	n *atomic.Int64
}

func (w *countingWriter) Write(p []byte) (int, error) {
	w.n.Add(int64(len(p)))
	return w.ResponseWriter.Write(p)
}

func refuse(w http.ResponseWriter, status int, code, message string) {
	w.WriteHeader(status)
	fmt.Fprintf(w, `{"errors":[{"code":%q,"message":%q}]}`, code, message)
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

const baseSize = 1 << 20

// base pushes an image to build on, and returns its name with its digest.
func base(t *testing.T, s *server, oci bool) string {
	t.Helper()
	img := empty.Image
	if oci {
		img = mutate.ConfigMediaType(mutate.MediaType(img, types.OCIManifestSchema1), types.OCIConfigJSON)
	}
	kind := types.DockerLayer
	if oci {
		kind = types.OCILayer
	}
	for range 2 {
		l, err := random.Layer(baseSize, kind)
		must(t, err)
		img, err = mutate.Append(img, mutate.Addendum{Layer: l, MediaType: kind, History: v1.History{CreatedBy: "RUN base"}})
		must(t, err)
	}
	config, err := img.ConfigFile()
	must(t, err)
	config = config.DeepCopy()
	config.OS, config.Architecture = "linux", "amd64"
	config.Created = v1.Time{Time: time.Date(2024, 5, 6, 7, 8, 9, 0, time.UTC)}
	config.Config.Cmd, config.Config.Env = []string{"start-notebook.sh"}, []string{"PATH=/opt/app-root/bin:/usr/bin"}
	img, err = mutate.ConfigFile(img, config)
	must(t, err)
	digest, err := img.Digest()
	must(t, err)
	ref, err := name.NewDigest(s.host + "/base/notebook@" + digest.String())
	must(t, err)
	must(t, remote.Write(ref, img))
	s.forget()
	return ref.Name()
}

// prepare makes a layer as Pack writes it, of one file of some size.
func prepare(t *testing.T, size int) *image.Layer {
	t.Helper()
	content := make([]byte, size)
	_, _ = rand.NewChaCha8([32]byte{}).Read(content)
	path := filepath.Join(t.TempDir(), "layer.tar")
	var buf bytes.Buffer
	w := tar.NewWriter(&buf)
	if size > 0 {
		must(t, w.WriteHeader(&tar.Header{Typeflag: tar.TypeDir, Name: "opt/", Mode: 0o775}))
		must(t, w.WriteHeader(&tar.Header{Typeflag: tar.TypeReg, Name: "opt/file", Mode: 0o664, Size: int64(size)}))
		_, err := w.Write(content)
		must(t, err)
	}
	must(t, w.Close())
	must(t, os.WriteFile(path, buf.Bytes(), 0o600))
	l, err := image.Prepare(path, t.TempDir(), layer.Limits{})
	must(t, err)
	t.Cleanup(func() { must(t, l.Close()) })
	return l
}

func options(base, target string) image.Options {
	return image.Options{
		Base: image.Side{Image: base}, Target: image.Side{Image: target}, Platform: v1.Platform{OS: "linux", Architecture: "amd64"},
		CreatedBy: "RUN pip install --requirement requirements.lock", Wait: time.Millisecond,
	}
}

func push(t *testing.T, o image.Options, l *image.Layer) (*image.Pusher, *image.Result) {
	t.Helper()
	p, err := image.NewPusher(o)
	must(t, err)
	result, err := p.Push(t.Context(), l)
	must(t, err)
	return p, result
}

func pull(t *testing.T, ref string) v1.Image {
	t.Helper()
	parsed, err := name.ParseReference(ref)
	must(t, err)
	img, err := remote.Image(parsed)
	must(t, err)
	return img
}

func TestPush(t *testing.T) {
	for kind, oci := range map[string]bool{"Docker": false, "OCI": true} {
		t.Run(kind, func(t *testing.T) {
			s := serve(t, nil)
			from := base(t, s, oci)
			l := prepare(t, 3<<20)
			o := options(from, s.host+"/ns/built:one")
			o.Edit = func(c *v1.Config) { c.Labels = map[string]string{"a": "b"} }
			_, result := push(t, o, l)

			if s.mounted.Load() != 2 || s.downloaded.Load() > 20<<10 || s.uploaded.Load() > result.LayerSize+20<<10 {
				t.Errorf("%d layers mounted, %d bytes downloaded, %d uploaded; want the base's 2 layers mounted and only the new one's %d uploaded",
					s.mounted.Load(), s.downloaded.Load(), s.uploaded.Load(), result.LayerSize)
			}
			img := pull(t, result.Image)
			must(t, validate.Image(img))
			check(t, img, from, oci)
		})
	}
}

func check(t *testing.T, img v1.Image, from string, oci bool) {
	t.Helper()
	config, err := img.ConfigFile()
	must(t, err)
	history := config.History[len(config.History)-1]
	created := v1.Time{Time: time.Date(2024, 5, 6, 7, 8, 9, 0, time.UTC)}
	if diff := cmp.Diff(v1.History{Created: created, CreatedBy: "RUN pip install --requirement requirements.lock"}, history); diff != "" {
		t.Errorf("history: -want, +got:\n%s", diff)
	}
	wantConfig := v1.Config{
		Cmd: []string{"start-notebook.sh"}, Env: []string{"PATH=/opt/app-root/bin:/usr/bin"}, Labels: map[string]string{"a": "b"},
	}
	if diff := cmp.Diff(wantConfig, config.Config); diff != "" {
		t.Errorf("config: -want, +got:\n%s", diff)
	}
	manifest, err := img.Manifest()
	must(t, err)
	wantType, wantAnnotations := types.DockerLayer, map[string]string(nil)
	if oci {
		repository, digest, _ := strings.Cut(from, "@")
		wantType = types.OCILayer
		wantAnnotations = map[string]string{"org.opencontainers.image.base.name": repository, "org.opencontainers.image.base.digest": digest}
	}
	if got := manifest.Layers[len(manifest.Layers)-1].MediaType; got != wantType || len(manifest.Layers) != 3 {
		t.Errorf("%d layers, the last of type %s; want 3 and %s", len(manifest.Layers), got, wantType)
	}
	if diff := cmp.Diff(wantAnnotations, manifest.Annotations); diff != "" {
		t.Errorf("annotations: -want, +got:\n%s", diff)
	}
}

func TestPushTwiceUploadsNothing(t *testing.T) {
	s := serve(t, nil)
	from := base(t, s, true)
	_, first := push(t, options(from, s.host+"/ns/built:one"), prepare(t, 3<<20))
	s.forget()
	time.Sleep(1100 * time.Millisecond)
	_, second := push(t, options(from, s.host+"/ns/built:two"), prepare(t, 3<<20))
	if first.Digest != second.Digest {
		t.Errorf("the same inputs gave %s and %s", first.Digest, second.Digest)
	}
	if s.uploaded.Load() != 0 {
		t.Errorf("%d bytes uploaded again", s.uploaded.Load())
	}
}

func TestPushNothingChanged(t *testing.T) {
	s := serve(t, nil)
	from := base(t, s, true)
	_, result := push(t, options(from, s.host+"/ns/built:one"), prepare(t, 0))
	config, err := pull(t, result.Image).ConfigFile()
	must(t, err)
	if len(config.RootFS.DiffIDs) != 2 || !config.History[len(config.History)-1].EmptyLayer {
		t.Errorf("%d layers, last history %+v; want 2 and an empty one", len(config.RootFS.DiffIDs), config.History[len(config.History)-1])
	}
}

func TestPushWhereNothingCanBeMounted(t *testing.T) {
	one, other := serve(t, nil), serve(t, nil)
	from := base(t, one, true)
	_, result := push(t, options(from, other.host+"/ns/built:one"), prepare(t, 1<<20))
	must(t, validate.Image(pull(t, result.Image)))
	if one.downloaded.Load() < 2*baseSize || other.mounted.Load() != 0 {
		t.Errorf("%d bytes from one registry to the other, %d mounted", one.downloaded.Load(), other.mounted.Load())
	}
	same := serve(t, func(s *server) { s.mounts = false })
	_, result = push(t, options(base(t, same, true), same.host+"/ns/built:one"), prepare(t, 1<<20))
	must(t, validate.Image(pull(t, result.Image)))
}

// failTimes lets the first requests that a test accepts fail in some way.
func failTimes(times int, wanted func(*http.Request) bool, fail http.HandlerFunc) func(w http.ResponseWriter, r *http.Request) bool {
	var mu sync.Mutex
	return func(w http.ResponseWriter, r *http.Request) bool {
		mu.Lock()
		defer mu.Unlock()
		if times == 0 || !wanted(r) {
			return false
		}
		times--
		fail(w, r)
		return true
	}
}

func upload(r *http.Request) bool { return r.Method == http.MethodPatch }

func hangUp(_ http.ResponseWriter, r *http.Request) {
	_, _ = io.CopyN(io.Discard, r.Body, 100<<10)
	panic(http.ErrAbortHandler)
}

func status(code int, kind, message string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) { refuse(w, code, kind, message) }
}

func TestPushIsTriedAgain(t *testing.T) {
	cases := map[string]struct {
		times  int
		wanted func(*http.Request) bool
		fail   http.HandlerFunc
	}{
		"Interrupted": {times: 5, wanted: upload, fail: hangUp},
		"Busy":        {times: 3, wanted: upload, fail: status(http.StatusServiceUnavailable, "UNAVAILABLE", "in a minute")},
		"TooMany":     {times: 2, wanted: upload, fail: status(http.StatusTooManyRequests, "TOOMANYREQUESTS", "slowly")},
		"LostUpload":  {times: 1, wanted: upload, fail: status(http.StatusNotFound, "BLOB_UPLOAD_UNKNOWN", "which upload")},
		"Manifest": {times: 2, wanted: func(r *http.Request) bool {
			return r.Method == http.MethodPut && strings.Contains(r.URL.Path, "/manifests/")
		}, fail: status(http.StatusInternalServerError, "UNKNOWN", "oops")},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			s := serve(t, nil)
			from := base(t, s, true)
			s.intercept = failTimes(tc.times, tc.wanted, tc.fail)
			_, result := push(t, options(from, s.host+"/ns/built:one"), prepare(t, 3<<20))
			must(t, validate.Image(pull(t, result.Image)))
		})
	}
}

func TestPushFails(t *testing.T) {
	always := func(wanted func(*http.Request) bool, fail http.HandlerFunc) func(http.ResponseWriter, *http.Request) bool {
		return failTimes(-1, wanted, fail)
	}
	initiate := func(r *http.Request) bool { return r.Method == http.MethodPost }
	manifestOf := func(repository string) func(r *http.Request) bool {
		return func(r *http.Request) bool { return strings.HasPrefix(r.URL.Path, "/v2/"+repository+"/manifests/") }
	}
	cases := map[string]struct {
		reason    string
		intercept func(http.ResponseWriter, *http.Request) bool
		edit      func(*image.Options)
		want      failure.Reason
		message   string
	}{
		"Anonymous": {
			reason:    "Without credentials the admin learns where they go",
			intercept: always(initiate, status(http.StatusUnauthorized, "UNAUTHORIZED", "authentication required")),
			want:      failure.RegistryPushUnauthorized, message: "there are no credentials: CNBiConfig's registry.pushSecret names them",
		},
		"WrongCredentials": {
			reason:    "Credentials that are refused are named",
			intercept: always(initiate, status(http.StatusUnauthorized, "UNAUTHORIZED", "authentication required")),
			edit: func(o *image.Options) {
				host, _, _ := strings.Cut(o.Target.Image, "/")
				o.Target.Credentials, o.Target.SecretName = secret(t, host), "push"
			},
			want: failure.RegistryPushUnauthorized, message: `refused the credentials of Secret "push"`,
		},
		"OthersCredentials": {
			reason:    "Credentials of another registry are told apart",
			intercept: always(initiate, status(http.StatusUnauthorized, "UNAUTHORIZED", "authentication required")),
			edit: func(o *image.Options) {
				o.Target.Credentials, o.Target.SecretName = secret(t, "other.example"), "push"
			},
			want: failure.RegistryPushUnauthorized, message: `Secret "push" holds no credentials for it`,
		},
		"Denied": {
			reason:    "What the registry says is passed on",
			intercept: always(initiate, status(http.StatusForbidden, "DENIED", "quota of ns exceeded")),
			want:      failure.RegistryPushUnauthorized, message: "does not allow to push to \"HOST/ns/built\": DENIED: quota of ns exceeded",
		},
		"NoRepository": {
			reason:    "A registry that creates no repositories by itself does not take the image",
			intercept: always(initiate, status(http.StatusNotFound, "NAME_UNKNOWN", "no such repository")),
			want:      failure.RegistryPushUnauthorized, message: "status 404, NAME_UNKNOWN: no such repository",
		},
		"Down": {
			reason:    "A registry with trouble is worth another build",
			intercept: always(upload, status(http.StatusServiceUnavailable, "UNAVAILABLE", "maintenance")),
			want:      failure.RegistryUnavailable, message: "answered with status 503 while \"HOST/ns/built\" was pushed: UNAVAILABLE: maintenance",
		},
		"Interrupted": {
			reason:    "So is one that keeps hanging up",
			intercept: always(upload, hangUp),
			want:      failure.RegistryUnavailable, message: "cannot be reached: ",
		},
		"BaseGone": {
			reason:    "A base image that is gone is the user's",
			intercept: always(manifestOf("base/notebook"), status(http.StatusNotFound, "MANIFEST_UNKNOWN", "gone")),
			want:      failure.ImageNotFound, message: "Base image \"HOST/base/notebook@sha256:",
		},
		"BasePrivate": {
			reason:    "So is one that may not be read",
			intercept: always(manifestOf("base/notebook"), status(http.StatusUnauthorized, "UNAUTHORIZED", "no")),
			want:      failure.ImagePullUnauthorized, message: "to everyone, and there is no pull secret",
		},
		"Reference": {
			reason: "A name that is none is told",
			edit:   func(o *image.Options) { o.Target.Image = "UPPER/case:x y" },
			want:   failure.InvalidReference, message: `"UPPER/case:x y" is not an image reference`,
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			s := serve(t, nil)
			o := options(base(t, s, true), s.host+"/ns/built:one")
			if tc.edit != nil {
				tc.edit(&o)
			}
			s.intercept = tc.intercept
			p, err := image.NewPusher(o)
			if err == nil {
				_, err = p.Push(t.Context(), prepare(t, 1<<20))
			}
			var got *failure.Failure
			if !errors.As(err, &got) || got.Reason != tc.want || !strings.Contains(got.Message, strings.ReplaceAll(tc.message, "HOST", s.host)) {
				t.Errorf("%s: got %v, want %s with %q", tc.reason, err, tc.want, tc.message)
			}
		})
	}
}

func TestPushUnreachable(t *testing.T) {
	s, gone := serve(t, nil), httptest.NewServer(http.NotFoundHandler())
	gone.Close()
	o := options(base(t, s, true), strings.TrimPrefix(gone.URL, "http://")+"/ns/built:one")
	p, err := image.NewPusher(o)
	must(t, err)
	_, err = p.Push(t.Context(), prepare(t, 100))
	if f := failure.From(err); f.Reason != failure.RegistryUnavailable || !strings.Contains(f.Message, "cannot be reached") {
		t.Errorf("got %v", err)
	}
}

func TestPushStopsWhenCancelled(t *testing.T) {
	s := serve(t, nil)
	from := base(t, s, true)
	ctx, cancel := context.WithCancel(t.Context())
	s.intercept = failTimes(-1, upload, func(w http.ResponseWriter, r *http.Request) {
		cancel()
		hangUp(w, r)
	})
	o := options(from, s.host+"/ns/built:one")
	o.Wait = time.Hour
	p, err := image.NewPusher(o)
	must(t, err)
	if _, err := p.Push(ctx, prepare(t, 1<<20)); err == nil {
		t.Error("pushed in spite of being cancelled")
	}
}

func secret(t *testing.T, host string) *credentials.Store {
	t.Helper()
	dir := t.TempDir()
	must(t, os.WriteFile(filepath.Join(dir, ".dockerconfigjson"),
		fmt.Appendf(nil, `{"auths":{%q:{"username":"ann","password":"secret-word"}}}`, host), 0o600))
	store, err := credentials.Load(dir)
	must(t, err)
	return store
}

func TestPushWithCredentials(t *testing.T) {
	s := serve(t, nil)
	from := base(t, s, true)
	s.intercept = func(w http.ResponseWriter, r *http.Request) bool {
		if user, password, _ := r.BasicAuth(); user == "ann" && password == "secret-word" {
			return false
		}
		w.Header().Set("WWW-Authenticate", `Basic realm="test"`)
		refuse(w, http.StatusUnauthorized, "UNAUTHORIZED", "authentication required")
		return true
	}
	o := options(from, s.host+"/ns/built:one")
	o.Base.Credentials, o.Target.Credentials = secret(t, s.host), secret(t, s.host)
	push(t, o, prepare(t, 1<<20))
	if s.mounted.Load() != 2 {
		t.Errorf("%d layers mounted", s.mounted.Load())
	}
}

func TestAttach(t *testing.T) {
	for kind, native := range map[string]bool{"Referrers": true, "FallbackTag": false} {
		t.Run(kind, func(t *testing.T) {
			s := serve(t, nil, registry.WithReferrersSupport(native))
			p, result := push(t, options(base(t, s, true), s.host+"/ns/built:one"), prepare(t, 100))
			for _, a := range []image.Artifact{
				{Type: image.TypeLock, Title: "requirements.txt", Data: []byte("a==1\n")},
				{Type: image.TypeSBOM, Title: "sbom.cdx.json", Data: []byte("{}")},
				{Type: image.TypeLock, Title: "requirements.txt", Data: []byte("a==1\n")},
			} {
				_, err := p.Attach(t.Context(), result, a)
				must(t, err)
			}
			subject, err := name.NewDigest(result.Image)
			must(t, err)
			index, err := remote.Referrers(subject)
			must(t, err)
			manifest, err := index.IndexManifest()
			must(t, err)
			got := map[string]string{}
			for _, m := range manifest.Manifests {
				kind, file := content(t, subject.Context(), m)
				got[kind] = file
			}
			want := map[string]string{image.TypeLock: "requirements.txt: a==1\n", image.TypeSBOM: "sbom.cdx.json: {}"}
			if diff := cmp.Diff(want, got); diff != "" || len(manifest.Manifests) != 2 {
				t.Errorf("%d referrers; -want, +got:\n%s", len(manifest.Manifests), diff)
			}
		})
	}
}

// content reads an attached file. What it is, is read from its manifest: the test registry lists another type.
func content(t *testing.T, repository name.Repository, d v1.Descriptor) (kind, file string) {
	t.Helper()
	desc, err := remote.Get(repository.Digest(d.Digest.String()))
	must(t, err)
	var m v1.Manifest
	must(t, json.Unmarshal(desc.Manifest, &m))
	l, err := remote.Layer(repository.Digest(m.Layers[0].Digest.String()))
	must(t, err)
	r, err := l.Compressed()
	must(t, err)
	data, err := io.ReadAll(r)
	must(t, errors.Join(err, r.Close()))
	return m.ArtifactType, m.Layers[0].Annotations["org.opencontainers.image.title"] + ": " + string(data)
}

func TestPrepareRefuses(t *testing.T) {
	write := func(content string) func(*testing.T, string) {
		return func(t *testing.T, path string) { must(t, os.WriteFile(path, []byte(content), 0o600)) }
	}
	cases := map[string]struct {
		plant func(t *testing.T, path string)
		want  string
	}{
		"Garbage": {plant: write(strings.Repeat("x", 2000)), want: "no proper tar file"},
		"Folder":  {plant: func(t *testing.T, path string) { must(t, os.Mkdir(path, 0o700)) }, want: "no plain file"},
		"Link":    {plant: func(t *testing.T, path string) { must(t, os.Symlink("/etc/passwd", path)) }, want: "too many levels of symbolic links"},
		"Missing": {plant: func(*testing.T, string) {}, want: "no such file"},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			path, scratch := filepath.Join(t.TempDir(), "layer.tar"), t.TempDir()
			tc.plant(t, path)
			_, err := image.Prepare(path, scratch, layer.Limits{})
			if err == nil || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("Prepare: %v, want %q", err, tc.want)
			}
			if left, _ := os.ReadDir(scratch); len(left) > 0 {
				t.Errorf("left %v behind", left)
			}
		})
	}
}

func TestLayerIsGzip(t *testing.T) {
	for _, size := range []int{1, 1000, 1<<20 - 1024, 1 << 20, 5<<20 + 7} {
		l := prepare(t, size)
		r, err := l.Compressed()
		must(t, err)
		zip, err := gzip.NewReader(r)
		must(t, err)
		zip.Multistream(false)
		files := tar.NewReader(zip)
		_, err = files.Next()
		must(t, err)
		h, err := files.Next()
		must(t, err)
		n, err := io.Copy(io.Discard, files)
		must(t, err)
		_, err = io.Copy(io.Discard, zip)
		must(t, errors.Join(err, zip.Close(), r.Close()))
		if h.Size != int64(size) || n != h.Size {
			t.Errorf("%d bytes came out of %d", n, size)
		}
	}
}
