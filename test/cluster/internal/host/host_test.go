package host

import (
	"os"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestStartTime(t *testing.T) {
	const rest = " 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 4711 20"
	cases := map[string]struct {
		reason string
		stat   string
		want   uint64
		failed bool
	}{
		"Plain":   {reason: "The field is counted from the number on.", stat: "7 (sh) S" + rest, want: 4711},
		"Command": {reason: "A command with blanks and parentheses shifts nothing.", stat: "7 (a) S (b) S" + rest, want: 4711},
		"Ended":   {reason: "A process that waits to be buried is gone.", stat: "7 (sh) Z" + rest, failed: true},
		"Short":   {reason: "Half a line is no process.", stat: "7 (sh) S 1 2", failed: true},
		"Empty":   {reason: "Nothing is no process.", stat: "", failed: true},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			got, err := startTime(tc.stat)
			if (err != nil) != tc.failed || got != tc.want {
				t.Errorf("%s\ngot %d, %v, want %d", tc.reason, got, err, tc.want)
			}
		})
	}
}

func TestAlive(t *testing.T) {
	self, err := Find(os.Getpid())
	if err != nil {
		t.Fatal(err)
	}
	if !self.Alive() {
		t.Error("this process is alive")
	}
	other := Process{PID: self.PID, Started: self.Started + 1}
	if other.Alive() {
		t.Error("a process with the same number that started at another time is another one")
	}
}

func TestMissing(t *testing.T) {
	cases := map[string]struct {
		reason string
		exists func(string) bool
		want   []string
	}{
		"None": {reason: "What is there is not installed.", exists: func(string) bool { return true }},
		"Some": {
			reason: "What is not there is named by its package.",
			exists: func(path string) bool { return path != "/usr/sbin/runc" && path != "/usr/lib/cni/bridge" },
			want:   []string{"containernetworking-plugins", "runc"},
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(tc.want, missing(tc.exists)); diff != "" {
				t.Errorf("%s\n-want, +got:\n%s", tc.reason, diff)
			}
		})
	}
}
