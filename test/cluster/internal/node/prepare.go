package node

import (
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/crypto/bcrypt"

	"github.com/meteor-zone/meteor-operator/test/cluster/internal/pki"
)

//go:embed files
var files embed.FS

// directories are made in the node's root, below which other things are mounted
// or written.
var directories = []string{
	"dev", "etc/alternatives", "etc/kubernetes/pki", "opt/dns", "opt/kube", "opt/serve", "proc", "root", "run", "sys", "tmp/hostpath_pv", "usr",
	"var/lib/cni", "var/lib/containerd", "var/lib/etcd", "var/lib/git", "var/lib/index", "var/lib/kubelet", "var/lib/registry", "var/lib/sysctl",
	LogDir, filepath.Dir(AuditLog), "var/log/pods",
}

// Login is a user and a password.
type Login struct{ User, Password string }

// Logins are what the private ones of the node's servers ask for.
type Logins struct{ Registry, Index, Git Login }

// Prepare writes the node's root, with certificates made for this start. It
// returns the kubeconfig of an administrator who reaches the apiserver at the
// address given.
func Prepare(root, apiserver string, logins Logins) ([]byte, error) {
	for _, dir := range directories {
		if err := os.MkdirAll(filepath.Join(root, dir), 0o755); err != nil {
			return nil, fmt.Errorf("cannot make the node's root: %w", err)
		}
	}
	if err := os.Chmod(filepath.Join(root, "tmp"), 0o1777); err != nil {
		return nil, fmt.Errorf("cannot make the node's root: %w", err)
	}
	all, err := staticFiles()
	if err != nil {
		return nil, err
	}
	maps.Copy(all, registryHosts())
	hash, err := bcrypt.GenerateFromPassword([]byte(logins.Registry.Password), bcrypt.MinCost)
	if err != nil {
		return nil, fmt.Errorf("cannot hash the private registry's password: %w", err)
	}
	all["etc/registry/htpasswd"] = []byte(logins.Registry.User + ":" + string(hash) + "\n")
	certs, admin, err := certificates(apiserver)
	if err != nil {
		return nil, err
	}
	maps.Copy(all, certs)
	known, err := serverFiles(logins)
	if err != nil {
		return nil, err
	}
	maps.Copy(all, known)
	if err := writeAll(root, all); err != nil {
		return nil, err
	}
	return admin, systemLinks(root)
}

func writeAll(root string, all map[string][]byte) error {
	for name, content := range all {
		path := filepath.Join(root, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			return fmt.Errorf("cannot make the node's root: %w", err)
		}
		mode := os.FileMode(0o644)
		if strings.HasSuffix(name, ".key") || strings.HasSuffix(name, ".login") || strings.HasSuffix(name, ".conf") && strings.HasPrefix(name, "etc/kubernetes/") {
			mode = 0o600
		}
		if err := os.WriteFile(path, content, mode); err != nil {
			return fmt.Errorf("cannot write %s: %w", name, err)
		}
	}
	return nil
}

func staticFiles() (map[string][]byte, error) {
	all := map[string][]byte{}
	err := fs.WalkDir(files, "files", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		content, err := files.ReadFile(path)
		all[strings.TrimPrefix(path, "files/")] = content
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("cannot read the node's files: %w", err)
	}
	return all, nil
}

// registryHosts tells containerd that the registries speak plain HTTP.
func registryHosts() map[string][]byte {
	all := map[string][]byte{}
	for _, host := range []string{Registry, PrivateRegistry} {
		content := fmt.Sprintf("server = %[1]q\n\n[host.%[1]q]\n  capabilities = [\"pull\", \"resolve\"]\n", "http://"+host)
		all["etc/containerd/certs.d/"+host+"/hosts.toml"] = []byte(content)
	}
	return all
}

// systemLinks repeats the links of the machine's root, such as /bin to usr/bin,
// and makes directories for what is a directory there.
func systemLinks(root string) error {
	for _, name := range systemDirs {
		path := filepath.Join(root, name)
		target, err := os.Readlink("/" + name)
		switch {
		case err == nil:
			err = os.Symlink(target, path)
		case errors.Is(err, fs.ErrNotExist):
			err = nil
		default:
			err = os.Mkdir(path, 0o755)
		}
		if err != nil && !errors.Is(err, fs.ErrExist) {
			return fmt.Errorf("cannot make the node's /%s: %w", name, err)
		}
	}
	return nil
}

// client is a program that speaks to the apiserver.
type client struct {
	file    string
	subject pki.Subject
}

var clients = []client{
	{"controller-manager", pki.Subject{Name: "system:kube-controller-manager"}},
	{"scheduler", pki.Subject{Name: "system:kube-scheduler"}},
	{"kube-proxy", pki.Subject{Name: "system:kube-proxy"}},
	{"kubelet", pki.Subject{Name: "system:node:" + Name, Groups: []string{"system:nodes"}}},
	{"coredns", pki.Subject{Name: "coredns"}},
	{"admin", administrator},
}

var administrator = pki.Subject{Name: "kubernetes-admin", Groups: []string{"system:masters"}}

// certificates makes the files in /etc/kubernetes that hold keys, and an
// administrator's kubeconfig for outside.
func certificates(apiserver string) (map[string][]byte, []byte, error) {
	ca, err := pki.NewAuthority("kubernetes")
	if err != nil {
		return nil, nil, err
	}
	front, err := pki.NewAuthority("front-proxy")
	if err != nil {
		return nil, nil, err
	}
	tokens, err := pki.NewKey()
	if err != nil {
		return nil, nil, err
	}
	pairs := map[string]pki.Pair{"ca": ca.Pair, "front-proxy-ca": front.Pair, "tokens": tokens}
	for _, c := range []struct {
		by      *pki.Authority
		file    string
		subject pki.Subject
	}{
		{ca, "apiserver", pki.Subject{Name: "kube-apiserver", Hosts: apiserverHosts}},
		{ca, "kubelet-client", pki.Subject{Name: "kube-apiserver-kubelet-client"}},
		{front, "front-proxy-client", pki.Subject{Name: "front-proxy-client"}},
	} {
		pair, err := c.by.Issue(c.subject)
		if err != nil {
			return nil, nil, err
		}
		pairs[c.file] = pair
	}
	all := map[string][]byte{}
	for name, pair := range pairs {
		all["etc/kubernetes/pki/"+name+".crt"] = pair.Cert
		all["etc/kubernetes/pki/"+name+".key"] = pair.Key
	}
	for _, c := range clients {
		config, err := kubeconfig(ca, c.subject, APIServer)
		if err != nil {
			return nil, nil, err
		}
		all["etc/kubernetes/"+c.file+".conf"] = config
	}
	admin, err := kubeconfig(ca, administrator, apiserver)
	return all, admin, err
}

var apiserverHosts = []string{
	Address, "10.96.0.1", "127.0.0.1", "localhost",
	"kubernetes", "kubernetes.default", "kubernetes.default.svc", "kubernetes.default.svc.cluster.local",
}
