package main

import (
	"fmt"
	"time"

	"golang.org/x/sys/unix"
)

// used says what a command took: its time, its own memory and that of the largest program that it ran.
func used(took time.Duration) string {
	line := fmt.Sprintf("took %.2f s", took.Seconds())
	for _, who := range []struct {
		which int
		name  string
	}{{unix.RUSAGE_SELF, "its own"}, {unix.RUSAGE_CHILDREN, "its largest child's"}} {
		var usage unix.Rusage
		if err := unix.Getrusage(who.which, &usage); err == nil && usage.Maxrss > 0 {
			line += fmt.Sprintf(", %s peak memory %d MiB", who.name, usage.Maxrss>>10)
		}
	}
	return line
}
