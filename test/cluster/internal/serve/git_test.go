package serve

import (
	"bytes"
	"crypto/ed25519"
	"crypto/rand"
	"io"
	"log"
	"net"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/crypto/ssh"
)

func TestGitOverHTTPS(t *testing.T) {
	g, commit := gitServer(t)
	server := httptest.NewServer(g.handler())
	defer server.Close()
	with := func(login string) string { return strings.Replace(server.URL, "//", "//"+login+"@", 1) }
	cases := map[string]struct {
		reason string
		args   []string
		fails  string
	}{
		"Public":        {reason: "A public repository is for everyone.", args: []string{"clone", "--depth=1", server.URL + "/public/a.git", "."}},
		"OldProtocol":   {reason: "A client of the first protocol is served.", args: []string{"-c", "protocol.version=0", "clone", "--depth=1", server.URL + "/public/a.git", "."}},
		"ByHash":        {reason: "A commit may be asked for by its hash.", args: []string{"fetch", "--depth=1", server.URL + "/public/a.git", commit}},
		"NoPassword":    {reason: "A private one asks for a password.", args: []string{"clone", server.URL + "/private/b.git", "."}, fails: "could not read Username"},
		"WrongPassword": {reason: "A wrong password is refused.", args: []string{"clone", with("me:x") + "/private/b.git", "."}, fails: "Authentication failed"},
		"Password":      {reason: "The password opens it.", args: []string{"clone", with("me:secret") + "/private/b.git", "."}},
		"WayAround":     {reason: "No spelling of a path leads around the password.", args: []string{"clone", server.URL + "/public//../private/b.git", "."}, fails: "not found"},
		"Absent":        {reason: "A repository that is not there is not found.", args: []string{"clone", server.URL + "/public/c.git", "."}, fails: "not found"},
		"Push":          {reason: "Nobody may push.", args: []string{"push", with("me:secret") + "/private/b.git", "HEAD:other"}, fails: "403"},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			if tc.args[0] == "fetch" {
				run(t, dir, "init", "-q")
			}
			if tc.args[0] == "push" {
				run(t, dir, "clone", "-q", filepath.Join(g.Dir, "private/b.git"), ".")
			}
			out, err := command(dir, tc.args...).CombinedOutput()
			if (err != nil) != (tc.fails != "") || !strings.Contains(string(out), tc.fails) {
				t.Errorf("%s\nwant %q, got %v: %s", tc.reason, tc.fails, err, out)
			}
		})
	}
}

func TestGitOverSSH(t *testing.T) {
	g, commit := gitServer(t)
	host, _ := newKey(t)
	known, public := newKey(t)
	stranger, _ := newKey(t)
	g.HostKey, g.Authorized = host, public
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	go func() {
		// It ends with the listener.
		_ = g.acceptSSH(l)
	}()
	if _, err := dial(l.Addr().String(), stranger); err == nil {
		t.Error("an unknown key is let in")
	}
	cases := map[string]struct {
		reason, command, says string
		fails                 bool
	}{
		"Upload":  {reason: "A repository's references are told.", command: "git-upload-pack '/private/b.git'", says: commit},
		"NoEnd":   {reason: "The ending of its name may be left out.", command: "git-upload-pack '/public/a'", says: commit},
		"Absent":  {reason: "A repository that is not there is named.", command: "git-upload-pack '/public/c.git'", says: "no such repository: /public/c.git", fails: true},
		"Outside": {reason: "Nothing outside is served.", command: "git-upload-pack '../../etc'", says: "no such repository", fails: true},
		"Push":    {reason: "Nobody may push.", command: "git-receive-pack '/public/a.git'", says: "only serves git-upload-pack", fails: true},
		"Shell":   {reason: "No other command is run.", command: "id", says: "only serves git-upload-pack", fails: true},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			client, err := dial(l.Addr().String(), known)
			if err != nil {
				t.Fatal(err)
			}
			defer client.Close()
			session, err := client.NewSession()
			if err != nil {
				t.Fatal(err)
			}
			// A flush: the client wants nothing.
			session.Stdin = strings.NewReader("0000")
			out, err := session.CombinedOutput(tc.command)
			if (err != nil) != tc.fails || !strings.Contains(string(out), tc.says) {
				t.Errorf("%s\nwant %q, got %v: %s", tc.reason, tc.says, err, out)
			}
		})
	}
}

// gitServer has a public repository a and a private one b of one commit.
func gitServer(t *testing.T) (Git, string) {
	t.Helper()
	dir, work := t.TempDir(), t.TempDir()
	run(t, work, "init", "-q", "-b", "main")
	run(t, work, "commit", "-q", "--allow-empty", "-m", "first")
	for _, name := range []string{"public/a.git", "private/b.git"} {
		run(t, work, "clone", "-q", "--bare", work, filepath.Join(dir, name))
	}
	login := Login{User: "me", Password: "secret"}
	return Git{Dir: dir, Login: login, Log: log.New(io.Discard, "", 0)}, run(t, work, "rev-parse", "HEAD")
}

func command(dir string, args ...string) *exec.Cmd {
	cmd := exec.Command("git", args...)
	cmd.Dir = dir
	cmd.Env = []string{
		"PATH=" + os.Getenv("PATH"), "HOME=" + dir, "GIT_CONFIG_NOSYSTEM=1", "GIT_TERMINAL_PROMPT=0", "LC_ALL=C.UTF-8",
		"GIT_AUTHOR_NAME=a", "GIT_AUTHOR_EMAIL=a", "GIT_COMMITTER_NAME=a", "GIT_COMMITTER_EMAIL=a",
	}
	return cmd
}

func run(t *testing.T, dir string, args ...string) string {
	t.Helper()
	out, err := command(dir, args...).CombinedOutput()
	if err != nil {
		t.Fatalf("git %s: %v: %s", args[0], err, out)
	}
	return string(bytes.TrimSpace(out))
}

func newKey(t *testing.T) (ssh.Signer, ssh.PublicKey) {
	t.Helper()
	_, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	signer, err := ssh.NewSignerFromKey(private)
	if err != nil {
		t.Fatal(err)
	}
	return signer, signer.PublicKey()
}

func dial(address string, key ssh.Signer) (*ssh.Client, error) {
	return ssh.Dial("tcp", address, &ssh.ClientConfig{
		User: "git", Auth: []ssh.AuthMethod{ssh.PublicKeys(key)},
		HostKeyCallback: ssh.InsecureIgnoreHostKey(),
	})
}
