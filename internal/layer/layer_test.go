package layer

import (
	"archive/tar"
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"
)

// box is a file system to play with.
type box struct {
	t    *testing.T
	root string
}

func newBox(t *testing.T) *box { return &box{t: t, root: t.TempDir()} }

func (b *box) path(p string) string { return filepath.Join(b.root, p) }

func (b *box) file(p, content string) *box {
	b.dir(filepath.Dir(p))
	must(b.t, os.WriteFile(b.path(p), []byte(content), 0o644))
	return b
}

func (b *box) dir(p string) *box {
	must(b.t, os.MkdirAll(b.path(p), 0o755))
	return b
}

func (b *box) remove(p string) *box {
	must(b.t, os.RemoveAll(b.path(p)))
	return b
}

func (b *box) link(target, p string) *box {
	b.dir(filepath.Dir(p))
	must(b.t, os.Symlink(target, b.path(p)))
	return b
}

func (b *box) hard(old, p string) *box {
	must(b.t, os.Link(b.path(old), b.path(p)))
	return b
}

func (b *box) chmod(p string, mode fs.FileMode) *box {
	must(b.t, os.Chmod(b.path(p), mode))
	return b
}

func (b *box) age(p string, when time.Time) *box {
	must(b.t, os.Chtimes(b.path(p), when, when))
	return b
}

func (b *box) note(o Options) *Tree {
	b.t.Helper()
	o.Root = b.root
	tree, err := Note(o)
	must(b.t, err)
	// Change times come in steps of a few milliseconds: what changes from here on must have later ones.
	time.Sleep(15 * time.Millisecond)
	return tree
}

func (b *box) pack(o Options, before *Tree) []byte {
	b.t.Helper()
	o.Root = b.root
	var out bytes.Buffer
	packed, err := Pack(&out, o, before)
	must(b.t, err)
	var again bytes.Buffer
	verified, err := Verify(&again, bytes.NewReader(out.Bytes()), o.Limits)
	must(b.t, err)
	if !bytes.Equal(out.Bytes(), again.Bytes()) {
		b.t.Error("Verify changed what Pack had written")
	}
	if packed != verified {
		b.t.Errorf("Pack counted %+v, Verify %+v", packed, verified)
	}
	return out.Bytes()
}

