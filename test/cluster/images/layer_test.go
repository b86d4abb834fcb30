package images

import (
	"archive/tar"
	"bytes"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

const testEpoch = 1_700_000_000

func pack(t *testing.T, dir string) (*layerFile, []tar.Header) {
	t.Helper()
	var packed bytes.Buffer
	record, err := packLayer(&packed, dir, nil, testEpoch)
	if err != nil {
		t.Fatal(err)
	}
	l := &layerFile{path: filepath.Join(t.TempDir(), "layer"), record: record}
	if err := os.WriteFile(l.path, packed.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	r, err := l.Uncompressed()
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = r.Close() }()
	var headers []tar.Header
	for entries := tar.NewReader(r); ; {
		h, err := entries.Next()
		if errors.Is(err, io.EOF) {
			return l, headers
		}
		if err != nil {
			t.Fatal(err)
		}
		headers = append(headers, *h)
	}
}

// sampleTree makes files whose order on disk and times vary with age.
func sampleTree(t *testing.T, age time.Duration, names ...string) string {
	t.Helper()
	dir := t.TempDir()
	for _, name := range names {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(name), 0o640); err != nil {
			t.Fatal(err)
		}
		now := time.Now().Add(age)
		if err := os.Chtimes(path, now, now); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func TestPackLayerIsDeterministic(t *testing.T) {
	one, _ := pack(t, sampleTree(t, 0, "a/x", "a/y", "b"))
	two, _ := pack(t, sampleTree(t, time.Hour, "b", "a/y", "a/x"))
	if diff := cmp.Diff(one.record, two.record); diff != "" {
		t.Errorf("the same files gave different layers:\n%s", diff)
	}
	other, _ := pack(t, sampleTree(t, 0, "a/x", "a/y", "c"))
	if one.record.Digest == other.record.Digest {
		t.Error("different files gave the same layer")
	}
}

func TestPackLayerEntries(t *testing.T) {
	dir := sampleTree(t, 0, "dir/file")
	old := time.Unix(testEpoch-1000, 0)
	err := errors.Join(
		os.Link(filepath.Join(dir, "dir/file"), filepath.Join(dir, "dir/hard")),
		os.Symlink("dir/file", filepath.Join(dir, "soft")),
		os.WriteFile(filepath.Join(dir, "old"), nil, 0o600),
		os.Chmod(filepath.Join(dir, "old"), 0o755|fs.ModeSetuid),
		os.Chtimes(filepath.Join(dir, "old"), old, old),
	)
	if err != nil {
		t.Fatal(err)
	}
	type entry struct {
		Name, Link string
		Type       byte
		Mode, Time int64
	}
	_, headers := pack(t, dir)
	var got []entry
	for _, h := range headers {
		got = append(got, entry{h.Name, h.Linkname, h.Typeflag, h.Mode, h.ModTime.Unix()})
	}
	want := []entry{
		{"dir/", "", tar.TypeDir, 0o755, testEpoch},
		{"dir/file", "", tar.TypeReg, 0o640, testEpoch},
		{"dir/hard", "dir/file", tar.TypeLink, 0o640, testEpoch},
		{"old", "", tar.TypeReg, 0o4755, testEpoch - 1000},
		{"soft", "dir/file", tar.TypeSymlink, 0o777, testEpoch},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("entries (-want +got):\n%s", diff)
	}
}

func TestUnpackLayerGivesWhatWasPacked(t *testing.T) {
	dir := sampleTree(t, 0, "dir/file", "dir/deep/er", "z")
	if err := os.Symlink("nowhere", filepath.Join(dir, "dangling")); err != nil {
		t.Fatal(err)
	}
	first, _ := pack(t, dir)
	unpacked := filepath.Join(t.TempDir(), "tree")
	if err := unpackLayer(first, unpacked); err != nil {
		t.Fatal(err)
	}
	second, _ := pack(t, unpacked)
	if diff := cmp.Diff(first.record, second.record); diff != "" {
		t.Errorf("packing what was unpacked (-first +second):\n%s", diff)
	}
}

func TestUnpackEntryStaysInside(t *testing.T) {
	for _, name := range []string{"../outside", "/etc/passwd", "a/../../b"} {
		h := &tar.Header{Name: name, Typeflag: tar.TypeReg}
		if err := unpackEntry(t.TempDir(), h, bytes.NewReader(nil)); err == nil {
			t.Errorf("%q was unpacked", name)
		}
	}
}
