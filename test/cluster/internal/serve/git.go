package serve

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/cgi"
	"os"
	"path"
	"path/filepath"
	"strings"

	"golang.org/x/crypto/ssh"
)

const (
	gitBackend    = "/usr/lib/git-core/git-http-backend"
	gitUploadPack = "/usr/bin/git-upload-pack"
	privatePrefix = "/private/"
	// mostAsked is more than any client says when it asks for objects.
	mostAsked = 16 << 20
)

// Git says which repositories are served, and where. In Dir, those below public
// are for everyone; those below private ask for the login over HTTPS. Over SSH
// the authorized key opens both, and nothing else opens anything. Nobody may
// push.
type Git struct {
	Dir        string
	HTTPS, SSH string
	Cert, Key  string
	Login      Login
	HostKey    ssh.Signer
	Authorized ssh.PublicKey
	Log        *log.Logger
}

// Serve serves until something fails.
func (g Git) Serve() error {
	server := newServer(g.HTTPS, g.handler())
	return firstOf(func() error { return server.ListenAndServeTLS(g.Cert, g.Key) }, g.serveSSH)
}

func (g Git) handler() http.Handler {
	backend := whole(&cgi.Handler{
		Path: gitBackend,
		Env:  append(gitEnvironment(), "GIT_PROJECT_ROOT="+g.Dir, "GIT_HTTP_EXPORT_ALL=1"),
	})
	private := g.Login.only("git", backend)
	return logged(g.Log, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		// The backend reads the path as it came, so it is decided on as it came.
		if r.URL.Path != path.Clean(r.URL.Path) {
			http.NotFound(w, r)
			return
		}
		if strings.HasPrefix(r.URL.Path, privatePrefix) {
			private.ServeHTTP(w, r)
			return
		}
		backend.ServeHTTP(w, r)
	}))
}

// whole reads a request's body before it is passed on: a client may send one of
// unknown length, which a CGI program cannot take.
func whole(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, mostAsked))
		if err != nil {
			http.Error(w, "cannot read the request", http.StatusBadRequest)
			return
		}
		r.Body, r.ContentLength, r.TransferEncoding = io.NopCloser(bytes.NewReader(body)), int64(len(body)), nil
		next.ServeHTTP(w, r)
	})
}

// gitEnvironment lets clients ask for any commit by its hash, and lets git read
// what another user made.
func gitEnvironment() []string {
	settings := [][2]string{
		{"safe.directory", "*"},
		{"uploadpack.allowAnySHA1InWant", "true"},
		{"uploadpack.allowFilter", "true"},
		{"http.receivepack", "false"},
		// What is asked for is packed already; to pack it better costs more than it saves.
		{"pack.compression", "1"},
		{"pack.window", "0"},
		{"pack.threads", "1"},
	}
	env := []string{"PATH=" + os.Getenv("PATH"), "HOME=/nonexistent", fmt.Sprintf("GIT_CONFIG_COUNT=%d", len(settings))}
	for i, s := range settings {
		env = append(env, fmt.Sprintf("GIT_CONFIG_KEY_%d=%s", i, s[0]), fmt.Sprintf("GIT_CONFIG_VALUE_%d=%s", i, s[1]))
	}
	return env
}

// repository is the directory of a repository that a client of SSH names.
func (g Git) repository(name string) (string, error) {
	clean := path.Clean("/" + name)
	if clean == "/" || strings.ContainsRune(clean, 0) {
		return "", errors.New("no such repository")
	}
	for _, candidate := range []string{clean, clean + ".git"} {
		dir := filepath.Join(g.Dir, filepath.FromSlash(candidate))
		if _, err := os.Stat(filepath.Join(dir, "HEAD")); err == nil {
			return dir, nil
		}
	}
	return "", fmt.Errorf("no such repository: %s", clean)
}
