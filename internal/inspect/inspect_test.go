package inspect_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
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

	"github.com/meteor-zone/meteor-operator/internal/credentials"
	"github.com/meteor-zone/meteor-operator/internal/failure"
	"github.com/meteor-zone/meteor-operator/internal/inspect"
)

const user, password = "ann", "pass:word"

// serve starts a registry that answers through wrap, and returns its host.
func serve(t *testing.T, wrap func(http.Handler) http.Handler) string {
	t.Helper()
	handler := registry.New(registry.Logger(log.New(io.Discard, "", 0)))
	server := httptest.NewServer(wrap(handler))
	t.Cleanup(server.Close)
	return strings.TrimPrefix(server.URL, "http://")
}

func open(h http.Handler) http.Handler { return h }

func private(h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if u, p, _ := r.BasicAuth(); u != user || p != password {
			w.Header().Set("WWW-Authenticate", `Basic realm="test"`)
			refuse(w, http.StatusUnauthorized, "UNAUTHORIZED", "authentication required")
			return
		}
		if strings.Contains(r.URL.Path, "/theirs/") {
			refuse(w, http.StatusForbidden, "DENIED", "requested access to the resource is denied")
			return
		}
		h.ServeHTTP(w, r)
	})
}

// always answers everything but the version check in one way.
func always(status int, code, message string) func(http.Handler) http.Handler {
	return func(h http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path == "/v2/" {
				h.ServeHTTP(w, r)
				return
			}
			refuse(w, status, code, message)
		})
	}
}

func refuse(w http.ResponseWriter, status int, code, message string) {
	w.WriteHeader(status)
	fmt.Fprintf(w, `{"errors":[{"code":%q,"message":%q}]}`, code, message)
}

func image(t *testing.T, edit func(*v1.ConfigFile)) v1.Image {
	t.Helper()
	img, err := random.Image(64, 2)
	if err != nil {
		t.Fatal(err)
	}
	config, err := img.ConfigFile()
	if err != nil {
		t.Fatal(err)
	}
	config = config.DeepCopy()
	config.OS, config.Architecture = "linux", "amd64"
	config.Config.Cmd = []string{"start-notebook.sh"}
	if edit != nil {
		edit(config)
	}
	img, err = mutate.ConfigFile(img, config)
	if err != nil {
		t.Fatal(err)
	}
	return img
}

func index(t *testing.T, images map[string]v1.Image) v1.ImageIndex {
	t.Helper()
	idx := v1.ImageIndex(empty.Index)
	for platform, img := range images {
		p, err := v1.ParsePlatform(platform)
		if err != nil {
			t.Fatal(err)
		}
		idx = mutate.AppendManifests(idx, mutate.IndexAddendum{Add: img, Descriptor: v1.Descriptor{Platform: p}})
	}
	return idx
}

func push(t *testing.T, ref string, content any) string {
	t.Helper()
	r, err := name.ParseReference(ref)
	if err != nil {
		t.Fatal(err)
	}
	switch content := content.(type) {
	case v1.Image:
		err = remote.Write(r, content)
	case v1.ImageIndex:
		err = remote.WriteIndex(r, content)
	case remote.Taggable:
		err = remote.Put(r, content)
	}
	if err != nil {
		t.Fatal(err)
	}
	desc, err := remote.Head(r)
	if err != nil {
		t.Fatal(err)
	}
	return desc.Digest.String()
}

func options(ref string) inspect.Options {
	return inspect.Options{
		Image: ref, Platform: v1.Platform{OS: "linux", Architecture: "amd64"},
		Credentials: &credentials.Store{}, Timeout: 5 * time.Second,
	}
}