// list describes a tar's entries, one line each.
func list(t *testing.T, data []byte) []string {
	t.Helper()
	out := []string{}
	for r := tar.NewReader(bytes.NewReader(data)); ; {
		h, err := r.Next()
		if errors.Is(err, io.EOF) {
			return out
		}
		must(t, err)
		content, err := io.ReadAll(r)
		must(t, err)
		line := fmt.Sprintf("%c %04o %s", h.Typeflag, h.Mode, h.Name)
		switch {
		case h.Linkname != "":
			line += " -> " + h.Linkname
		case len(content) > 0:
			line += " = " + string(content)
		}
		out = append(out, line)
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func TestPack(t *testing.T) {
	cases := map[string]struct {
		reason  string
		options Options
		before  func(b *box)
		after   func(b *box)
		want    []string
	}{
		"Nothing": {
			reason: "What did not change is not in the layer",
			before: func(b *box) { b.file("a/b", "x").link("b", "a/l") },
			after:  func(*box) {},
			want:   []string{},
		},
		"Added": {
			reason: "New files come with their directories, which extractors would make up otherwise; the group may do what the owner may",
			before: func(b *box) { b.dir("opt/app") },
			after:  func(b *box) { b.file("opt/app/lib/x.py", "1").chmod("opt/app/lib/x.py", 0o700) },
			want:   []string{"5 0755 opt/", "5 0755 opt/app/", "5 0775 opt/app/lib/", "0 0770 opt/app/lib/x.py = 1"},
		},
		"Sorted": {
			reason: "The order is that of the names, whatever the file system's",
			before: func(*box) {},
			after:  func(b *box) { b.file("b-c", "").file("b/z", "").file("b.c", "").file("a", "") },
			want:   []string{"0 0664 a", "5 0775 b/", "0 0664 b/z", "0 0664 b-c", "0 0664 b.c"},
		},
		"Content": {
			reason: "A changed file is in the layer",
			before: func(b *box) { b.file("a/f", "1").file("a/g", "1") },
			after:  func(b *box) { b.file("a/f", "22") },
			want:   []string{"5 0755 a/", "0 0664 a/f = 22"},
		},
		"ContentDisguised": {
			reason: "A change of the same size is seen when the time was set back",
			before: func(b *box) { b.file("f", "1").age("f", DefaultEpoch) },
			after:  func(b *box) { b.file("f", "2").age("f", DefaultEpoch) },
			want:   []string{"0 0664 f = 2"},
		},
		"Permissions": {
			reason: "A change of permissions alone brings the file",
			before: func(b *box) { b.file("f", "1").dir("d") },
			after:  func(b *box) { b.chmod("f", 0o755).chmod("d", 0o700) },
			want:   []string{"5 0770 d/", "0 0775 f = 1"},
		},
		"Removed": {
			reason: "What is gone becomes a whiteout, a whole directory one",
			before: func(b *box) { b.file("a/f", "1").file("a/g", "1").file("a/d/e/f", "1") },
			after:  func(b *box) { b.remove("a/f").remove("a/d") },
			want:   []string{"5 0755 a/", "0 0600 a/.wh.d", "0 0600 a/.wh.f"},
		},
		"Replaced": {
			reason: "A directory of which nothing is left becomes opaque",
			before: func(b *box) { b.file("p/a", "1").file("p/b", "1").file("p/s/c", "1").file("q", "") },
			after:  func(b *box) { b.remove("p").file("p/a", "2").file("p/s/c", "2").file("p/s/d", "2") },
			want: []string{
				"5 0755 p/", "0 0600 p/.wh..wh..opq", "0 0664 p/a = 2", "5 0755 p/s/", "0 0664 p/s/c = 2", "0 0664 p/s/d = 2",
			},
		},
		"Emptied": {
			reason: "A directory that is empty now is opaque and stays",
			before: func(b *box) { b.file("p/a", "1").file("p/b", "1") },
			after:  func(b *box) { b.remove("p/a").remove("p/b") },
			want:   []string{"5 0755 p/", "0 0600 p/.wh..wh..opq"},
		},
		"ReplacedButKept": {
			reason: "A directory that holds something that was left alone is never opaque",
			options: Options{
				Mounts: []string{"/p/volume"},
			},
			before: func(b *box) { b.file("p/a", "1").file("p/volume/x", "1") },
			after:  func(b *box) { b.remove("p/a") },
			want:   []string{"5 0755 p/", "0 0600 p/.wh.a"},
		},
		"FileToDirectory": {
			reason: "A directory that takes a file's place hides whatever older layers may have had there",
			before: func(b *box) { b.file("x", "1").file("y/z", "1") },
			after:  func(b *box) { b.remove("x").file("x/f", "2").remove("y").file("y", "2") },
			want:   []string{"5 0775 x/", "0 0600 x/.wh..wh..opq", "0 0664 x/f = 2", "0 0664 y = 2"},
		},
		"Links": {
			reason: "Links are links, also dangling and absolute ones; a link that leads elsewhere has changed",
			before: func(b *box) { b.link("one", "l").file("one", "") },
			after:  func(b *box) { b.remove("l").link("two", "l").link("/nowhere", "m") },
			want:   []string{"2 0777 l -> two", "2 0777 m -> /nowhere"},
		},
		"HardLinks": {
			reason: "A file with several names is there once",
			before: func(b *box) { b.dir("a") },
			after:  func(b *box) { b.file("a/z", "1").hard("a/z", "a/b").hard("a/z", "c") },
			want:   []string{"5 0755 a/", "0 0664 a/b = 1", "1 0664 a/z -> a/b", "1 0664 c -> a/b"},
		},
		"HardLinkToOld": {
			reason: "A new name of an old file brings the file along: not every extractor finds it in another layer",
			before: func(b *box) { b.file("old", "1") },
			after:  func(b *box) { b.hard("old", "new") },
			want:   []string{"0 0664 new = 1", "1 0664 old -> new"},
		},
		"LeftOut": {
			reason:  "Temporary files, caches, volumes and what is asked for stay out",
			options: Options{Exclude: []string{"/meteor"}, Mounts: []string{"/data", "/etc/hosts"}},
			before:  func(b *box) { b.dir("tmp").dir("proc").file("tmp/old", "").dir("data").file("etc/hosts", "") },
			after: func(b *box) {
				b.file("tmp/x", "").remove("tmp/old").file("proc/y", "").file("dev/z", "").file("run/s", "").file("var/tmp/q", "")
				b.file("home/.cache/pip/http/a", "").file("home/.cache/uv/b", "").file("meteor/bin", "").file("data/d", "").file("etc/hosts", "1")
			},
			want: []string{"5 0775 home/", "5 0775 home/.cache/", "5 0775 var/"},
		},
		"CompiledStays": {
			reason: "Byte code is no cache: without it every start would compile again",
			before: func(*box) {},
			after:  func(b *box) { b.file("m/__pycache__/x.cpython-311.pyc", "short") },
			want:   []string{"5 0775 m/", "5 0775 m/__pycache__/", "0 0664 m/__pycache__/x.cpython-311.pyc = short"},
		},
		"SpecialFiles": {
			reason: "Pipes and sockets stay out, and what they replaced is gone",
			before: func(b *box) { b.file("f", "1").file("g", "") },
			after: func(b *box) {
				b.remove("f")
				must(b.t, unix.Mkfifo(b.path("f"), 0o644))
				must(b.t, unix.Mkfifo(b.path("h"), 0o644))
			},
			want: []string{"0 0600 .wh.f"},
		},
		"SetUID": {
			reason: "Files would get another owner with the right to act as that one, so that right goes",
			before: func(*box) {},
			after:  func(b *box) { b.file("f", "").chmod("f", 0o755|fs.ModeSetuid|fs.ModeSetgid) },
			want:   []string{"0 0775 f"},
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			b := newBox(t)
			tc.before(b)
			tree := b.note(tc.options)
			tc.after(b)
			if diff := cmp.Diff(tc.want, list(t, b.pack(tc.options, tree))); diff != "" {
				t.Errorf("%s: -want, +got:\n%s", tc.reason, diff)
			}
		})
	}
}

func TestPackRefuses(t *testing.T) {
	cases := map[string]struct {
		options Options
		after   func(b *box)
		want    string
	}{
		"NotUTF8":  {after: func(b *box) { b.file("a\xff", "") }, want: `"/a" has a name that is not UTF-8`},
		"Whiteout": {after: func(b *box) { b.file(".wh.etc", "") }, want: `"/.wh.etc" has a name that layers reserve for what was removed`},
		"TooMuch":  {options: Options{Limits: Limits{Bytes: 3}}, after: func(b *box) { b.file("a", "12").file("b", "12") }, want: "The build wrote more than 3 bytes, the most that a layer may hold"},
		"TooMany":  {options: Options{Limits: Limits{Entries: 2}}, after: func(b *box) { b.file("a", "").file("b", "").file("c", "") }, want: "The build changed more than 2 files, the most that a layer may hold"},
		"TooDeep":  {options: Options{Limits: Limits{Depth: 2}}, after: func(b *box) { b.dir("a/b/c/d") }, want: `"/a/b/c" is nested deeper than 2 directories`},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			b := newBox(t)
			tree := b.note(tc.options)
			tc.after(b)
			tc.options.Root = b.root
			_, err := Pack(io.Discard, tc.options, tree)
			var refused *RefusedError
			if !errors.As(err, &refused) || refused.Error() != tc.want {
				t.Errorf("Pack: %v, want %s", err, tc.want)
			}
		})
	}
}

