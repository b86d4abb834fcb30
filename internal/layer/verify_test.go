package layer

import (
	"archive/tar"
	"bytes"
	"errors"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func dir(name string) tar.Header  { return tar.Header{Typeflag: tar.TypeDir, Name: name, Mode: 0o775} }
func file(name string) tar.Header { return tar.Header{Typeflag: tar.TypeReg, Name: name, Mode: 0o664} }
func with(h tar.Header, edit func(*tar.Header)) tar.Header {
	edit(&h)
	return h
}

func encode(t testing.TB, headers ...tar.Header) []byte {
	t.Helper()
	var buf bytes.Buffer
	w := tar.NewWriter(&buf)
	for i := range headers {
		h := headers[i]
		if err := w.WriteHeader(&h); err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write(make([]byte, h.Size)); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return buf.Bytes()
}

func TestVerifyRefuses(t *testing.T) {
	typed := func(kind byte, name, target string) tar.Header {
		return tar.Header{Typeflag: kind, Name: name, Linkname: target, Mode: 0o664}
	}
	cases := map[string]struct {
		in   []tar.Header
		want string
	}{
		"Absolute":        {in: []tar.Header{file("/etc/passwd")}, want: `"//etc/passwd" is no plain relative path`},
		"Parent":          {in: []tar.Header{file("../x")}, want: `"/../x" is no plain relative path`},
		"ParentInside":    {in: []tar.Header{dir("a/"), file("a/../../x")}, want: `"/a/../../x" is no plain relative path`},
		"Dot":             {in: []tar.Header{dir("./")}, want: `"/./" is no plain relative path`},
		"Empty":           {in: []tar.Header{dir("a/"), file("a//b")}, want: `"/a//b" is no plain relative path`},
		"ThroughLink":     {in: []tar.Header{typed(tar.TypeSymlink, "a", "/etc"), file("a/passwd")}, want: `"/a/passwd" comes without its directory`},
		"LinkAfterDir":    {in: []tar.Header{dir("a/"), typed(tar.TypeSymlink, "a", "/etc"), file("a/passwd")}, want: `"/a" comes twice, or out of order`},
		"NoDirectory":     {in: []tar.Header{file("a/b")}, want: `"/a/b" comes without its directory`},
		"Twice":           {in: []tar.Header{file("a"), file("a")}, want: `"/a" comes twice, or out of order`},
		"TwiceApart":      {in: []tar.Header{dir("a/"), file("a/x"), dir("b/"), dir("a/")}, want: `"/a" comes twice, or out of order`},
		"Unsorted":        {in: []tar.Header{file("b"), file("a")}, want: `"/a" comes twice, or out of order`},
		"LateWhiteout":    {in: []tar.Header{file("a"), file(".wh.b")}, want: `"/.wh.b" comes twice, or out of order`},
		"Device":          {in: []tar.Header{typed(tar.TypeChar, "a", "")}, want: `"/a" is neither file, directory nor link`},
		"BlockDevice":     {in: []tar.Header{typed(tar.TypeBlock, "a", "")}, want: `"/a" is neither file, directory nor link`},
		"Pipe":            {in: []tar.Header{typed(tar.TypeFifo, "a", "")}, want: `"/a" is neither file, directory nor link`},
		"HardLinkOut":     {in: []tar.Header{typed(tar.TypeLink, "a", "etc/shadow")}, want: `"/a" is a hard link to what is no file of the layer before it`},
		"HardLinkToLink":  {in: []tar.Header{typed(tar.TypeSymlink, "a", "x"), typed(tar.TypeLink, "b", "a")}, want: `"/b" is a hard link to what is no file of the layer before it`},
		"HardLinkAhead":   {in: []tar.Header{typed(tar.TypeLink, "a", "b"), file("b")}, want: `"/a" is a hard link to what is no file of the layer before it`},
		"EmptyLink":       {in: []tar.Header{typed(tar.TypeSymlink, "a", "")}, want: `"/a" is a link to nothing`},
		"SetUID":          {in: []tar.Header{with(file("a"), func(h *tar.Header) { h.Mode = 0o4755 })}, want: `"/a" has permissions that a layer may not set: 04755`},
		"Capability":      {in: []tar.Header{with(file("a"), func(h *tar.Header) { h.PAXRecords = map[string]string{"SCHILY.xattr.security.capability": "x"} })}, want: `"/a" has an extended attribute that a layer may not set`},
		"OverlayXattr":    {in: []tar.Header{with(dir("a/"), func(h *tar.Header) { h.PAXRecords = map[string]string{"SCHILY.xattr.user.overlay.opaque": "y"} })}, want: `"/a" has an extended attribute that a layer may not set`},
		"NegativeOwner":   {in: []tar.Header{with(file("a"), func(h *tar.Header) { h.Uid = -1 })}, want: `"/a" belongs to a user or group that cannot be`},
		"Name":            {in: []tar.Header{file("a\xff")}, want: `"/a" has a name that is not UTF-8`},
		"Dev":             {in: []tar.Header{dir("dev/"), file("dev/null")}, want: `"/dev/" is where no layer may write`},
		"WhiteoutOfAll":   {in: []tar.Header{file(".wh.")}, want: `"/.wh." is no proper mark of a removed file`},
		"WhiteoutUp":      {in: []tar.Header{file(".wh..")}, want: `"/.wh.." is no proper mark of a removed file`},
		"WhiteoutUpUp":    {in: []tar.Header{file(".wh...")}, want: `"/.wh..." is no proper mark of a removed file`},
		"WhiteoutAUFS":    {in: []tar.Header{file(".wh..wh.plnk")}, want: `"/.wh..wh.plnk" is no proper mark of a removed file`},
		"WhiteoutContent": {in: []tar.Header{with(file(".wh.a"), func(h *tar.Header) { h.Size = 1 })}, want: `"/.wh.a" is no proper mark of a removed file`},
		"WhiteoutDir":     {in: []tar.Header{dir(".wh.a/"), file(".wh.a/b")}, want: `"/.wh.a" is no proper mark of a removed file`},
		"Both":            {in: []tar.Header{file(".wh.a"), file("a")}, want: `"/a" is there and removed at once`},
		"SlashedFile":     {in: []tar.Header{typed(tar.TypeSymlink, "a/", "x")}, want: `"/a" has a name that does not fit its type`},
		"Size":            {in: []tar.Header{with(file("a"), func(h *tar.Header) { h.Size = 2000 })}, want: "The build wrote more than 1000 bytes, the most that a layer may hold"},
		"Sizes":           {in: []tar.Header{with(file("a"), func(h *tar.Header) { h.Size = 600 }), with(file("b"), func(h *tar.Header) { h.Size = 600 })}, want: "The build wrote more than 1000 bytes, the most that a layer may hold"},
		"Count":           {in: []tar.Header{file("a"), file("b"), file("c"), file("d"), file("e")}, want: "The build changed more than 4 files, the most that a layer may hold"},
		"Depth":           {in: []tar.Header{dir("a/"), dir("a/b/"), dir("a/b/c/"), dir("a/b/c/d/")}, want: `"/a/b/c/d" is nested deeper than 2 directories`},
		"Time":            {in: []tar.Header{with(file("a"), func(h *tar.Header) { h.ModTime = time.Unix(-5, 0); h.Format = tar.FormatPAX })}, want: `"/a" has a time that cannot be`},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			_, err := Verify(io.Discard, bytes.NewReader(encode(t, tc.in...)), Limits{Bytes: 1000, Entries: 4, Depth: 2})
			var refused *RefusedError
			if !errors.As(err, &refused) || refused.Error() != tc.want {
				t.Errorf("Verify: %v, want %s", err, tc.want)
			}
		})
	}
}

