package build

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"strconv"
	"time"

	"golang.org/x/sys/unix"
)

// patience is how long processes may resist being ended, by starting others all the time.
const patience = 20 * time.Second

// adopt makes this process the parent of those whose own parent has ended.
func adopt() error {
	if err := unix.Prctl(unix.PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0); err != nil {
		return fmt.Errorf("cannot adopt processes: %w", err)
	}
	return nil
}

// reap ends all processes that descend from this one. They are stopped first, so that they start no others while
// they are killed one by one; it goes on until there is none.
func reap() error {
	for start := time.Now(); time.Since(start) < patience; {
		all, err := descendants(os.Getpid())
		if err != nil || len(all) == 0 {
			return err
		}
		for _, signal := range []unix.Signal{unix.SIGSTOP, unix.SIGKILL} {
			for _, pid := range all {
				if err := unix.Kill(pid, signal); err != nil && !errors.Is(err, unix.ESRCH) {
					return fmt.Errorf("cannot end process %d: %w", pid, err)
				}
			}
		}
		collect()
	}
	return fmt.Errorf("cannot end the processes that the build left behind within %s", patience)
}

// collect waits for the children that have ended.
func collect() {
	for {
		pid, err := unix.Wait4(-1, nil, unix.WNOHANG, nil)
		if pid <= 0 && !errors.Is(err, unix.EINTR) {
			break
		}
	}
	time.Sleep(2 * time.Millisecond)
}

// descendants lists the processes below one.
func descendants(of int) ([]int, error) {
	entries, err := os.ReadDir("/proc")
	if err != nil {
		return nil, fmt.Errorf("cannot list processes: %w", err)
	}
	children := map[int][]int{}
	for _, e := range entries {
		pid, err := strconv.Atoi(e.Name())
		if err != nil {
			continue
		}
		if parent, ok := parentOf(pid); ok {
			children[parent] = append(children[parent], pid)
		}
	}
	var out []int
	for todo := []int{of}; len(todo) > 0; todo = todo[1:] {
		out = append(out, children[todo[0]]...)
		todo = append(todo, children[todo[0]]...)
	}
	return out, nil
}

// parentOf reads a process's parent: the second field after its name, which is in brackets and may hold any.
func parentOf(pid int) (int, bool) {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0, false // it has ended
	}
	fields := bytes.Fields(stat[bytes.LastIndexByte(stat, ')')+1:])
	if len(fields) < 2 {
		return 0, false
	}
	parent, err := strconv.Atoi(string(fields[1]))
	return parent, err == nil
}
