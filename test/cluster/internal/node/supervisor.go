package node

import (
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

const (
	restartAfter = time.Second
	stopTimeout  = 20 * time.Second
)

// Status is how one of the node's programs fares.
type Status struct {
	Name     string    `json:"name"`
	State    string    `json:"state"`
	PID      int       `json:"pid,omitempty"`
	Since    time.Time `json:"since"`
	Restarts int       `json:"restarts"`
	// Memory is what is resident, in bytes.
	Memory int64 `json:"memory,omitempty"`
}

// States of a program.
const (
	Running    = "running"
	Restarting = "restarting"
	Stopped    = "stopped"
	Waiting    = "waiting"
)

// supervisor starts programs, and starts them again when they end unasked. It
// buries every process that has no other parent, so it must be the only one
// that waits for processes.
type supervisor struct {
	logs string
	out  io.Writer

	mu    sync.Mutex
	units map[string]*unit
	runs  map[int]chan syscall.WaitStatus
}

type unit struct {
	program
	Status
	wanted bool
	ended  chan struct{}
}

func newSupervisor(logs string, out io.Writer, all []program) *supervisor {
	s := &supervisor{logs: logs, out: out, units: map[string]*unit{}, runs: map[int]chan syscall.WaitStatus{}}
	for _, p := range all {
		s.units[p.name] = &unit{program: p, Status: Status{Name: p.name, State: Waiting, Since: time.Now()}}
	}
	return s
}

// bury waits for children for as long as the node lives.
func (s *supervisor) bury() {
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, unix.SIGCHLD)
	for {
		var status syscall.WaitStatus
		pid, err := syscall.Wait4(-1, &status, syscall.WNOHANG, nil)
		if errors.Is(err, syscall.EINTR) {
			continue
		}
		if err != nil || pid <= 0 {
			<-signals
			continue
		}
		s.buried(pid, status)
	}
}

func (s *supervisor) buried(pid int, status syscall.WaitStatus) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if done, ok := s.runs[pid]; ok {
		delete(s.runs, pid)
		done <- status
		return
	}
	for _, u := range s.units {
		if u.PID == pid {
			s.ended(u, status)
		}
	}
}

// ended is called with the lock held.
func (s *supervisor) ended(u *unit, status syscall.WaitStatus) {
	close(u.ended)
	u.PID, u.Since = 0, time.Now()
	if !u.wanted {
		u.State = Stopped
		return
	}
	u.State = Restarting
	u.Restarts++
	fmt.Fprintf(s.out, "%s ended (%s) and is started again\n", u.name, describe(status))
	time.AfterFunc(restartAfter, func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		if u.wanted && u.PID == 0 {
			s.launch(u)
		}
	})
}

// launch is called with the lock held, so that a process is known before it
// can be buried.
func (s *supervisor) launch(u *unit) {
	u.Since, u.ended = time.Now(), make(chan struct{})
	pid, err := s.fork(u.argv, filepath.Join(s.logs, u.name+".log"))
	if err != nil {
		u.State = Stopped
		close(u.ended)
		fmt.Fprintln(s.out, err)
		return
	}
	u.PID, u.State = pid, Running
}

func (s *supervisor) fork(argv []string, log string) (int, error) {
	out, err := os.OpenFile(log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return 0, fmt.Errorf("cannot open the log of %s: %w", argv[0], err)
	}
	defer out.Close()
	null, err := os.Open(os.DevNull)
	if err != nil {
		return 0, fmt.Errorf("cannot start %s: %w", argv[0], err)
	}
	defer null.Close()
	pid, err := syscall.ForkExec(argv[0], argv, &syscall.ProcAttr{
		Env:   os.Environ(),
		Files: []uintptr{null.Fd(), out.Fd(), out.Fd()},
		Sys:   &syscall.SysProcAttr{Setsid: true},
	})
	if err != nil {
		return 0, fmt.Errorf("cannot start %s: %w", argv[0], err)
	}
	return pid, nil
}

// run runs a command to its end.
func (s *supervisor) run(argv ...string) error {
	done := make(chan syscall.WaitStatus, 1)
	s.mu.Lock()
	pid, err := s.fork(argv, filepath.Join(s.logs, "node.log"))
	if err == nil {
		s.runs[pid] = done
	}
	s.mu.Unlock()
	if err != nil {
		return err
	}
	if status := <-done; status.ExitStatus() != 0 {
		return fmt.Errorf("%s: %s", strings.Join(argv, " "), describe(status))
	}
	return nil
}

func (s *supervisor) start(name string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	u, ok := s.units[name]
	if !ok {
		return unknown(name)
	}
	u.wanted = true
	if u.PID == 0 {
		s.launch(u)
	}
	return nil
}

func (s *supervisor) stop(name string) error {
	s.mu.Lock()
	u, ok := s.units[name]
	if !ok {
		s.mu.Unlock()
		return unknown(name)
	}
	u.wanted = false
	pid, ended := u.PID, u.ended
	if pid == 0 {
		u.State = Stopped
		s.mu.Unlock()
		return nil
	}
	err := unix.Kill(pid, unix.SIGTERM)
	s.mu.Unlock()
	if err != nil {
		return fmt.Errorf("cannot stop %s: %w", name, err)
	}
	select {
	case <-ended:
		return nil
	case <-time.After(stopTimeout):
		return s.kill(u, ended)
	}
}

func (s *supervisor) kill(u *unit, ended <-chan struct{}) error {
	s.mu.Lock()
	var err error
	if u.PID != 0 {
		err = unix.Kill(u.PID, unix.SIGKILL)
	}
	s.mu.Unlock()
	if err != nil {
		return fmt.Errorf("cannot kill %s: %w", u.name, err)
	}
	<-ended
	return nil
}

func (s *supervisor) status() []Status {
	s.mu.Lock()
	defer s.mu.Unlock()
	var all []Status
	for _, u := range s.units {
		status := u.Status
		status.Memory = resident(status.PID)
		all = append(all, status)
	}
	slices.SortFunc(all, func(a, b Status) int { return strings.Compare(a.Name, b.Name) })
	return all
}

func unknown(name string) error { return fmt.Errorf("the node has no program %q", name) }

func describe(status syscall.WaitStatus) string {
	if status.Signaled() {
		return "signal " + status.Signal().String()
	}
	return "exit code " + strconv.Itoa(status.ExitStatus())
}

func resident(pid int) int64 {
	content, err := os.ReadFile(fmt.Sprintf("/proc/%d/statm", pid))
	if err != nil {
		return 0
	}
	fields := strings.Fields(string(content))
	if len(fields) < 2 {
		return 0
	}
	pages, err := strconv.ParseInt(fields[1], 10, 64)
	if err != nil {
		return 0
	}
	return pages * int64(os.Getpagesize())
}