func TestOwners(t *testing.T) {
	b := newBox(t)
	b.file("app/old", "1").dir("etc")
	tree := b.note(Options{})
	// As another UID would have found them.
	app := &tree.root.entries[0]
	app.uid, app.gid = 1001, 0
	app.dir.entries[0].uid, app.dir.entries[0].gid = 7, 8
	b.file("app/old", "22").file("app/new/deep/f", "").link("x", "app/l").file("etc/f", "")
	tree.root.entries[1].uid, tree.root.entries[1].gid = 0, 5

	got := map[string]string{}
	for r := tar.NewReader(bytes.NewReader(b.pack(Options{}, tree))); ; {
		h, err := r.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		must(t, err)
		got[h.Name] = fmt.Sprintf("%d:%d%s%s", h.Uid, h.Gid, h.Uname, h.Gname)
	}
	want := map[string]string{
		"app/": "1001:0", "app/l": "1001:0", "app/new/": "1001:0", "app/new/deep/": "1001:0", "app/new/deep/f": "1001:0",
		"app/old": "7:8", "etc/": "0:5", "etc/f": "0:5",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("-want, +got:\n%s", diff)
	}
}

// compiled is byte code as Python writes it for a source of some time and size.
func compiled(flags uint32, when time.Time, size int) string {
	head := make([]byte, pycHeader)
	copy(head, "\xa7\r\r\n")
	binary.LittleEndian.PutUint32(head[4:], flags)
	binary.LittleEndian.PutUint32(head[8:], uint32(when.Unix()))
	binary.LittleEndian.PutUint32(head[12:], uint32(size))
	return string(head) + "code"
}