func TestImage(t *testing.T) {
	host := serve(t, open)
	created := time.Date(2024, 5, 6, 7, 8, 9, 123, time.UTC)
	single := image(t, func(c *v1.ConfigFile) {
		c.Created = v1.Time{Time: created}
		c.Config.User = "1001"
		c.Config.Env = []string{"PATH=/opt/app-root/bin:/usr/bin", "SECRET=x", "HOME=/opt/app-root/src"}
		c.Config.Labels = map[string]string{"io.k8s.display-name": "Minimal\nNotebook", "vendor": "x"}
	})
	singleDigest := push(t, host+"/team/notebook:1", single)
	indexDigest := push(t, host+"/team/many:1", index(t, map[string]v1.Image{
		"linux/amd64": image(t, nil), "linux/arm64": image(t, nil), "windows/amd64": image(t, nil),
	}))
	plain := image(t, func(c *v1.ConfigFile) { c.OS, c.Architecture = "", "" })
	plainDigest := push(t, host+"/team/plain:latest", plain)

	cases := map[string]struct {
		reason string
		ref    string
		want   *inspect.Report
		size   v1.Image
	}{
		"Single": {
			reason: "A plain image is told with what it says of itself, made harmless",
			ref:    host + "/team/notebook:1",
			size:   single,
			want: &inspect.Report{
				URL: host + "/team/notebook:1", Image: host + "/team/notebook@" + singleDigest, Digest: singleDigest,
				Inspection: inspect.Inspection{
					MediaType: string(types.DockerManifestSchema2), Architecture: []string{"amd64"},
					Created: new(created.Truncate(time.Second)), Cmd: []string{"start-notebook.sh"}, User: "1001",
					Env:    map[string]string{"PATH": "/opt/app-root/bin:/usr/bin", "HOME": "/opt/app-root/src"},
					Labels: map[string]string{"io.k8s.display-name": "Minimal Notebook"},
				},
			},
		},
		"Index": {
			reason: "Of an index the digest is the index's own, as the kubelet pulls it",
			ref:    host + "/team/many:1",
			want: &inspect.Report{
				URL: host + "/team/many:1", Image: host + "/team/many@" + indexDigest, Digest: indexDigest,
				Inspection: inspect.Inspection{MediaType: string(types.OCIImageIndex), Architecture: []string{"amd64", "arm64"}, Cmd: []string{"start-notebook.sh"}},
			},
		},
		"ByDigest": {
			reason: "A digest stands for itself, whatever tag is beside it",
			ref:    host + "/team/notebook:gone@" + singleDigest,
			want: &inspect.Report{
				URL: host + "/team/notebook@" + singleDigest, Image: host + "/team/notebook@" + singleDigest, Digest: singleDigest,
			},
		},
		"NoTag": {
			reason: "No tag means latest, and an image that says no platform is taken at its word",
			ref:    host + "/team/plain",
			size:   plain,
			want: &inspect.Report{
				URL: host + "/team/plain:latest", Image: host + "/team/plain@" + plainDigest, Digest: plainDigest,
				Inspection: inspect.Inspection{MediaType: string(types.DockerManifestSchema2), Cmd: []string{"start-notebook.sh"}},
			},
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			got, err := inspect.Image(context.Background(), options(tc.ref))
			if err != nil {
				t.Fatal(err)
			}
			if tc.size != nil {
				tc.want.Inspection.Size = size(t, tc.size)
			} else {
				got.Inspection.Size = tc.want.Inspection.Size
			}
			if name == "ByDigest" {
				got.Inspection = inspect.Inspection{}
			}
			if diff := cmp.Diff(normal(tc.want), normal(got)); diff != "" {
				t.Errorf("%s: -want, +got:\n%s", tc.reason, diff)
			}
		})
	}
}

