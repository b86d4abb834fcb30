// Package gittest makes real repositories with git itself, and serves them on the loopback address over HTTP, HTTPS
// and SSH.
package gittest

import (
	"crypto/ed25519"
	"crypto/rand"
	"encoding/pem"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/cgi"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/crypto/ssh"
	"golang.org/x/crypto/ssh/knownhosts"
)

// User and Password open what is private.
const (
	User     = "reader"
	Password = "s3cret-pa55"
)

// Repo is a repository with a working tree.
type Repo struct {
	t *testing.T
	// Dir is where it is.
	Dir string
}

// Init makes an empty repository on branch main.
func Init(t *testing.T, root, name string) *Repo {
	t.Helper()
	r := Open(t, root, name)
	must(t, os.MkdirAll(r.Dir, 0o755))
	r.Git("init", "-q", "-b", "main")
	r.Git("config", "http.receivepack", "false")
	return r
}

// Open returns a repository that is there.
func Open(t *testing.T, root, name string) *Repo {
	t.Helper()
	return &Repo{t, filepath.Join(root, name)}
}

// Git runs git in the repository and returns what it prints.
func (r *Repo) Git(args ...string) string {
	r.t.Helper()
	cmd := exec.Command("git", append([]string{"-c", "protocol.file.allow=always"}, args...)...)
	cmd.Dir = r.Dir
	cmd.Env = append(os.Environ(), "GIT_CONFIG_GLOBAL=/dev/null", "GIT_CONFIG_SYSTEM=/dev/null",
		"GIT_AUTHOR_NAME=A", "GIT_AUTHOR_EMAIL=a@example.com", "GIT_COMMITTER_NAME=A", "GIT_COMMITTER_EMAIL=a@example.com",
		"GIT_AUTHOR_DATE=2024-01-02T03:04:05Z", "GIT_COMMITTER_DATE=2024-01-02T03:04:05Z")
	out, err := cmd.CombinedOutput()
	if err != nil {
		r.t.Fatalf("git %v: %v\n%s", args, err, out)
	}
	return strings.TrimSpace(string(out))
}

// Write writes files: a name that starts with "x:" is executable, one that starts with "l:" is a link to its content.
func (r *Repo) Write(files map[string]string) {
	r.t.Helper()
	for name, content := range files {
		kind, rest, ok := strings.Cut(name, ":")
		if !ok {
			kind, rest = "", name
		}
		path := filepath.Join(r.Dir, rest)
		must(r.t, os.MkdirAll(filepath.Dir(path), 0o755))
		switch kind {
		case "l":
			must(r.t, os.Symlink(content, path))
		case "x":
			must(r.t, os.WriteFile(path, []byte(content), 0o755))
		default:
			must(r.t, os.WriteFile(path, []byte(content), 0o644))
		}
	}
}

// Commit commits all files and returns the commit.
func (r *Repo) Commit(files map[string]string) string {
	r.t.Helper()
	r.Write(files)
	r.Git("add", "-A")
	r.Git("commit", "-q", "--allow-empty", "-m", "test")
	return r.Git("rev-parse", "HEAD")
}

// Handler serves all repositories below a folder over smart HTTP. Those below /private/ want the password.
func Handler(root string) http.Handler {
	out, err := exec.Command("git", "--exec-path").Output()
	if err != nil {
		panic(err)
	}
	backend := &cgi.Handler{
		Path: filepath.Join(strings.TrimSpace(string(out)), "git-http-backend"), Stderr: io.Discard,
		Env: []string{"GIT_PROJECT_ROOT=" + root, "GIT_HTTP_EXPORT_ALL=1", "GIT_CONFIG_COUNT=1", "GIT_CONFIG_KEY_0=safe.directory", "GIT_CONFIG_VALUE_0=*"},
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasPrefix(r.URL.Path, "/private/") {
			if user, password, _ := r.BasicAuth(); user != User || password != Password {
				w.Header().Set("WWW-Authenticate", `Basic realm="git"`)
				http.Error(w, "who are you? "+password, http.StatusUnauthorized)
				return
			}
		}
		backend.ServeHTTP(w, r)
	})
}

// HTTP serves repositories without encryption and returns the URL.
func HTTP(t *testing.T, root string) string {
	t.Helper()
	s := httptest.NewServer(Handler(root))
	t.Cleanup(s.Close)
	return s.URL
}

