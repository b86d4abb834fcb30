package node

import (
	"crypto/ed25519"
	"crypto/rand"
	"encoding/pem"
	"fmt"
	"net"

	"golang.org/x/crypto/ssh"
	"golang.org/x/crypto/ssh/knownhosts"

	"github.com/meteor-zone/meteor-operator/test/cluster/internal/pki"
)

// serverFiles are the certificates, keys and passwords of the package index and
// the git server, below etc/servers, with an authority of their own.
func serverFiles(logins Logins) (map[string][]byte, error) {
	ca, err := pki.NewAuthority("servers of the local cluster")
	if err != nil {
		return nil, err
	}
	all := map[string][]byte{ServersCA: ca.Cert}
	for name, host := range map[string]string{"index": IndexHost, "git": GitHost} {
		pair, err := ca.Issue(pki.Subject{Name: host, Hosts: []string{host, "localhost", "127.0.0.1"}})
		if err != nil {
			return nil, err
		}
		all["etc/servers/"+name+".crt"], all["etc/servers/"+name+".key"] = pair.Cert, pair.Key
	}
	for name, login := range map[string]Login{"index": logins.Index, "git": logins.Git} {
		all["etc/servers/"+name+".login"] = []byte(login.User + ":" + login.Password + "\n")
	}
	host, private, err := newSSHKey("host")
	if err != nil {
		return nil, err
	}
	all["etc/servers/host.key"] = private
	client, private, err := newSSHKey("client")
	if err != nil {
		return nil, err
	}
	all[GitSSHKey], all["etc/servers/client.pub"] = private, ssh.MarshalAuthorizedKey(client)
	_, port, err := net.SplitHostPort(GitSSHAddress)
	if err != nil {
		return nil, err
	}
	all[GitKnownHosts] = []byte(knownhosts.Line([]string{net.JoinHostPort(GitHost, port)}, host) + "\n")
	return all, nil
}

// newSSHKey makes a key pair; the private key is in OpenSSH's format.
func newSSHKey(comment string) (ssh.PublicKey, []byte, error) {
	public, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		return nil, nil, fmt.Errorf("cannot make an SSH key: %w", err)
	}
	block, err := ssh.MarshalPrivateKey(private, comment)
	if err != nil {
		return nil, nil, fmt.Errorf("cannot encode an SSH key: %w", err)
	}
	known, err := ssh.NewPublicKey(public)
	if err != nil {
		return nil, nil, fmt.Errorf("cannot encode an SSH key: %w", err)
	}
	return known, pem.EncodeToMemory(block), nil
}
