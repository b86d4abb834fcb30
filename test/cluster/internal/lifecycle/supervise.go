package lifecycle

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/meteor-zone/meteor-operator/test/cluster/internal/forward"
	"github.com/meteor-zone/meteor-operator/test/cluster/internal/host"
	"github.com/meteor-zone/meteor-operator/test/cluster/internal/node"
)

// lockDescriptor is where the node finds the lock that it holds together with
// the supervisor.
const lockDescriptor = 3

// Supervise starts the node and forwards connections to it until either ends.
// It must be called on the process's first thread, which is locked: the node
// dies with the thread that started it.
func (c *Cluster) Supervise() error {
	lock, err := takeLock(c.lockFile())
	if err != nil {
		return err
	}
	defer lock.Close()
	// However low the priority of the command that started it was.
	if err := unix.Setpriority(unix.PRIO_PROCESS, 0, 0); err != nil {
		return fmt.Errorf("cannot take the usual priority: %w", err)
	}
	forwarder, err := forward.Listen(routes())
	if err != nil {
		return err
	}
	defer forwarder.Close()
	if err := host.MakeCgroup(c.cgroup()); err != nil {
		return err
	}
	init, err := c.launch(lock)
	if err != nil {
		return errors.Join(err, c.cleanUp())
	}
	netns, err := c.introduce(init.Process.Pid)
	if err != nil {
		return errors.Join(err, init.Process.Kill(), init.Wait(), c.cleanUp())
	}
	go forwarder.Serve(forward.Inside(netns))
	asked := endWhenAsked(init.Process)
	err = init.Wait()
	if asked() {
		err = nil
	}
	forwarder.Close()
	if err != nil {
		err = fmt.Errorf("the node has ended: %w", err)
	}
	return errors.Join(err, c.cleanUp())
}

func (c *Cluster) launch(lock *os.File) (*exec.Cmd, error) {
	log, err := os.OpenFile(filepath.Join(c.root(), node.LogDir, "node.log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return nil, fmt.Errorf("cannot open the node's log: %w", err)
	}
	defer log.Close()
	init := exec.Command("/proc/self/exe", "node")
	init.Stdout, init.Stderr = log, log
	init.ExtraFiles = []*os.File{lock}
	init.SysProcAttr = &syscall.SysProcAttr{
		Cloneflags: unix.CLONE_NEWNET | unix.CLONE_NEWNS | unix.CLONE_NEWPID | unix.CLONE_NEWIPC | unix.CLONE_NEWUTS,
		Pdeathsig:  unix.SIGKILL,
		Setsid:     true,
	}
	if err := init.Start(); err != nil {
		return nil, fmt.Errorf("cannot start the node: %w", err)
	}
	return init, nil
}

// introduce writes down which processes the cluster is, and opens the node's
// network.
func (c *Cluster) introduce(pid int) (*os.File, error) {
	self, err := host.Find(os.Getpid())
	if err != nil {
		return nil, err
	}
	first, err := host.Find(pid)
	if err != nil {
		return nil, err
	}
	if err := writeJSON(c.path("processes.json"), processes{Supervisor: self, Node: first}, 0o644); err != nil {
		return nil, err
	}
	netns, err := os.Open(fmt.Sprintf("/proc/%d/ns/net", pid))
	if err != nil {
		return nil, fmt.Errorf("cannot open the node's network: %w", err)
	}
	return netns, nil
}

// endWhenAsked ends the node when the supervisor is told to stop; what it
// returns says whether that was so.
func endWhenAsked(init *os.Process) (asked func() bool) {
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, unix.SIGTERM, unix.SIGINT)
	done := make(chan struct{})
	go func() {
		<-signals
		close(done)
		_ = init.Kill()
	}()
	return func() bool {
		select {
		case <-done:
			return true
		default:
			return false
		}
	}
}

// cleanUp takes away what would make the cluster look alive, and its cgroups.
func (c *Cluster) cleanUp() error {
	err := host.RemoveCgroup(c.cgroup())
	for _, name := range []string{"info.json", "complete", "kubeconfig", "processes.json"} {
		if gone := os.Remove(c.path(name)); !errors.Is(gone, os.ErrNotExist) {
			err = errors.Join(err, gone)
		}
	}
	return err
}

func takeLock(file string) (*os.File, error) {
	lock, err := os.OpenFile(file, os.O_CREATE|os.O_RDWR, 0o644)
	if err != nil {
		return nil, fmt.Errorf("cannot take the cluster's lock: %w", err)
	}
	// Whoever only looks whether it is held, holds it for a moment.
	for range 20 {
		if err = unix.Flock(int(lock.Fd()), unix.LOCK_EX|unix.LOCK_NB); err == nil {
			return lock, nil
		}
		time.Sleep(50 * time.Millisecond)
	}
	return nil, errors.Join(fmt.Errorf("cannot take the cluster's lock, it runs already: %w", err), lock.Close())
}

// RunNode is the node's first process.
func (c *Cluster) RunNode() error {
	unix.CloseOnExec(lockDescriptor)
	var dirs node.Dirs
	if err := readJSON(c.path("dirs.json"), &dirs); err != nil {
		return fmt.Errorf("cannot tell what the node is made of: %w", err)
	}
	return node.Run(dirs)
}