func TestImageFailures(t *testing.T) {
	host := serve(t, open)
	push(t, host+"/team/notebook:1", image(t, nil))
	push(t, host+"/team/arm:1", image(t, func(c *v1.ConfigFile) { c.Architecture = "arm64" }))
	push(t, host+"/team/arms:1", index(t, map[string]v1.Image{"linux/arm64": image(t, nil), "linux/s390x": image(t, nil)}))
	push(t, host+"/team/empty:1", index(t, nil))
	push(t, host+"/team/idle:1", image(t, func(c *v1.ConfigFile) { c.Config.Cmd = nil }))
	push(t, host+"/team/chart:1", mutate.ConfigMediaType(image(t, nil), "application/vnd.cncf.helm.config.v1+json"))
	push(t, host+"/team/thing:1", thing{})
	registries := map[string]string{
		"OPEN":    host,
		"BUSY":    serve(t, always(http.StatusTooManyRequests, "TOOMANYREQUESTS", "slow down")),
		"BROKEN":  serve(t, always(http.StatusInternalServerError, "UNKNOWN", "disk\nfull")),
		"PICKY":   serve(t, always(http.StatusBadRequest, "NAME_INVALID", "invalid repository name")),
		"GARBAGE": serve(t, garbage("not json")),
		"FLOOD":   serve(t, garbage(strings.Repeat(" ", 17<<20))),
		"WEB":     serve(t, func(http.Handler) http.Handler { return http.NotFoundHandler() }),
		"SLOW":    serve(t, func(http.Handler) http.Handler { return http.HandlerFunc(hang) }),
		"NOBODY":  "127.0.0.1:1",
	}
	cases := map[string]struct {
		reason string
		ref    string
		want   failure.Failure
	}{
		"NoTag":     {reason: "An absent tag is named", ref: "OPEN/team/notebook:2", want: failure.Failure{Reason: failure.ImageNotFound, Message: `Image "OPEN/team/notebook:2" was not found: repository "OPEN/team/notebook" has no "2"`}},
		"NoRepo":    {reason: "An absent repository is named", ref: "OPEN/team/absent:1", want: failure.Failure{Reason: failure.ImageNotFound, Message: `Image "OPEN/team/absent:1" was not found: registry "OPEN" has no repository "team/absent"`}},
		"Reference": {reason: "What is no reference never gets to a registry", ref: `OPEN/Team/$(touch x)` + "\n", want: failure.Failure{Reason: failure.InvalidReference, Message: `"OPEN/Team/$(touch x)\n" is not an image reference: could not parse reference: OPEN/Team/$(touch x)`}},
		"Empty":     {reason: "Nothing is no reference", ref: "", want: failure.Failure{Reason: failure.InvalidReference, Message: `"" is not an image reference: could not parse reference:`}},
		"OtherArch": {reason: "An image for another platform is told with its own", ref: "OPEN/team/arm:1", want: failure.Failure{Reason: failure.ImagePlatformUnsupported, Message: `Image "OPEN/team/arm:1" is for linux/arm64, this cluster needs linux/amd64`}},
		"NoneOfAll": {reason: "An index without the platform is told with those it has", ref: "OPEN/team/arms:1", want: failure.Failure{Reason: failure.ImagePlatformUnsupported, Message: `Image "OPEN/team/arms:1" is for linux/arm64, linux/s390x, this cluster needs linux/amd64`}},
		"NoEntries": {reason: "An index may be empty", ref: "OPEN/team/empty:1", want: failure.Failure{Reason: failure.ImagePlatformUnsupported, Message: `Image "OPEN/team/empty:1" is for no platform at all, this cluster needs linux/amd64`}},
		"Idle":      {reason: "An image that starts nothing cannot be run", ref: "OPEN/team/idle:1", want: failure.Failure{Reason: failure.ImageInvalid, Message: `Image "OPEN/team/idle:1" has neither an entry point nor a command: there is nothing to start`}},
		"Chart":     {reason: "What has another kind of configuration is no image", ref: "OPEN/team/chart:1", want: failure.Failure{Reason: failure.ImageInvalid, Message: `"OPEN/team/chart:1" is not an image: its configuration is of type application/vnd.cncf.helm.config.v1+json`}},
		"Thing":     {reason: "What is no manifest of an image is no image", ref: "OPEN/team/thing:1", want: failure.Failure{Reason: failure.ImageInvalid, Message: `"OPEN/team/thing:1" is not an image: its type is application/vnd.example.thing`}},
		"Garbage":   {reason: "A manifest that cannot be read is the image's fault", ref: "GARBAGE/a/b:1", want: failure.Failure{Reason: failure.ImageInvalid, Message: `Image "GARBAGE/a/b:1" cannot be read: invalid character 'o' in literal null (expecting 'u')`}},
		"Flood":     {reason: "An answer without end is not read to its end", ref: "FLOOD/a/b:1", want: failure.Failure{Reason: failure.ImageInvalid, Message: `Image "FLOOD/a/b:1" cannot be read: `}},
		"Busy":      {reason: "A busy registry is asked again later", ref: "BUSY/a/b:1", want: failure.Failure{Reason: failure.RegistryUnavailable, Message: `Registry "BUSY" asks to come back later: too many requests`}},
		"Broken":    {reason: "A registry's own trouble is the platform's", ref: "BROKEN/a/b:1", want: failure.Failure{Reason: failure.RegistryUnavailable, Message: `Registry "BROKEN" answered with status 500: UNKNOWN: disk full`}},
		"Picky":     {reason: "A registry may know other rules for names", ref: "PICKY/a/b:1", want: failure.Failure{Reason: failure.InvalidReference, Message: `Registry "PICKY" does not understand "PICKY/a/b:1": NAME_INVALID: invalid repository name`}},
		"Web":       {reason: "A web server is no registry, and the image is not what is missing", ref: "WEB/a/b:1", want: failure.Failure{Reason: failure.RegistryUnavailable, Message: `"WEB" answers, but is no registry: it gives status 404 for /v2/`}},
		"Nobody":    {reason: "A registry that is down is the platform's trouble", ref: "NOBODY/a/b:1", want: failure.Failure{Reason: failure.RegistryUnavailable, Message: `Registry "NOBODY" cannot be reached: dial tcp NOBODY: connect: connection refused`}},
		"Slow":      {reason: "A registry that does not answer is given up", ref: "SLOW/a/b:1", want: failure.Failure{Reason: failure.RegistryUnavailable, Message: `Registry "SLOW" did not answer within 1s`}},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			opts := options(replace(tc.ref, registries))
			if name == "Slow" {
				opts.Timeout = time.Second
			}
			want := tc.want
			want.Message = replace(want.Message, registries)
			got := failed(t, opts)
			if strings.HasSuffix(want.Message, ": ") && strings.HasPrefix(got.Message, want.Message) {
				want.Message = got.Message
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("%s: -want, +got:\n%s", tc.reason, diff)
			}
		})
	}
}

