// Package node is the cluster's one node: the file system, the network and the
// programs of a Kubernetes node inside mount, network and PID namespaces of its
// own. Run is the first process in there; when it dies, the kernel ends
// everything that it started, pods included, and takes the mounts and the
// network away.
//
// Nothing of the machine is changed from in there. The node's root is a
// directory of its own in which the machine's programs are mounted read-only.
// Kernel settings that belong to the machine, and that the kubelet insists on,
// are covered by files that say what it wants to read.
package node

// Addresses inside the node's network.
const (
	// Address is the node's own address and its pods' gateway.
	Address = "10.244.0.1"
	// APIServer is where the apiserver listens.
	APIServer = Address + ":6443"
	// Registry is the open registry's name.
	Registry = "registry.local:5000"
	// RegistryAddress is where the open registry listens.
	RegistryAddress = Address + ":5000"
	// PrivateRegistry is the private registry's name.
	PrivateRegistry = "private-registry.local:5001"
	// PrivateRegistryAddress is where the private registry listens.
	PrivateRegistryAddress = Address + ":5001"

	// IndexHost is the package indexes' name.
	IndexHost = "packages.local"
	// IndexAddress is where the open package index listens.
	IndexAddress = Address + ":5080"
	// PrivateIndexAddress is where the private package index listens.
	PrivateIndexAddress = Address + ":5443"
	// GitHost is the git server's name.
	GitHost = "git.local"
	// GitAddress is where git is served over HTTPS.
	GitAddress = Address + ":8443"
	// GitSSHAddress is where git is served over SSH.
	GitSSHAddress = Address + ":2222"
	// Name is the node's name.
	Name = "node"

	pods     = "10.244.0.0/16"
	services = "10.96.0.0/16"
)

// Files of the node that the machine reads, below the node's root.
const (
	// ControlSocket is where Run listens for what is to be started and stopped.
	ControlSocket = "control"
	// LogDir holds a log for each program.
	LogDir = "var/log/cluster"
	// ServersCA is the certificate of the authority that the package index and
	// the git server are to be known by.
	ServersCA = "etc/servers/ca.crt"
	// GitSSHKey is the key of the git server's SSH client.
	GitSSHKey = "etc/servers/client.key"
	// GitKnownHosts is what that client knows the git server by.
	GitKnownHosts = "etc/servers/known_hosts"
	// AuditLog is the apiserver's audit log.
	AuditLog = "var/log/kubernetes/audit.log"
)
