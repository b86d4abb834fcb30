// Package cluster tells where the local cluster is that the command
// test/cluster/cmd/cluster brings up, and how to talk to it.
package cluster

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// Info says how to talk to the local cluster, from this machine and from the
// cluster's pods.
type Info struct {
	// Kubeconfig is a file for an administrator of the cluster.
	Kubeconfig string `json:"kubeconfig"`
	// Registry is the open registry as pods and the kubelet name it.
	Registry string `json:"registry"`
	// RegistryPush is the open registry as this machine reaches it.
	RegistryPush string `json:"registryPush"`
	// PrivateRegistry is the registry that asks for a password, as pods and the
	// kubelet name it.
	PrivateRegistry string `json:"privateRegistry"`
	// PrivateRegistryPush is the private registry as this machine reaches it.
	PrivateRegistryPush string `json:"privateRegistryPush"`
	// PrivateUser is the private registry's user.
	PrivateUser string `json:"privateUser"`
	// PrivatePassword is that user's password.
	PrivatePassword string `json:"privatePassword"`
	// NodePorts are the node ports that this machine reaches at the same port of
	// 127.0.0.1.
	NodePorts []int `json:"nodePorts"`
	// Images are the images that the open registry holds: short name to the
	// reference that pods use.
	Images map[string]string `json:"images"`
	// AuditLog is the file that the apiserver writes its audit log to.
	AuditLog string `json:"auditLog"`
	// CA is a file with the certificate of the authority by which the private
	// package index and the git server are to be known.
	CA string `json:"ca"`
	// Index is the open package index as pods name it.
	Index string `json:"index"`
	// IndexHere is the open package index's address on this machine.
	IndexHere string `json:"indexHere"`
	// PrivateIndex is the package index that asks for a password, as pods name it.
	PrivateIndex string `json:"privateIndex"`
	// PrivateIndexHere is the private package index's address on this machine.
	PrivateIndexHere string `json:"privateIndexHere"`
	// IndexUser is the private package index's user.
	IndexUser string `json:"indexUser"`
	// IndexPassword is that user's password.
	IndexPassword string `json:"indexPassword"`
	// Git is what HTTPS URLs of repositories begin with, as pods name them:
	// /public/NAME.git follows, or /private/NAME.git with a password.
	Git string `json:"git"`
	// GitHere is the git server's address on this machine, for HTTPS.
	GitHere string `json:"gitHere"`
	// GitUser is the user of the private repositories over HTTPS.
	GitUser string `json:"gitUser"`
	// GitPassword is that user's password.
	GitPassword string `json:"gitPassword"`
	// GitSSH is what SSH URLs of the same repositories begin with.
	GitSSH string `json:"gitSSH"`
	// GitSSHHere is the git server's address on this machine, for SSH.
	GitSSHHere string `json:"gitSSHHere"`
	// GitSSHKey is a file with the private key that opens them over SSH.
	GitSSHKey string `json:"gitSSHKey"`
	// GitKnownHosts is a file that knows the git server's key.
	GitKnownHosts string `json:"gitKnownHosts"`
	// Commits are the repositories' commits: public/NAME#REF to hash.
	Commits map[string]string `json:"commits"`
}

// ErrNotUp says that there is no local cluster to talk to.
var ErrNotUp = errors.New("the local cluster is not up: make cluster-up")

// CacheDir is where everything is kept that the cluster makes: $METEOR_CACHE,
// or meteor-operator in the user's cache directory.
func CacheDir() (string, error) {
	if dir := os.Getenv("METEOR_CACHE"); dir != "" {
		return filepath.Abs(dir)
	}
	base, err := os.UserCacheDir()
	if err != nil {
		return "", fmt.Errorf("cannot tell where to keep things, set METEOR_CACHE: %w", err)
	}
	return filepath.Join(base, "meteor-operator"), nil
}

// InfoFile is where a running cluster's Info is, in a cache.
func InfoFile(cache string) string { return filepath.Join(cache, "cluster", "info.json") }

// ReadInfo reads what the running cluster says of itself. It returns ErrNotUp
// when there is none.
func ReadInfo() (Info, error) {
	file := os.Getenv("METEOR_CLUSTER_INFO")
	if file == "" {
		cache, err := CacheDir()
		if err != nil {
			return Info{}, err
		}
		file = InfoFile(cache)
	}
	content, err := os.ReadFile(file)
	if errors.Is(err, fs.ErrNotExist) {
		return Info{}, ErrNotUp
	}
	if err != nil {
		return Info{}, fmt.Errorf("cannot read what the cluster says of itself: %w", err)
	}
	var info Info
	if err := json.Unmarshal(content, &info); err != nil {
		return Info{}, fmt.Errorf("cannot read %s: %w", file, err)
	}
	return info, nil
}