func TestVerifyReencodes(t *testing.T) {
	in := encode(t,
		tar.Header{Typeflag: tar.TypeXGlobalHeader, Name: "g", PAXRecords: map[string]string{"path": "evil"}},
	)
	if _, err := Verify(io.Discard, bytes.NewReader(in), Limits{}); err == nil {
		t.Error("a global header was let through")
	}
	in = encode(t, with(file("a"), func(h *tar.Header) {
		h.Uname, h.Gname, h.AccessTime, h.ChangeTime, h.Format = "root", "root", time.Now(), time.Now(), tar.FormatPAX
		h.PAXRecords = map[string]string{"MADE.up": "x"}
	}))
	in = append(in, "behind the end"...)
	var out bytes.Buffer
	if _, err := Verify(&out, bytes.NewReader(in), Limits{}); err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(out.Bytes(), encode(t, with(file("a"), func(h *tar.Header) { h.ModTime = time.Unix(0, 0) }))) {
		t.Errorf("the layer holds more than was checked: %q", out.Bytes())
	}
}

func TestVerifyTruncated(t *testing.T) {
	whole := encode(t, dir("a/"), with(file("a/b"), func(h *tar.Header) { h.Size = 3000 }))
	for _, cut := range []int{100, 512, 700, 1024, 1500, 3000} {
		_, err := Verify(io.Discard, bytes.NewReader(whole[:cut]), Limits{})
		var refused *RefusedError
		if cut%512 == 0 && cut <= 1024 {
			continue // ends between two entries, which tar allows
		}
		if !errors.As(err, &refused) {
			t.Errorf("cut at %d: %v, want it refused", cut, err)
		}
	}
}

