package node

import (
	"io"
	"net"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// TestSupervisor is one test, since a supervisor buries every child of its
// process.
func TestSupervisor(t *testing.T) {
	logs := t.TempDir()
	s := newSupervisor(logs, io.Discard, []program{
		{name: "sleeps", argv: []string{"/bin/sleep", "60"}},
		{name: "absent", argv: []string{"/no/such/program"}},
	})
	go s.bury()

	if diff := cmp.Diff(Waiting, state(s, "sleeps").State); diff != "" {
		t.Errorf("before it is started: -want, +got:\n%s", diff)
	}
	if err := s.start("sleeps"); err != nil {
		t.Fatal(err)
	}
	first := state(s, "sleeps")
	if first.State != Running || first.PID == 0 || first.Memory == 0 {
		t.Errorf("a started program runs, got %+v", first)
	}
	if err := s.start("sleeps"); err != nil || state(s, "sleeps").PID != first.PID {
		t.Errorf("a program that runs is not started again: %v", err)
	}

	if err := syscall.Kill(first.PID, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	eventually(t, "a program that was killed is started again", func() bool {
		now := state(s, "sleeps")
		return now.State == Running && now.PID != first.PID && now.Restarts == 1
	})

	if err := s.stop("sleeps"); err != nil {
		t.Fatal(err)
	}
	if got := state(s, "sleeps"); got.State != Stopped || got.PID != 0 {
		t.Errorf("a stopped program does not run, got %+v", got)
	}
	time.Sleep(restartAfter + 100*time.Millisecond)
	if got := state(s, "sleeps"); got.State != Stopped {
		t.Errorf("a stopped program stays stopped, got %+v", got)
	}

	if err := s.start("absent"); err != nil {
		t.Fatal(err)
	}
	if got := state(s, "absent"); got.State != Stopped {
		t.Errorf("a program that cannot be started does not run, got %+v", got)
	}
	if err := s.start("unknown"); err == nil || !strings.Contains(err.Error(), `"unknown"`) {
		t.Errorf("an unknown program is named, got: %v", err)
	}
	if err := s.stop("unknown"); err == nil {
		t.Error("an unknown program cannot be stopped")
	}

	if err := s.run("/bin/sh", "-c", "echo said; exit 3"); err == nil || !strings.Contains(err.Error(), "exit code 3") {
		t.Errorf("a command that fails says how, got: %v", err)
	}
	said, err := os.ReadFile(filepath.Join(logs, "node.log"))
	if err != nil || string(said) != "said\n" {
		t.Errorf("what a command says is in the node's log, got %q, %v", said, err)
	}
	control(t, s)
}

func control(t *testing.T, s *supervisor) {
	t.Helper()
	dir, err := os.MkdirTemp("", "c")
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(dir)
	server := httptest.NewUnstartedServer(s.handler())
	if err := server.Listener.Close(); err != nil {
		t.Fatal(err)
	}
	if server.Listener, err = net.Listen("unix", filepath.Join(dir, ControlSocket)); err != nil {
		t.Fatal(err)
	}
	server.Start()
	defer server.Close()
	c := NewControl(dir)
	if err := c.Start(t.Context(), "sleeps"); err != nil {
		t.Fatal(err)
	}
	all, err := c.Status(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if len(all) != 2 || all[1].Name != "sleeps" || all[1].State != Running {
		t.Errorf("what was started over the socket runs, got %+v", all)
	}
	if err := c.Stop(t.Context(), "sleeps"); err != nil {
		t.Fatal(err)
	}
	if err := c.Stop(t.Context(), "unknown"); err == nil || err.Error() != unknown("unknown").Error() {
		t.Errorf("an error comes over the socket as it is, got: %v", err)
	}
}

func state(s *supervisor, name string) Status {
	for _, status := range s.status() {
		if status.Name == name {
			return status
		}
	}
	return Status{}
}

func eventually(t *testing.T, what string, so func() bool) {
	t.Helper()
	for deadline := time.Now().Add(5 * time.Second); !so(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("not so in time: %s", what)
		}
	}
}
