package results_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/meteor-zone/meteor-operator/internal/results"
)

func TestWriteReplacesWhateverIsThere(t *testing.T) {
	cases := map[string]struct {
		reason string
		plant  func(t *testing.T, path, outside string)
	}{
		"Nothing": {reason: "The usual case", plant: func(*testing.T, string, string) {}},
		"File": {reason: "An older file is replaced", plant: func(t *testing.T, path, _ string) {
			must(t, os.WriteFile(path, []byte("forged, and longer than what comes"), 0o600))
		}},
		"ReadOnlyFile": {reason: "A file that cannot be written is replaced", plant: func(t *testing.T, path, _ string) {
			must(t, os.WriteFile(path, []byte("forged"), 0o400))
		}},
		"Link": {reason: "A link is replaced, not followed", plant: func(t *testing.T, path, outside string) {
			must(t, os.Symlink(outside, path))
		}},
		"Folder": {reason: "A folder is replaced", plant: func(t *testing.T, path, _ string) {
			must(t, os.MkdirAll(filepath.Join(path, "deep"), 0o700))
		}},
		"Pipe": {reason: "A pipe is replaced and never waited for", plant: func(t *testing.T, path, _ string) {
			must(t, syscall.Mkfifo(path, 0o600))
		}},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			dir, outside := t.TempDir(), filepath.Join(t.TempDir(), "outside")
			must(t, os.WriteFile(outside, []byte("untouched"), 0o600))
			tc.plant(t, filepath.Join(dir, "checks"), outside)

			must(t, results.Dir(dir).WriteJSON("checks", []string{}))

			got, err := results.Dir(dir).Read("checks", 10)
			must(t, err)
			if string(got) != "[]" {
				t.Errorf("%s: read %q, want []", tc.reason, got)
			}
			if kept, _ := os.ReadFile(outside); string(kept) != "untouched" {
				t.Errorf("%s: the file outside became %q", tc.reason, kept)
			}
		})
	}
}

func TestReadRefuses(t *testing.T) {
	cases := map[string]struct {
		plant func(t *testing.T, path string)
		want  string
	}{
		"TooLong": {plant: func(t *testing.T, path string) { must(t, os.WriteFile(path, []byte("12345"), 0o600)) }, want: "more than 4 bytes"},
		"Link":    {plant: func(t *testing.T, path string) { must(t, os.Symlink("/etc/passwd", path)) }, want: "too many levels of symbolic links"},
		"Folder":  {plant: func(t *testing.T, path string) { must(t, os.Mkdir(path, 0o700)) }, want: "not a plain file"},
		"Pipe":    {plant: func(t *testing.T, path string) { must(t, syscall.Mkfifo(path, 0o600)) }, want: "not a plain file"},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			tc.plant(t, filepath.Join(dir, "look"))
			_, err := results.Dir(dir).Read("look", 4)
			if err == nil || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("Read: %v, want %q", err, tc.want)
			}
		})
	}
}

func TestReadMissing(t *testing.T) {
	if _, err := results.Dir(t.TempDir()).Read("look", 4); !errors.Is(err, results.ErrMissing) {
		t.Errorf("Read: %v, want ErrMissing", err)
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func TestSweep(t *testing.T) {
	dir := t.TempDir()
	path := func(name string) string { return filepath.Join(dir, name) }
	must(t, os.WriteFile(path("kept"), []byte("kept"), 0o600))
	must(t, os.WriteFile(path("extra"), nil, 0o600))
	must(t, os.Symlink("/etc/passwd", path("link")))
	must(t, syscall.Mkfifo(path("pipe"), 0o600))
	must(t, os.MkdirAll(path("folder/deep"), 0o700))
	must(t, os.WriteFile(path("folder/deep/file"), nil, 0o400))
	must(t, os.Chmod(path("folder/deep"), 0))
	must(t, os.Chmod(path("folder"), 0))
	must(t, results.Dir(dir).Sweep("kept", "link", "pipe", "folder", "missing"))
	entries, err := os.ReadDir(dir)
	must(t, err)
	if len(entries) != 1 || entries[0].Name() != "kept" {
		t.Errorf("left: %v", entries)
	}
	must(t, results.Dir(path("nowhere")).Sweep())
}