func TestImageCredentials(t *testing.T) {
	host := serve(t, private)
	good, bad := config(host, user, password), config(host, user, "wrong")
	cases := map[string]struct {
		reason  string
		dir     string
		secret  string
		ref     string
		want    failure.Reason
		message string
	}{
		"Good":      {reason: "The secret's credentials are used, colon and all", dir: secret(t, good), ref: "/mine/notebook:1", want: failure.ImageNotFound, message: `Image "HOST/mine/notebook:1" was not found: registry "HOST" has no repository "mine/notebook"`},
		"None":      {reason: "Without a secret both possible causes are told", ref: "/mine/notebook:1", want: failure.ImagePullUnauthorized, message: `Registry "HOST" does not give "HOST/mine/notebook:1" to everyone: either it does not exist, or it is private and needs a pull secret, and none was given`},
		"Absent":    {reason: "A named secret that is not there is told", secret: "pull", ref: "/mine/notebook:1", want: failure.ImagePullUnauthorized, message: `Registry "HOST" does not give "HOST/mine/notebook:1" to everyone, and Secret "pull" is absent or not a pull secret`},
		"Elsewhere": {reason: "A secret for another registry is told", dir: secret(t, config("quay.io", user, password)), secret: "pull", ref: "/mine/notebook:1", want: failure.ImagePullUnauthorized, message: `Registry "HOST" does not give "HOST/mine/notebook:1" to everyone, and Secret "pull" holds no credentials for this registry`},
		"Wrong":     {reason: "Wrong credentials are told", dir: secret(t, bad), secret: "pull", ref: "/mine/notebook:1", want: failure.ImagePullUnauthorized, message: `Registry "HOST" refused the credentials of Secret "pull" for "HOST/mine/notebook:1": they are wrong, or do not reach that far`},
		"Forbidden": {reason: "Credentials that do not reach that far are told", dir: secret(t, good), ref: "/theirs/notebook:1", want: failure.ImagePullUnauthorized, message: `Registry "HOST" knows the credentials of the pull secret, but they do not allow to pull "HOST/theirs/notebook:1"`},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			store, err := credentials.Load(tc.dir)
			if err != nil {
				t.Fatal(err)
			}
			opts := options(host + tc.ref)
			opts.Credentials, opts.SecretName = store, tc.secret
			got := failed(t, opts)
			if diff := cmp.Diff(failure.Failure{Reason: tc.want, Message: strings.ReplaceAll(tc.message, "HOST", host)}, got); diff != "" {
				t.Errorf("%s: -want, +got:\n%s", tc.reason, diff)
			}
			if strings.Contains(got.Message, password) || strings.Contains(got.Message, "wrong\"") {
				t.Errorf("%s: the message holds the password: %s", tc.reason, got.Message)
			}
		})
	}
}

