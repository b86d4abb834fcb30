package node

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/meteor-zone/meteor-operator/test/cluster/internal/kubeapi"
)

const bridge = "cni0"

// network has no route but to the pods and to the services' addresses, which
// must lead somewhere to be translated on their way.
var network = []string{
	"link set lo up",
	"link add " + bridge + " address 0a:58:0a:f4:00:01 type bridge",
	"addr add " + Address + "/16 dev " + bridge,
	"link set " + bridge + " up",
	"route add " + services + " dev " + bridge,
}

// networkSettings belong to the node's network namespace.
var networkSettings = map[string]string{
	"net/bridge/bridge-nf-call-iptables": "1",
	"net/ipv4/ip_forward":                "1",
}

// Run is the first process of the node's namespaces. It returns only when it
// could not bring the node up.
func Run(dirs Dirs) error {
	if err := enterRoot(dirs); err != nil {
		return err
	}
	if err := unix.Sethostname([]byte(Name)); err != nil {
		return fmt.Errorf("cannot name the node: %w", err)
	}
	os.Clearenv()
	if err := os.Setenv("PATH", "/opt/kube:/usr/local/sbin:/usr/sbin:/usr/bin:/sbin:/bin"); err != nil {
		return err
	}
	if err := os.Setenv("HOME", "/root"); err != nil {
		return err
	}
	s := newSupervisor("/"+LogDir, os.Stdout, programs(dirs.Cgroup))
	go s.bury()
	control, err := net.Listen("unix", "/"+ControlSocket)
	if err != nil {
		return fmt.Errorf("cannot listen for what to do: %w", err)
	}
	if err := setNetworkUp(s); err != nil {
		return err
	}
	go s.bringUp(programs(dirs.Cgroup))
	return http.Serve(control, s.handler())
}

func setNetworkUp(s *supervisor) error {
	const batch = "/run/network"
	if err := os.WriteFile(batch, []byte(strings.Join(network, "\n")+"\n"), 0o600); err != nil {
		return fmt.Errorf("cannot write the network's set-up: %w", err)
	}
	if err := s.run("/sbin/ip", "-batch", batch); err != nil {
		return fmt.Errorf("cannot set the network up: %w", err)
	}
	for name, value := range networkSettings {
		if err := os.WriteFile("/proc/sys/"+name, []byte(value), 0o644); err != nil {
			return fmt.Errorf("cannot set %s: %w", name, err)
		}
	}
	return nil
}

// bringUp starts the programs, those that need the apiserver when it answers.
func (s *supervisor) bringUp(all []program) {
	for _, p := range all {
		if p.early {
			s.startOrSay(p.name)
		}
	}
	waitForAPIServer(s.out)
	for _, p := range all {
		if !p.early {
			s.startOrSay(p.name)
		}
	}
}

func (s *supervisor) startOrSay(name string) {
	if err := s.start(name); err != nil {
		fmt.Fprintln(s.out, err)
	}
}

func waitForAPIServer(out io.Writer) {
	client, err := kubeapi.FromKubeconfig(etc + "admin.conf")
	if err != nil {
		fmt.Fprintln(out, err)
		return
	}
	for client.Get(context.Background(), "/readyz", nil) != nil {
		time.Sleep(100 * time.Millisecond)
	}
}
