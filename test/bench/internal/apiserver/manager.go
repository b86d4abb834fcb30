package apiserver

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
)

// StartManager starts the manager with some more in its environment.
func (s *Server) StartManager(ctx context.Context, env ...string) error {
	var err error
	if s.log, err = os.OpenFile(s.file("manager.log"), os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600); err != nil {
		return fmt.Errorf("cannot keep the manager's log: %w", err)
	}
	s.manager = exec.CommandContext(ctx, s.file("manager"),
		"-leader-elect=false", "-metrics-bind-address=0", "-health-probe-bind-address=0")
	s.manager.Env = append(os.Environ(), "KUBECONFIG="+s.kubeconfig(Account), "POD_NAMESPACE="+OperatorNamespace,
		"GOMEMLIMIT=230MiB", "WATCH_NAMESPACE=", "OPERATOR_IMAGE=registry.example.com/meteor-operator:1")
	s.manager.Env = append(s.manager.Env, env...)
	s.manager.Stdout, s.manager.Stderr = s.log, s.log
	if err := s.manager.Start(); err != nil {
		s.manager = nil
		return errors.Join(fmt.Errorf("cannot start the manager: %w", err), s.log.Close())
	}
	return nil
}

// StopManager ends the manager, if it runs.
func (s *Server) StopManager() error {
	if s.manager == nil {
		return nil
	}
	err := s.manager.Process.Signal(syscall.SIGTERM)
	if err == nil {
		err = s.manager.Wait()
	}
	s.manager = nil
	if err != nil {
		return fmt.Errorf("the manager ended badly, its log is in %s: %w", s.dir, err)
	}
	return s.log.Close()
}

// RSS is the memory that the manager has, in MB.
func (s *Server) RSS() (float64, error) {
	status, err := os.ReadFile(filepath.Join("/proc", strconv.Itoa(s.manager.Process.Pid), "status"))
	if err != nil {
		return 0, fmt.Errorf("cannot tell the manager's memory: %w", err)
	}
	for line := range strings.Lines(string(status)) {
		if text, ok := strings.CutPrefix(line, "VmRSS:"); ok {
			kB, err := strconv.ParseFloat(strings.Fields(text)[0], 64)
			return float64(int(kB/1024*10)) / 10, err
		}
	}
	return 0, errors.New("cannot tell the manager's memory: it has ended")
}
