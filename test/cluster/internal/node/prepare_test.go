package node

import (
	"crypto/tls"
	"crypto/x509"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/crypto/bcrypt"
	"golang.org/x/crypto/ssh"
	"golang.org/x/crypto/ssh/knownhosts"

	"github.com/meteor-zone/meteor-operator/test/cluster/internal/kubeapi"
)

func TestPrepare(t *testing.T) {
	root := t.TempDir()
	admin, err := Prepare(root, "127.0.0.1:1", Logins{
		Registry: Login{User: "me", Password: "secret"}, Index: Login{User: "index", Password: "secret-index"}, Git: Login{User: "git", Password: "secret-git"},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Run("ProgramsFindTheirFiles", func(t *testing.T) {
		for _, p := range programs("c") {
			for _, arg := range p.argv[1:] {
				if !strings.HasPrefix(arg, "/etc/") {
					continue
				}
				if _, err := os.Stat(filepath.Join(root, arg)); err != nil {
					t.Errorf("%s is started with a file that is not there: %v", p.name, err)
				}
			}
		}
	})
	t.Run("KeysAreSecret", func(t *testing.T) {
		err := filepath.WalkDir(filepath.Join(root, "etc"), func(path string, d fs.DirEntry, err error) error {
			if err != nil || d.IsDir() {
				return err
			}
			content, err := os.ReadFile(path)
			if err != nil {
				return err
			}
			info, err := d.Info()
			secret := strings.Contains(string(content), "PRIVATE KEY") || strings.Contains(string(content), "secret") || strings.Contains(string(content), "client-key-data")
			if err == nil && secret && info.Mode().Perm() != 0o600 {
				t.Errorf("%s holds a key and is readable by others", path)
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	})
	t.Run("Kubeconfig", func(t *testing.T) {
		file := filepath.Join(t.TempDir(), "kubeconfig")
		if err := os.WriteFile(file, admin, 0o600); err != nil {
			t.Fatal(err)
		}
		client, err := kubeapi.FromKubeconfig(file)
		if err != nil {
			t.Fatal(err)
		}
		if err := client.Get(t.Context(), "/readyz", nil); err == nil || !strings.Contains(err.Error(), "127.0.0.1:1") {
			t.Errorf("the administrator's kubeconfig leads to the address given, got: %v", err)
		}
	})
	t.Run("Servers", func(t *testing.T) {
		ca, err := os.ReadFile(filepath.Join(root, ServersCA))
		if err != nil {
			t.Fatal(err)
		}
		roots := x509.NewCertPool()
		roots.AppendCertsFromPEM(ca)
		for name, host := range map[string]string{"index": IndexHost, "git": GitHost} {
			file := filepath.Join(root, "etc/servers", name)
			pair, err := tls.LoadX509KeyPair(file+".crt", file+".key")
			if err != nil {
				t.Fatal(err)
			}
			for _, address := range []string{host, "127.0.0.1"} {
				if _, err := pair.Leaf.Verify(x509.VerifyOptions{Roots: roots, DNSName: address}); err != nil {
					t.Errorf("%s is not known as %s: %v", name, address, err)
				}
			}
		}
	})
	t.Run("SSH", func(t *testing.T) {
		known, err := knownhosts.New(filepath.Join(root, GitKnownHosts))
		if err != nil {
			t.Fatal(err)
		}
		content, err := os.ReadFile(filepath.Join(root, "etc/servers/host.key"))
		if err != nil {
			t.Fatal(err)
		}
		host, err := ssh.ParsePrivateKey(content)
		if err != nil {
			t.Fatal(err)
		}
		if err := known("git.local:2222", &net.TCPAddr{IP: net.IPv4(10, 244, 0, 1), Port: 2222}, host.PublicKey()); err != nil {
			t.Errorf("the git server is not known by its key: %v", err)
		}
	})
	t.Run("Password", func(t *testing.T) {
		content, err := os.ReadFile(filepath.Join(root, "etc/registry/htpasswd"))
		if err != nil {
			t.Fatal(err)
		}
		user, hash, _ := strings.Cut(strings.TrimSpace(string(content)), ":")
		if diff := cmp.Diff("me", user); diff != "" {
			t.Errorf("user: -want, +got:\n%s", diff)
		}
		if err := bcrypt.CompareHashAndPassword([]byte(hash), []byte("secret")); err != nil {
			t.Errorf("the password does not open the private registry: %v", err)
		}
	})
}

func TestPrepareTwice(t *testing.T) {
	root := t.TempDir()
	for range 2 {
		if _, err := Prepare(root, "127.0.0.1:1", Logins{}); err != nil {
			t.Fatalf("what is there already is written over: %v", err)
		}
	}
}