func TestImageTLS(t *testing.T) {
	server := httptest.NewTLSServer(registry.New(registry.Logger(log.New(io.Discard, "", 0))))
	server.Config.ErrorLog = log.New(io.Discard, "", 0)
	t.Cleanup(server.Close)
	opts := options(strings.TrimPrefix(server.URL, "https://") + "/a/b:1")
	got := failed(t, opts)
	if got.Reason != failure.RegistryUnavailable || !strings.Contains(got.Message, "certificate signed by unknown authority") || !strings.Contains(got.Message, "registry.insecure") {
		t.Errorf("an unknown authority gives %v", got)
	}
	opts.Insecure = true
	if got := failed(t, opts); got.Reason != failure.ImageNotFound {
		t.Errorf("without verification: %v", got)
	}
}

func TestInspectionKeepsWithinItsBounds(t *testing.T) {
	host := serve(t, open)
	long := strings.Repeat(`"<ü>`, 5000)
	push(t, host+"/team/long:1", image(t, func(c *v1.ConfigFile) {
		c.Config.User = long
		c.Config.Env = []string{"PATH=" + long, "HOME=" + long}
		c.Config.Labels = map[string]string{"io.k8s.display-name": long, "org.opencontainers.image.title": long, "org.opencontainers.image.version": long}
		for range 50 {
			c.Config.Cmd = append(c.Config.Cmd, long)
			c.Config.Entrypoint = append(c.Config.Entrypoint, long)
		}
	}))
	got, err := inspect.Image(context.Background(), options(host+"/team/long:1"))
	if err != nil {
		t.Fatal(err)
	}
	data, err := json.Marshal(got.Inspection)
	if err != nil || len(data) > 1024 {
		t.Errorf("%d bytes, %v: %s", len(data), err, data)
	}
}

// thing is an artifact that is no image.
type thing struct{}

func (thing) RawManifest() ([]byte, error)        { return []byte(`{"schemaVersion":2}`), nil }
func (thing) MediaType() (types.MediaType, error) { return "application/vnd.example.thing", nil }

func garbage(body string) func(http.Handler) http.Handler {
	return func(h http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path == "/v2/" {
				h.ServeHTTP(w, r)
				return
			}
			w.Header().Set("Content-Type", string(types.OCIManifestSchema1))
			_, _ = io.WriteString(w, body)
		})
	}
}

func hang(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }

func failed(t *testing.T, opts inspect.Options) failure.Failure {
	t.Helper()
	_, err := inspect.Image(context.Background(), opts)
	var f *failure.Failure
	if !errors.As(err, &f) {
		t.Fatalf("Image(%q): %v, want a failure", opts.Image, err)
	}
	return *f
}

func replace(s string, hosts map[string]string) string {
	for key, host := range hosts {
		s = strings.ReplaceAll(s, key, host)
	}
	return s
}

func config(host, user, password string) string {
	data, _ := json.Marshal(map[string]any{"auths": map[string]any{host: map[string]string{"username": user, "password": password}}})
	return string(data)
}

func secret(t *testing.T, content string) string {
	t.Helper()
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, ".dockerconfigjson"), []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	return dir
}

func size(t *testing.T, img v1.Image) int64 {
	t.Helper()
	manifest, err := img.Manifest()
	if err != nil {
		t.Fatal(err)
	}
	total := manifest.Config.Size
	for _, layer := range manifest.Layers {
		total += layer.Size
	}
	return total
}

// normal makes reports comparable: no map is as good as an empty one.
func normal(r *inspect.Report) inspect.Report {
	out := *r
	if len(out.Inspection.Env) == 0 {
		out.Inspection.Env = nil
	}
	if len(out.Inspection.Labels) == 0 {
		out.Inspection.Labels = nil
	}
	return out
}
