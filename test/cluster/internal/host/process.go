package host

import (
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// Process is one process, told apart by when it started from others that have
// had its number.
type Process struct {
	PID     int    `json:"pid"`
	Started uint64 `json:"started"`
}

// Find returns the process that has a number now.
func Find(pid int) (Process, error) {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return Process{}, fmt.Errorf("cannot find process %d: %w", pid, err)
	}
	started, err := startTime(string(stat))
	if err != nil {
		return Process{}, fmt.Errorf("cannot find process %d: %w", pid, err)
	}
	return Process{PID: pid, Started: started}, nil
}

// Alive says whether the process is there still.
func (p Process) Alive() bool {
	now, err := Find(p.PID)
	return err == nil && p.PID > 1 && now == p
}

// Kill ends the process, if it is there still, and waits until it is gone.
func (p Process) Kill(timeout time.Duration) error {
	if !p.Alive() {
		return nil
	}
	if err := unix.Kill(p.PID, unix.SIGKILL); err != nil && !errors.Is(err, unix.ESRCH) {
		return fmt.Errorf("cannot kill process %d: %w", p.PID, err)
	}
	for deadline := time.Now().Add(timeout); p.Alive(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(deadline) {
			return fmt.Errorf("process %d does not end", p.PID)
		}
	}
	return nil
}

// startTime reads the 22nd field of a process's stat, counted from behind the
// command, which may hold anything.
func startTime(stat string) (uint64, error) {
	end := strings.LastIndexByte(stat, ')')
	fields := strings.Fields(stat[end+1:])
	if end < 0 || len(fields) < 20 {
		return 0, fmt.Errorf("cannot read %q", stat)
	}
	if fields[0] == "Z" {
		return 0, errors.New("it has ended")
	}
	return strconv.ParseUint(fields[19], 10, 64)
}