func TestSameInputsSameBytes(t *testing.T) {
	build := func(when time.Time) []byte {
		b := newBox(t)
		b.file("lib/base.py", "old").age("lib/base.py", time.Unix(1e9, 5e8)).dir("lib/empty")
		tree := b.note(Options{})
		for _, p := range rand.Perm(20) {
			b.file(fmt.Sprintf("lib/pkg/m%d.py", p), "x = 1\n").age(fmt.Sprintf("lib/pkg/m%d.py", p), when)
			b.file(fmt.Sprintf("lib/pkg/__pycache__/m%d.cpython-311.opt-1.pyc", p), compiled(0, when, 6))
		}
		b.file("lib/top.py", "x = 1\n").age("lib/top.py", when).file("lib/top.pyc", compiled(0, when, 6))
		b.chmod("lib/base.py", 0o755)
		return b.pack(Options{}, tree)
	}
	first, second := build(time.Now()), build(time.Now().Add(-time.Hour))
	if !bytes.Equal(first, second) {
		t.Error("two builds of the same differ")
	}
	for r := tar.NewReader(bytes.NewReader(first)); ; {
		h, err := r.Next()
		if errors.Is(err, io.EOF) {
			return
		}
		must(t, err)
		want := DefaultEpoch
		if h.Name == "lib/base.py" {
			want = time.Unix(1e9, 0)
		}
		if !h.ModTime.Equal(want) {
			t.Errorf("%s has time %s, want %s", h.Name, h.ModTime, want)
		}
	}
}

func TestByteCode(t *testing.T) {
	now := time.Now()
	cases := map[string]struct {
		reason string
		code   string
		path   string
		want   time.Time
	}{
		"Current":  {reason: "Byte code that is up to date stays so", code: compiled(0, now, 6), path: "__pycache__/m.cpython-311.pyc", want: DefaultEpoch},
		"Outdated": {reason: "Byte code of another time stays outdated", code: compiled(0, now.Add(-time.Minute), 6), path: "__pycache__/m.cpython-311.pyc", want: now.Add(-time.Minute)},
		"Size":     {reason: "Byte code of a source of another size stays outdated", code: compiled(0, now, 7), path: "__pycache__/m.cpython-311.pyc", want: now},
		"Hashed":   {reason: "Byte code that holds its source's hash has no time", code: compiled(1, now, 6), path: "__pycache__/m.cpython-311.pyc", want: now},
		"Orphan":   {reason: "Byte code without a source is left as it is", code: compiled(0, now, 6), path: "__pycache__/n.cpython-311.pyc", want: now},
		"Beside":   {reason: "Old byte code lies beside its source", code: compiled(0, now, 6), path: "m.pyc", want: DefaultEpoch},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			b := newBox(t)
			tree := b.note(Options{})
			b.file("p/m.py", "x = 1\n").age("p/m.py", now).file("p/"+tc.path, tc.code)
			var got time.Time
			for r := tar.NewReader(bytes.NewReader(b.pack(Options{}, tree))); got.IsZero(); {
				h, err := r.Next()
				must(t, err)
				if strings.HasSuffix(h.Name, ".pyc") {
					data, _ := io.ReadAll(r)
					got = time.Unix(int64(binary.LittleEndian.Uint32(data[8:])), 0)
				}
			}
			if got.Unix() != tc.want.Unix() {
				t.Errorf("%s: got %s, want %s", tc.reason, got, tc.want)
			}
		})
	}
}

func TestAttributes(t *testing.T) {
	b := newBox(t)
	tree := b.note(Options{})
	b.file("f", "x").dir("d")
	must(t, unix.Setxattr(b.path("f"), "user.mime", []byte("a\x00b"), 0))
	must(t, unix.Setxattr(b.path("f"), "user.overlay.opaque", []byte("y"), 0))
	must(t, unix.Setxattr(b.path("d"), "user.dir", []byte("1"), 0))
	got := map[string]map[string]string{}
	for r := tar.NewReader(bytes.NewReader(b.pack(Options{}, tree))); ; {
		h, err := r.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		must(t, err)
		got[h.Name] = xattrsOf(h)
	}
	want := map[string]map[string]string{"d/": {"user.dir": "1"}, "f": {"user.mime": "a\x00b"}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("-want, +got:\n%s", diff)
	}
	tree = b.note(Options{})
	must(t, unix.Setxattr(b.path("f"), "user.mime", []byte("new"), 0))
	if got := list(t, b.pack(Options{}, tree)); !slices.Equal(got, []string{"0 0664 f = x"}) {
		t.Errorf("a changed attribute gave %v", got)
	}
}

