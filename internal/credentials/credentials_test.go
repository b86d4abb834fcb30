package credentials_test

import (
	"encoding/base64"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-containerregistry/pkg/name"

	"github.com/meteor-zone/meteor-operator/internal/credentials"
)

func auth(user, password string) string {
	return base64.StdEncoding.EncodeToString([]byte(user + ":" + password))
}

func TestResolve(t *testing.T) {
	cases := map[string]struct {
		reason     string
		file       string
		content    string
		repository string
		want       string
	}{
		"Plain":        {reason: "A host matches itself", content: `{"auths":{"quay.io":{"auth":"` + auth("u", "p:q") + `"}}}`, repository: "quay.io/a/b", want: "u:p:q"},
		"UserPassword": {reason: "The fields will do without auth", content: `{"auths":{"quay.io":{"username":"u","password":"p"}}}`, repository: "quay.io/a/b", want: "u:p"},
		"Port":         {reason: "The port is part of the host", content: `{"auths":{"host:5000":{"username":"u","password":"p"},"host":{"username":"no"}}}`, repository: "host:5000/a/b", want: "u:p"},
		"OtherPort":    {reason: "Another port is another registry", content: `{"auths":{"host":{"username":"u","password":"p"}}}`, repository: "host:5000/a/b", want: ":"},
		"URL":          {reason: "Keys may be URLs", content: `{"auths":{"https://quay.io/v1/":{"username":"u","password":"p"}}}`, repository: "quay.io/a/b", want: "u:p"},
		"DockerHub":    {reason: "Docker Hub has its customary key", content: `{"auths":{"https://index.docker.io/v1/":{"username":"u","password":"p"}}}`, repository: "jupyter/base", want: "u:p"},
		"DockerHub2":   {reason: "Docker Hub has its short key", content: `{"auths":{"docker.io":{"username":"u","password":"p"}}}`, repository: "jupyter/base", want: "u:p"},
		"Star":         {reason: "A star stands for one label", content: `{"auths":{"*.example.com":{"username":"u","password":"p"}}}`, repository: "r.example.com/a/b", want: "u:p"},
		"StarDepth":    {reason: "A star stands for no more than one label", content: `{"auths":{"*.example.com":{"username":"u","password":"p"}}}`, repository: "x.r.example.com/a/b", want: ":"},
		"NameFirst":    {reason: "A name goes before a pattern", content: `{"auths":{"*.example.com":{"username":"s"},"r.example.com":{"username":"u","password":"p"}}}`, repository: "r.example.com/a/b", want: "u:p"},
		"Path":         {reason: "The longest path wins", content: `{"auths":{"quay.io":{"username":"x"},"quay.io/org":{"username":"u","password":"p"}}}`, repository: "quay.io/org/b", want: "u:p"},
		"PathBorder":   {reason: "A path ends at a slash", content: `{"auths":{"quay.io/org":{"username":"x"}}}`, repository: "quay.io/organic/b", want: ":"},
		"OlderKind":    {reason: "The older kind of secret is read too", file: ".dockercfg", content: `{"quay.io":{"auth":"` + auth("u", "p") + `"}}`, repository: "quay.io/a/b", want: "u:p"},
		"Empty":        {reason: "An empty entry is none", content: `{"auths":{"quay.io":{}}}`, repository: "quay.io/a/b", want: ":"},
		"NoAuths":      {reason: "A secret may hold nothing", content: `{}`, repository: "quay.io/a/b", want: ":"},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			store, err := credentials.Load(mount(t, tc.file, tc.content))
			if err != nil {
				t.Fatal(err)
			}
			repo := repository(t, tc.repository)
			authenticator, err := store.Resolve(repo)
			if err != nil {
				t.Fatal(err)
			}
			got, err := authenticator.Authorization()
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tc.want, got.Username+":"+got.Password); diff != "" {
				t.Errorf("%s: -want, +got:\n%s", tc.reason, diff)
			}
			if !store.Found() || store.Covers(repo) != (tc.want != ":") {
				t.Errorf("%s: Found %v, Covers %v", tc.reason, store.Found(), store.Covers(repo))
			}
		})
	}
}

func TestLoadBadSecret(t *testing.T) {
	cases := map[string]struct {
		content, want string
	}{
		"NotJSON": {content: `{"auths": s3cr3t`, want: `cannot read pull secret: key ".dockerconfigjson" holds no valid JSON of that type`},
		"Types":   {content: `{"auths":{"quay.io":"s3cr3t"}}`, want: `cannot read pull secret: key ".dockerconfigjson" holds no valid JSON of that type`},
		"Base64":  {content: `{"auths":{"quay.io":{"auth":"s3cr3t!"}}}`, want: `cannot read pull secret: one of its entries: auth is not the base64 of user:password`},
		"NoColon": {content: `{"auths":{"quay.io":{"auth":"czNjcjN0"}}}`, want: `cannot read pull secret: one of its entries: auth is not the base64 of user:password`},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			_, err := credentials.Load(mount(t, "", tc.content))
			if err == nil || err.Error() != tc.want {
				t.Errorf("Load: %v, want %s", err, tc.want)
			}
		})
	}
}

func TestLoadNothing(t *testing.T) {
	for _, dir := range []string{"", t.TempDir(), "/nonexistent"} {
		store, err := credentials.Load(dir)
		if err != nil || store.Found() {
			t.Errorf("Load(%q) = %+v, %v, want an empty store", dir, store, err)
		}
	}
}

// mount lays a secret out as the kubelet does, behind links.
func mount(t *testing.T, file, content string) string {
	t.Helper()
	if file == "" {
		file = ".dockerconfigjson"
	}
	dir := t.TempDir()
	data := filepath.Join(dir, "..2024_01_01")
	for _, err := range []error{
		os.Mkdir(data, 0o700),
		os.WriteFile(filepath.Join(data, file), []byte(content), 0o600),
		os.Symlink("..2024_01_01", filepath.Join(dir, "..data")),
		os.Symlink(filepath.Join("..data", file), filepath.Join(dir, file)),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func repository(t *testing.T, s string) name.Repository {
	t.Helper()
	repo, err := name.NewRepository(s)
	if err != nil {
		t.Fatal(err)
	}
	return repo
}