func FuzzVerify(f *testing.F) {
	f.Add(encode(f, dir("a/"), file("a/.wh.x"), file("a/b"), tar.Header{Typeflag: tar.TypeLink, Name: "c", Linkname: "a/b"}))
	f.Add(encode(f, tar.Header{Typeflag: tar.TypeSymlink, Name: "a", Linkname: "/etc"}, file("a/b")))
	f.Add(encode(f, with(file(strings.Repeat("n", 200)), func(h *tar.Header) {
		h.PAXRecords = map[string]string{"SCHILY.xattr.user.x": "\x00"}
		h.Size = 10
	})))
	limits := Limits{Bytes: 1 << 20, Entries: 100, Depth: 10}
	f.Fuzz(func(t *testing.T, data []byte) {
		var once, twice bytes.Buffer
		first, err := Verify(&once, bytes.NewReader(data), limits)
		if err != nil {
			return
		}
		second, err := Verify(&twice, bytes.NewReader(once.Bytes()), limits)
		if err != nil || first != second || !bytes.Equal(once.Bytes(), twice.Bytes()) {
			t.Fatalf("what was let through is refused or changed the second time: %v", err)
		}
		unpack(t, once.Bytes(), t.TempDir())
	})
}

// unpack applies a layer to a directory, as a container runtime does.
func unpack(t *testing.T, data []byte, root string) {
	t.Helper()
	for r := tar.NewReader(bytes.NewReader(data)); ; {
		h, err := r.Next()
		if errors.Is(err, io.EOF) {
			return
		}
		must(t, err)
		if !filepath.IsLocal(filepath.FromSlash(strings.TrimSuffix(h.Name, "/"))) {
			t.Fatalf("%q leads out", h.Name)
		}
		at := filepath.Join(root, h.Name)
		parent, base := filepath.Split(at)
		if resolved, err := filepath.EvalSymlinks(parent); err != nil || resolved != filepath.Clean(parent) {
			t.Fatalf("%q leads through a link: %v", h.Name, err)
		}
		if base == opaque {
			entries, err := os.ReadDir(parent)
			must(t, err)
			for _, e := range entries {
				must(t, os.RemoveAll(filepath.Join(parent, e.Name())))
			}
			continue
		}
		if gone, ok := strings.CutPrefix(base, whiteout); ok {
			must(t, os.RemoveAll(filepath.Join(parent, gone)))
			continue
		}
		if st, err := os.Lstat(at); err == nil && (!st.IsDir() || h.Typeflag != tar.TypeDir) {
			must(t, os.RemoveAll(at))
		}
		switch h.Typeflag {
		case tar.TypeDir:
			if err := os.Mkdir(at, 0o755); !errors.Is(err, os.ErrExist) {
				must(t, err)
			}
		case tar.TypeSymlink:
			must(t, os.Symlink(h.Linkname, at))
		case tar.TypeLink:
			must(t, os.Link(filepath.Join(root, h.Linkname), at))
		default:
			content, err := io.ReadAll(r)
			must(t, err)
			must(t, os.WriteFile(at, content, 0o644))
		}
	}
}

// snapshot describes a tree by content.
func snapshot(t *testing.T, root string) []string {
	t.Helper()
	var out []string
	must(t, filepath.WalkDir(root, func(p string, e os.DirEntry, err error) error {
		if err != nil {
			return err
		}
		line := strings.TrimPrefix(p, root)
		switch {
		case e.Type()&os.ModeSymlink != 0:
			target, _ := os.Readlink(p)
			line += " -> " + target
		case e.Type().IsRegular():
			content, _ := os.ReadFile(p)
			line += " = " + string(content)
		}
		out = append(out, line)
		return nil
	}))
	slices.Sort(out)
	return out
}

// TestLayerOnBaseIsWhatWasThere changes trees at random and unpacks the layer over the tree that was.
func TestLayerOnBaseIsWhatWasThere(t *testing.T) {
	for seed := range uint64(40) {
		random := rand.New(rand.NewPCG(seed, 1))
		b := newBox(t)
		churn(b, random, 40)
		base := filepath.Join(t.TempDir(), "base")
		must(t, os.CopyFS(base, os.DirFS(b.root)))
		tree := b.note(Options{})
		churn(b, random, 25)
		data := b.pack(Options{}, tree)
		unpack(t, data, base)
		if diff := cmp.Diff(snapshot(t, b.root), snapshot(t, base)); diff != "" {
			t.Fatalf("seed %d: -built, +unpacked:\n%s\n%s", seed, diff, strings.Join(list(t, data), "\n"))
		}
	}
}

// churn changes a tree at random; names repeat, so that types change under one name.
func churn(b *box, random *rand.Rand, steps int) {
	names := []string{"a", "b", "c"}
	for range steps {
		p := ""
		for range 1 + random.IntN(3) {
			p = filepath.Join(p, names[random.IntN(len(names))])
		}
		for up := filepath.Dir(p); up != "."; up = filepath.Dir(up) {
			if st, err := os.Lstat(b.path(up)); err == nil && !st.IsDir() {
				b.remove(up)
			}
		}
		switch random.IntN(6) {
		case 0, 1:
			b.remove(p).file(p, strings.Repeat("x", random.IntN(4)))
		case 2:
			b.remove(p).dir(p)
		case 3:
			b.remove(p).link("target", p)
		case 4:
			b.remove(p)
		case 5:
			if st, err := os.Lstat(b.path(p)); err == nil && st.Mode().IsRegular() {
				b.remove("z").hard(p, "z")
			}
		}
	}
}