// HTTPS serves repositories and returns the URL and a file with the server's certificate.
func HTTPS(t *testing.T, root string) (url, ca string) {
	t.Helper()
	s := httptest.NewTLSServer(Handler(root))
	t.Cleanup(s.Close)
	ca = filepath.Join(t.TempDir(), "ca.crt")
	must(t, os.WriteFile(ca, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: s.Certificate().Raw}), 0o644))
	return s.URL, ca
}

// BasicAuth makes a folder like a mounted Secret of type kubernetes.io/basic-auth.
func BasicAuth(t *testing.T, user, password string) string {
	t.Helper()
	return Folder(t, map[string]string{"username": user, "password": password})
}

// Folder makes a folder with files.
func Folder(t *testing.T, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, content := range files {
		must(t, os.WriteFile(filepath.Join(dir, name), []byte(content), 0o600))
	}
	return dir
}

// SSHServer serves repositories over SSH to one key.
type SSHServer struct {
	// Addr is its host and port.
	Addr string
	// Key is the private key that it takes, KnownHosts the line of its own.
	Key, KnownHosts string
	root            string
}

// SSH starts a server.
func SSH(t *testing.T, root string) *SSHServer {
	t.Helper()
	host, _ := newKey(t)
	client, key := newKey(t)
	config := &ssh.ServerConfig{PublicKeyCallback: func(_ ssh.ConnMetadata, k ssh.PublicKey) (*ssh.Permissions, error) {
		if string(k.Marshal()) != string(client.PublicKey().Marshal()) {
			return nil, fmt.Errorf("unknown key")
		}
		return nil, nil
	}}
	config.AddHostKey(host)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	t.Cleanup(func() { _ = l.Close() })
	s := &SSHServer{Addr: l.Addr().String(), Key: key, root: root}
	s.KnownHosts = knownhosts.Line([]string{knownhosts.Normalize(s.Addr)}, host.PublicKey()) + "\n"
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			go s.serve(conn, config)
		}
	}()
	return s
}

// Secret makes a folder like a mounted Secret of type kubernetes.io/ssh-auth.
func (s *SSHServer) Secret(t *testing.T) string {
	t.Helper()
	return Folder(t, map[string]string{"ssh-privatekey": s.Key, "known_hosts": s.KnownHosts})
}

// OtherKnownHosts is a line with a key that is not the server's.
func (s *SSHServer) OtherKnownHosts(t *testing.T) string {
	t.Helper()
	other, _ := newKey(t)
	return knownhosts.Line([]string{knownhosts.Normalize(s.Addr)}, other.PublicKey()) + "\n"
}

func (s *SSHServer) serve(conn net.Conn, config *ssh.ServerConfig) {
	_, channels, requests, err := ssh.NewServerConn(conn, config)
	if err != nil {
		_ = conn.Close()
		return
	}
	go ssh.DiscardRequests(requests)
	for c := range channels {
		channel, requests, err := c.Accept()
		if err != nil {
			return
		}
		go s.session(channel, requests)
	}
}

func (s *SSHServer) session(channel ssh.Channel, requests <-chan *ssh.Request) {
	defer channel.Close()
	for r := range requests {
		if r.Type != "exec" {
			_ = r.Reply(false, nil)
			continue
		}
		var payload struct{ Command string }
		_ = ssh.Unmarshal(r.Payload, &payload)
		_ = r.Reply(true, nil)
		cmd := exec.Command("sh", "-c", payload.Command)
		// Paths are below the root, as on hosts that serve many repositories.
		cmd.Args[2] = strings.Replace(payload.Command, " '", " '"+s.root+"/", 1)
		cmd.Stdout, cmd.Stderr = channel, channel.Stderr()
		in, err := cmd.StdinPipe()
		if err != nil || cmd.Start() != nil {
			return
		}
		go func() {
			_, _ = io.Copy(in, channel)
			_ = in.Close()
		}()
		status := []byte{0, 0, 0, 0}
		if cmd.Wait() != nil {
			status[3] = 1
		}
		_, _ = channel.SendRequest("exit-status", false, status)
		return
	}
}

func newKey(t *testing.T) (ssh.Signer, string) {
	t.Helper()
	_, private, err := ed25519.GenerateKey(rand.Reader)
	must(t, err)
	signer, err := ssh.NewSignerFromKey(private)
	must(t, err)
	block, err := ssh.MarshalPrivateKey(private, "")
	must(t, err)
	return signer, string(pem.EncodeToMemory(block))
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
