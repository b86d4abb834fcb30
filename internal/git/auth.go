package git

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/go-git/go-git/v5/plumbing/transport"
	githttp "github.com/go-git/go-git/v5/plumbing/transport/http"
	gitssh "github.com/go-git/go-git/v5/plumbing/transport/ssh"
	"github.com/skeema/knownhosts"
	"golang.org/x/crypto/ssh"

	"github.com/meteor-zone/meteor-operator/internal/failure"
	"github.com/meteor-zone/meteor-operator/internal/text"
)

const maxSecretKey = 1 << 20

// secret is what a mounted Secret of type kubernetes.io/basic-auth or kubernetes.io/ssh-auth holds.
type secret struct {
	name, dir          string
	username, password string
	key, knownHosts    []byte
}

// loadSecret reads a folder that may be absent or empty.
func loadSecret(dir, name string) (*secret, error) {
	s := &secret{name: name, dir: dir}
	if dir == "" {
		return s, nil
	}
	var username, password []byte
	for key, into := range map[string]*[]byte{
		"username": &username, "password": &password, "ssh-privatekey": &s.key, "known_hosts": &s.knownHosts,
	} {
		info, err := os.Stat(filepath.Join(dir, key))
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err == nil && (!info.Mode().IsRegular() || info.Size() > maxSecretKey) {
			err = errors.New("it is no plain file of reasonable size")
		}
		if err == nil {
			*into, err = os.ReadFile(filepath.Join(dir, key))
		}
		if err != nil {
			return nil, authFailed("Key %q of %s cannot be read", key, s)
		}
	}
	// Files that people make Secrets of often end with a line break.
	s.username, s.password = strings.TrimRight(string(username), "\r\n"), strings.TrimRight(string(password), "\r\n")
	return s, nil
}

func (s *secret) String() string {
	if s.name == "" {
		return "the git Secret"
	}
	return fmt.Sprintf("Secret %q", s.name)
}

func (s *secret) hasPassword() bool { return s.username != "" || s.password != "" }

func (s *secret) hasKey() bool { return len(bytes.TrimSpace(s.key)) > 0 }

func (s *secret) empty() bool { return !s.hasPassword() && !s.hasKey() }

// method returns how to authenticate; nil for not at all.
func (s *secret) method(a *address) (transport.AuthMethod, error) {
	switch a.scheme {
	case "ssh":
		return s.ssh(a)
	case "https":
		if s.hasPassword() {
			user := s.username
			if user == "" {
				user = "git" // servers that take tokens take any user, but none takes an empty one
			}
			return &githttp.BasicAuth{Username: user, Password: s.password}, nil
		}
		if s.hasKey() {
			return nil, authFailed("%s holds an SSH key, which %q cannot be asked with: use an ssh:// URL, or a Secret of type kubernetes.io/basic-auth", s, a)
		}
	default:
		if !s.empty() {
			return nil, authFailed("%s would be sent unencrypted to %q: use an https:// or ssh:// URL, or remove gitSecret", s, a)
		}
	}
	return nil, nil
}

// makeSecret tells how to make a Secret that works for a host.
func makeSecret(a *address) string {
	scan := a.host
	if a.port != defaultPorts["ssh"] {
		scan = fmt.Sprintf("-p %d %s", a.port, a.host)
	}
	return fmt.Sprintf("make it with: ssh-keyscan %s > known_hosts (compare its keys with those that the host publishes); kubectl create secret generic NAME --type=kubernetes.io/ssh-auth --from-file=ssh-privatekey=FILE --from-file=known_hosts", scan)
}

func (s *secret) ssh(a *address) (transport.AuthMethod, error) {
	switch {
	case s.hasPassword() && !s.hasKey():
		return nil, authFailed("%s holds a user and a password, but %q needs an SSH key: a Secret of type kubernetes.io/ssh-auth; %s", s, a, makeSecret(a))
	case !s.hasKey() && s.name != "":
		return nil, authFailed("%q needs an SSH key, and Secret %q is absent or has no key ssh-privatekey; %s", a, s.name, makeSecret(a))
	case !s.hasKey():
		return nil, authFailed("%q needs an SSH key, and no gitSecret was given; %s", a, makeSecret(a))
	case len(bytes.TrimSpace(s.knownHosts)) == 0:
		return nil, authFailed("%s has no key known_hosts, without which nothing proves that %q is who it says; %s", s, a.host, makeSecret(a))
	}
	signer, err := ssh.ParsePrivateKey(s.key)
	var locked *ssh.PassphraseMissingError
	if errors.As(err, &locked) {
		return nil, authFailed("The SSH key in %s has a passphrase: a key without one is needed", s)
	}
	if err != nil {
		return nil, authFailed("The key ssh-privatekey of %s is no SSH private key", s)
	}
	hosts, err := knownhosts.NewDB(filepath.Join(s.dir, "known_hosts"))
	if err != nil {
		return nil, authFailed("The key known_hosts of %s cannot be read: it needs lines of host, type and public key; %s", s, makeSecret(a))
	}
	keys := &gitssh.PublicKeys{User: a.user, Signer: signer}
	keys.HostKeyCallback = hosts.HostKeyCallback()
	keys.HostKeyAlgorithms = hosts.HostKeyAlgorithms(fmt.Sprintf("%s:%d", a.host, a.port))
	return &sshMethod{keys}, nil
}

// sshMethod adds a time limit to the connection.
type sshMethod struct{ *gitssh.PublicKeys }

// ClientConfig is what the connection is made with.
func (m *sshMethod) ClientConfig() (*ssh.ClientConfig, error) {
	config, err := m.PublicKeys.ClientConfig()
	if err != nil {
		return nil, err
	}
	config.Timeout = connectTimeout
	return config, nil
}

const connectTimeout = 20 * time.Second

// scrub takes the secret's values out of a text of the server's.
func (s *secret) scrub(said string) string {
	if len(s.password) > 3 {
		said = strings.ReplaceAll(said, s.password, "…")
	}
	return text.Line(said, 200)
}

func authFailed(format string, args ...any) error {
	return failure.New(failure.GitAuthenticationFailed, format, args...)
}
