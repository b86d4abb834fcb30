// Package credentials finds a registry's credentials in a mounted pull secret, by the rules by which the kubelet
// finds them, so that inspecting an image and pulling it agree.
package credentials

import (
	"cmp"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/google/go-containerregistry/pkg/authn"
)

const maxBytes = 1 << 20

// dockerHub is the name under which Docker Hub's images are resolved.
const dockerHub = "index.docker.io"

// Store holds the credentials of one pull secret. It is an authn.Keychain.
type Store struct {
	entries []entry
	found   bool
}

type entry struct {
	host, path string
	auth       authn.AuthConfig
}

// Load reads the folder that a pull secret is mounted at. A folder that is absent or holds nothing is no error:
// the secret is optional.
func Load(dir string) (*Store, error) {
	if dir == "" {
		return &Store{}, nil
	}
	for _, kind := range []struct {
		file   string
		decode func([]byte) (map[string]account, error)
	}{{".dockerconfigjson", decodeConfig}, {".dockercfg", decodeAccounts}} {
		data, err := readFile(filepath.Join(dir, kind.file))
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("cannot read pull secret: %w", err)
		}
		accounts, err := kind.decode(data)
		if err != nil {
			// The decoder's own words could quote the secret.
			return nil, fmt.Errorf("cannot read pull secret: key %q holds no valid JSON of that type", kind.file)
		}
		return newStore(accounts)
	}
	return &Store{}, nil
}

// With returns a copy that has credentials for all of one registry besides, for repositories of which it has no others.
func (s *Store) With(host, username, password string) *Store {
	return &Store{found: true, entries: append(slices.Clone(s.entries), entry{
		host: canonicalHost(host), auth: authn.AuthConfig{Username: username, Password: password},
	})}
}

// Found says whether there was a secret.
func (s *Store) Found() bool {
	return s.found
}

// Covers says whether the secret holds credentials for a repository.
func (s *Store) Covers(resource authn.Resource) bool {
	return s.find(resource) != nil
}

// Resolve returns the most specific credentials for a repository, anonymous ones if there are none.
func (s *Store) Resolve(resource authn.Resource) (authn.Authenticator, error) {
	if e := s.find(resource); e != nil {
		return authn.FromConfig(e.auth), nil
	}
	return authn.Anonymous, nil
}

func (s *Store) find(resource authn.Resource) *entry {
	host := canonicalHost(resource.RegistryStr())
	repository := strings.TrimPrefix(resource.String(), resource.RegistryStr())
	for i, e := range s.entries {
		if matchHost(e.host, host) && matchPath(e.path, repository) {
			return &s.entries[i]
		}
	}
	return nil
}

type account struct {
	Username      string `json:"username"`
	Password      string `json:"password"`
	Auth          string `json:"auth"`
	IdentityToken string `json:"identitytoken"`
	RegistryToken string `json:"registrytoken"`
}

func decodeConfig(data []byte) (map[string]account, error) {
	var config struct {
		Auths map[string]account `json:"auths"`
	}
	err := json.Unmarshal(data, &config)
	return config.Auths, err
}

func decodeAccounts(data []byte) (map[string]account, error) {
	var accounts map[string]account
	err := json.Unmarshal(data, &accounts)
	return accounts, err
}

func newStore(accounts map[string]account) (*Store, error) {
	s := &Store{found: true}
	for key, a := range accounts {
		auth, err := a.config()
		if err != nil {
			// Which entry it is would tell of the secret to those who may not read it.
			return nil, fmt.Errorf("cannot read pull secret: one of its entries: %w", err)
		}
		if auth == (authn.AuthConfig{}) {
			continue
		}
		host, repository := splitKey(key)
		s.entries = append(s.entries, entry{host: host, path: repository, auth: auth})
	}
	// Longer paths first, names before patterns; the rest only makes the order certain.
	slices.SortFunc(s.entries, func(a, b entry) int {
		return cmp.Or(
			cmp.Compare(len(b.path), len(a.path)),
			cmp.Compare(strings.Count(a.host, "*"), strings.Count(b.host, "*")),
			cmp.Compare(a.host, b.host), cmp.Compare(a.path, b.path), cmp.Compare(a.auth.Username, b.auth.Username))
	})
	return s, nil
}

func (a account) config() (authn.AuthConfig, error) {
	c := authn.AuthConfig{Username: a.Username, Password: a.Password, IdentityToken: a.IdentityToken, RegistryToken: a.RegistryToken}
	if a.Auth == "" || c.Username != "" {
		return c, nil
	}
	decoded, err := base64.StdEncoding.DecodeString(a.Auth)
	if err != nil {
		decoded, err = base64.RawStdEncoding.DecodeString(strings.TrimRight(a.Auth, "="))
	}
	user, password, ok := strings.Cut(string(decoded), ":")
	if err != nil || !ok {
		return authn.AuthConfig{}, errors.New("auth is not the base64 of user:password")
	}
	c.Username, c.Password = user, strings.TrimRight(password, "\x00")
	return c, nil
}

// splitKey splits the many spellings of an entry's key into host and path.
func splitKey(key string) (host, repository string) {
	key = strings.TrimPrefix(strings.TrimPrefix(key, "https://"), "http://")
	host, repository, _ = strings.Cut(key, "/")
	repository = strings.Trim(repository, "/")
	if repository == "v1" || repository == "v2" {
		repository = ""
	}
	return canonicalHost(host), repository
}

func canonicalHost(host string) string {
	switch host = strings.ToLower(host); host {
	case "docker.io", "registry-1.docker.io", "www.docker.io":
		return dockerHub
	}
	return host
}

// matchHost matches label by label, so that a star stands for one label and never for a dot.
func matchHost(pattern, host string) bool {
	patternName, patternPort, _ := strings.Cut(pattern, ":")
	hostName, hostPort, _ := strings.Cut(host, ":")
	patterns, labels := strings.Split(patternName, "."), strings.Split(hostName, ".")
	if patternPort != hostPort || len(patterns) != len(labels) {
		return false
	}
	for i := range patterns {
		if ok, err := path.Match(patterns[i], labels[i]); err != nil || !ok {
			return false
		}
	}
	return true
}

func matchPath(prefix, repository string) bool {
	repository = strings.Trim(repository, "/")
	return prefix == "" || repository == prefix || strings.HasPrefix(repository, prefix+"/")
}

func readFile(name string) ([]byte, error) {
	info, err := os.Stat(name)
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() || info.Size() > maxBytes {
		return nil, fmt.Errorf("%s is no plain file of at most %d bytes", filepath.Base(name), maxBytes)
	}
	return os.ReadFile(name)
}
