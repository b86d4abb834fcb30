package place

import (
	"errors"
	"os"
	"path/filepath"
	"testing"
	"testing/iotest"
)

func TestSelf(t *testing.T) {
	path := filepath.Join(t.TempDir(), "bin", "builder")
	if err := Self(path); err != nil {
		t.Fatal(err)
	}
	if err := Self(path); err != nil {
		t.Fatalf("a second time: %v", err)
	}
	got, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	own, err := os.Stat("/proc/self/exe")
	if err != nil {
		t.Fatal(err)
	}
	if got.Mode() != 0o555 || got.Size() != own.Size() {
		t.Errorf("placed with mode %v and %d bytes, want 0555 and %d", got.Mode(), got.Size(), own.Size())
	}
}

func TestCopyToLeavesNothingBehind(t *testing.T) {
	dir, broken := t.TempDir(), errors.New("broken")
	if err := copyTo(iotest.ErrReader(broken), filepath.Join(dir, "builder")); !errors.Is(err, broken) {
		t.Errorf("copyTo: %v, want %v", err, broken)
	}
	left, err := os.ReadDir(dir)
	if err != nil || len(left) != 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
}
