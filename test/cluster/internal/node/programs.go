package node

// program is one that runs for as long as the node does.
type program struct {
	name string
	argv []string
	// early programs are started before the apiserver answers.
	early bool
}

const (
	etc     = "/etc/kubernetes/"
	pkiDir  = etc + "pki/"
	servers = "/etc/servers/"
	etcdURL = "http://127.0.0.1:2379"
)

func programs(cgroup string) []program {
	return []program{
		{name: "registry", early: true, argv: []string{"/usr/bin/docker-registry", "serve", "/etc/registry/open.yml"}},
		{name: "private-registry", early: true, argv: []string{"/usr/bin/docker-registry", "serve", "/etc/registry/private.yml"}},
		{name: "index", early: true, argv: index()},
		{name: "git", early: true, argv: git()},
		{name: "containerd", early: true, argv: []string{"/usr/bin/containerd", "--log-level", "warn"}},
		{name: "etcd", early: true, argv: etcd()},
		{name: "kube-apiserver", early: true, argv: apiserver()},
		{name: "kube-controller-manager", argv: controllerManager()},
		{name: "kube-scheduler", argv: scheduler()},
		{name: "kubelet", argv: kubelet(cgroup)},
		{name: "kube-proxy", argv: proxy()},
		{name: "coredns", argv: []string{"/opt/dns/coredns", "-conf", "/etc/coredns/Corefile"}},
	}
}

func index() []string {
	return []string{
		"/opt/serve/serve", "index", "--dir", "/var/lib/index", "--open", IndexAddress, "--private", PrivateIndexAddress,
		"--cert", servers + "index.crt", "--key", servers + "index.key", "--login", servers + "index.login",
	}
}

func git() []string {
	return []string{
		"/opt/serve/serve", "git", "--dir", "/var/lib/git", "--https", GitAddress, "--ssh", GitSSHAddress,
		"--cert", servers + "git.crt", "--key", servers + "git.key", "--login", servers + "git.login",
		"--host-key", servers + "host.key", "--authorized-key", servers + "client.pub",
	}
}

func etcd() []string {
	return []string{
		"/opt/kube/etcd", "--name", "node", "--data-dir", "/var/lib/etcd",
		// A cluster that dies with its processes has nothing to save from a power cut.
		"--unsafe-no-fsync",
		"--logger", "zap", "--log-level", "warn",
		"--listen-client-urls", etcdURL, "--advertise-client-urls", etcdURL,
		"--listen-peer-urls", "http://127.0.0.1:2380", "--initial-advertise-peer-urls", "http://127.0.0.1:2380",
		"--initial-cluster", "node=http://127.0.0.1:2380",
	}
}

func apiserver() []string {
	return []string{
		"/opt/kube/kube-apiserver",
		"--etcd-servers", etcdURL,
		"--bind-address", Address, "--advertise-address", Address, "--secure-port", "6443",
		"--tls-cert-file", pkiDir + "apiserver.crt", "--tls-private-key-file", pkiDir + "apiserver.key",
		"--client-ca-file", pkiDir + "ca.crt",
		"--kubelet-client-certificate", pkiDir + "kubelet-client.crt", "--kubelet-client-key", pkiDir + "kubelet-client.key",
		"--kubelet-preferred-address-types", "InternalIP",
		"--proxy-client-cert-file", pkiDir + "front-proxy-client.crt", "--proxy-client-key-file", pkiDir + "front-proxy-client.key",
		"--requestheader-client-ca-file", pkiDir + "front-proxy-ca.crt", "--requestheader-allowed-names", "front-proxy-client",
		"--requestheader-username-headers", "X-Remote-User", "--requestheader-group-headers", "X-Remote-Group",
		"--requestheader-extra-headers-prefix", "X-Remote-Extra-",
		"--service-account-issuer", "https://kubernetes.default.svc.cluster.local",
		"--service-account-key-file", pkiDir + "tokens.crt", "--service-account-signing-key-file", pkiDir + "tokens.key",
		"--service-cluster-ip-range", services,
		"--authorization-mode", "Node,RBAC", "--enable-admission-plugins", "NodeRestriction",
		"--allow-privileged=true",
		"--audit-policy-file", etc + "audit.yaml", "--audit-log-path", "/" + AuditLog, "--audit-log-maxsize", "1000",
	}
}

func controllerManager() []string {
	config := etc + "controller-manager.conf"
	return []string{
		"/opt/kube/kube-controller-manager", "--leader-elect=false", "--bind-address", "127.0.0.1",
		"--kubeconfig", config, "--authentication-kubeconfig", config, "--authorization-kubeconfig", config,
		"--use-service-account-credentials",
		"--client-ca-file", pkiDir + "ca.crt", "--root-ca-file", pkiDir + "ca.crt",
		"--requestheader-client-ca-file", pkiDir + "front-proxy-ca.crt",
		"--cluster-signing-cert-file", pkiDir + "ca.crt", "--cluster-signing-key-file", pkiDir + "ca.key",
		"--service-account-private-key-file", pkiDir + "tokens.key",
		"--enable-hostpath-provisioner",
	}
}

func scheduler() []string {
	config := etc + "scheduler.conf"
	return []string{
		"/opt/kube/kube-scheduler", "--leader-elect=false", "--bind-address", "127.0.0.1",
		"--kubeconfig", config, "--authentication-kubeconfig", config, "--authorization-kubeconfig", config,
	}
}

func kubelet(cgroup string) []string {
	return []string{
		"/opt/kube/kubelet", "--config", etc + "kubelet.yaml", "--kubeconfig", etc + "kubelet.conf",
		"--hostname-override", Name, "--node-ip", Address, "--cgroup-root", "/" + cgroup,
	}
}

func proxy() []string {
	return []string{
		"/opt/kube/kube-proxy", "--kubeconfig", etc + "kube-proxy.conf", "--hostname-override", Name,
		"--bind-address", Address, "--cluster-cidr", pods, "--proxy-mode", "iptables",
		"--healthz-bind-address", "127.0.0.1:10256", "--metrics-bind-address", "127.0.0.1:10249",
		// How many connections are tracked is the machine's setting.
		"--conntrack-max-per-core", "0", "--conntrack-tcp-timeout-established", "0", "--conntrack-tcp-timeout-close-wait", "0",
		"--oom-score-adj", "0",
	}
}