func TestSparse(t *testing.T) {
	const size = 300 << 20
	b := newBox(t)
	tree := b.note(Options{})
	f, err := os.Create(b.path("sparse"))
	must(t, err)
	_, err = f.WriteAt([]byte("end"), size-3)
	must(t, errors.Join(err, f.Close()))

	out, err := os.Create(filepath.Join(t.TempDir(), "layer.tar"))
	must(t, err)
	holes := NewHoleWriter(out)
	_, err = Pack(holes, Options{Root: b.root}, tree)
	must(t, errors.Join(err, holes.Close()))
	var st unix.Stat_t
	must(t, unix.Stat(out.Name(), &st))
	if st.Size <= size || st.Blocks*512 > 1<<20 {
		t.Errorf("the layer is %d bytes long and takes %d on disk", st.Size, st.Blocks*512)
	}
	in, err := os.Open(out.Name())
	must(t, err)
	defer in.Close()
	r := tar.NewReader(in)
	h, err := r.Next()
	must(t, err)
	_, err = io.CopyN(io.Discard, r, size-5)
	must(t, err)
	tail, err := io.ReadAll(r)
	must(t, err)
	if h.Size != size || string(tail) != "\x00\x00end" {
		t.Errorf("size %d, end %q", h.Size, tail)
	}
}

func TestLarge(t *testing.T) {
	const size = 9 << 30 // more than the older tar formats can say
	b := newBox(t)
	tree := b.note(Options{})
	must(t, os.WriteFile(b.path("large"), nil, 0o600))
	must(t, os.Truncate(b.path("large"), size))
	enough := errors.New("enough")
	var head bytes.Buffer
	_, err := Pack(writerFunc(func(p []byte) (int, error) {
		head.Write(p)
		return 0, enough
	}), Options{Root: b.root}, tree)
	if !errors.Is(err, enough) {
		t.Fatalf("Pack: %v", err)
	}
	h, err := tar.NewReader(&head).Next()
	must(t, err)
	if h.Size != size {
		t.Errorf("the layer says %d bytes, want %d", h.Size, int64(size))
	}
}

func TestChangedWhilePacking(t *testing.T) {
	b := newBox(t)
	tree := b.note(Options{})
	b.file("a", strings.Repeat("x", 1<<20)).file("b", "12345")
	_, err := Pack(writerFunc(func(p []byte) (int, error) {
		return len(p), os.Truncate(b.path("b"), 2)
	}), Options{Root: b.root}, tree)
	var refused *RefusedError
	if !errors.As(err, &refused) || !strings.Contains(err.Error(), "still being changed") {
		t.Errorf("Pack: %v, want that the file was still being changed", err)
	}
}

type writerFunc func([]byte) (int, error)

func (f writerFunc) Write(p []byte) (int, error) { return f(p) }

func TestParseMounts(t *testing.T) {
	const info = `22 1 0:21 / / rw - overlay overlay rw
23 22 0:22 / /proc rw,nosuid shared:1 - proc proc rw
24 22 0:23 / /with\040blank rw - tmpfs tmpfs rw
25 22 0:23 /x /etc/hosts rw - ext4 /dev/x rw
`
	got, err := parseMounts(strings.NewReader(info), "/")
	must(t, err)
	if diff := cmp.Diff([]string{"/proc", "/with blank", "/etc/hosts"}, got); diff != "" {
		t.Errorf("-want, +got:\n%s", diff)
	}
	got, err = parseMounts(strings.NewReader(info), "/etc")
	must(t, err)
	if diff := cmp.Diff([]string{"/hosts"}, got); diff != "" {
		t.Errorf("-want, +got:\n%s", diff)
	}
	if _, err := parseMounts(strings.NewReader("nonsense\n"), "/"); err == nil {
		t.Error("nonsense was understood")
	}
	if mounts, err := Mounts("/"); err != nil || !slices.Contains(mounts, "/proc") {
		t.Errorf("Mounts(/) = %v, %v; want /proc among them", mounts, err)
	}
}
