package packages

import (
	"archive/zip"
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/csv"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestWheel(t *testing.T) {
	w := wheel{
		name: "some-thing", version: "1.0", tag: "cp311-cp311-linux_x86_64", metadata: []byte("Name: some-thing\n"),
		entryPoints: []byte("[console_scripts]\nthing = thing:main\n"),
		files:       []file{{name: "z.py", content: []byte("z")}, {name: "a,b/lib.so", content: []byte("elf"), mode: 0o755}},
	}
	first, err := w.pack()
	if err != nil {
		t.Fatal(err)
	}
	w.files[0], w.files[1] = w.files[1], w.files[0]
	second, err := w.pack()
	if err != nil || !bytes.Equal(first, second) {
		t.Errorf("the same files give the same bytes, in whatever order: %v", err)
	}
	if diff := cmp.Diff("some_thing-1.0-cp311-cp311-linux_x86_64.whl", w.filename()); diff != "" {
		t.Errorf("name: -want, +got:\n%s", diff)
	}
	content := unzip(t, first)
	if !strings.Contains(content["some_thing-1.0.dist-info/WHEEL"], "Root-Is-Purelib: false\nTag: cp311-cp311-linux_x86_64\n") {
		t.Errorf("a compiled wheel says so: %s", content["some_thing-1.0.dist-info/WHEEL"])
	}
	checkRecord(t, content, "some_thing-1.0.dist-info/RECORD")
}

// checkRecord checks that a wheel's record has every file with its hash.
func checkRecord(t *testing.T, content map[string]string, record string) {
	t.Helper()
	lines, err := csv.NewReader(strings.NewReader(content[record])).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]string{}
	for _, line := range lines {
		got[line[0]] = line[1] + " " + line[2]
	}
	want := map[string]string{record: " "}
	for name, body := range content {
		if name != record {
			sum := sha256.Sum256([]byte(body))
			want[name] = fmt.Sprintf("sha256=%s %d", base64.RawURLEncoding.EncodeToString(sum[:]), len(body))
		}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("record: -want, +got:\n%s", diff)
	}
}

func unzip(t *testing.T, content []byte) map[string]string {
	t.Helper()
	z, err := zip.NewReader(bytes.NewReader(content), int64(len(content)))
	if err != nil {
		t.Fatal(err)
	}
	all := map[string]string{}
	for _, f := range z.File {
		r, err := f.Open()
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(r)
		if err != nil {
			t.Fatal(err)
		}
		all[f.Name] = string(body)
	}
	return all
}

func TestMadeUp(t *testing.T) {
	all, err := madeUp()
	if err != nil {
		t.Fatal(err)
	}
	names := map[string]distribution{}
	for _, d := range all {
		if _, ok := names[d.filename]; ok {
			t.Errorf("there are two of %s", d.filename)
		}
		names[d.filename] = d
	}
	for _, want := range []string{
		"meteor_small-1.0-py3-none-any.whl", "meteor_small-2.0-py3-none-any.whl", "meteor_many_000-1.0-py3-none-any.whl",
		"meteor_many_199-1.0-py3-none-any.whl", "meteor_hostile-1.0.tar.gz", "meteor_good_sdist-1.0.tar.gz",
	} {
		if _, ok := names[want]; !ok {
			t.Errorf("there is no %s", want)
		}
	}
	if names["meteor_yanked-1.1-py3-none-any.whl"].yanked == "" || names["meteor_yanked-1.0-py3-none-any.whl"].yanked != "" {
		t.Error("of meteor-yanked, the later version is yanked and the earlier is not")
	}
	filename, content, err := Small("1.0")
	if err != nil || !bytes.Equal(content, names[filename].content) {
		t.Errorf("the wheel that is locked is the one on the index: %v", err)
	}
}

func TestLarge(t *testing.T) {
	d, err := large(1 << 20)
	if err != nil {
		t.Fatal(err)
	}
	if got := len(unzip(t, d.content)["meteor_large/data.bin"]); got != 1<<20 || len(d.content) > 64<<10 {
		t.Errorf("a file of %d bytes in a wheel of %d", got, len(d.content))
	}
}

func TestWriteIndex(t *testing.T) {
	dir := t.TempDir()
	all := []distribution{
		{project: "Some.Thing", filename: "some_thing-1.0.tar.gz", content: []byte("source"), requiresPython: ">=3.8"},
		{project: "some-thing", filename: "some_thing-0.9-py3-none-any.whl", content: []byte("wheel"), metadata: []byte("m"), yanked: `It "lies"`},
	}
	if err := writeIndex(dir, all, []distribution{{project: "another"}}); err != nil {
		t.Fatal(err)
	}
	page := read(t, dir, "simple/some-thing/index.html")
	for _, want := range []string{
		`href="../../files/some_thing-1.0.tar.gz#sha256=` + Sum([]byte("source")) + `" data-requires-python="&gt;=3.8"`,
		`data-core-metadata="sha256=` + Sum([]byte("m")) + `"`,
		`data-yanked="It &#34;lies&#34;"`,
	} {
		if !strings.Contains(page, want) {
			t.Errorf("the page lacks %s:\n%s", want, page)
		}
	}
	list := read(t, dir, "simple/index.html")
	if strings.Count(list, "<a ") != 2 || !strings.Contains(list, "/simple/another/") {
		t.Errorf("the list has each project once, those too that are elsewhere:\n%s", list)
	}
	if diff := cmp.Diff("m", read(t, dir, "files/some_thing-0.9-py3-none-any.whl.metadata")); diff != "" {
		t.Errorf("metadata: -want, +got:\n%s", diff)
	}
}

func read(t *testing.T, dir, name string) string {
	t.Helper()
	content, err := os.ReadFile(filepath.Join(dir, name))
	if err != nil {
		t.Fatal(err)
	}
	return string(content)
}

func TestWithRequirements(t *testing.T) {
	const before = "Metadata-Version: 1.2\nName: a\nProvides-Extra: crt\nLicense-File: LICENSE\nRequires-Python: >=3.7\n\nName: not this\n"
	const want = "Metadata-Version: 2.1\nName: a\nRequires-Python: >=3.7\nRequires-Dist: b>=1\n\nName: not this\n"
	got := withRequirements([]byte(before), []string{"b>=1"})
	if diff := cmp.Diff(want, string(got)); diff != "" {
		t.Errorf("-want, +got:\n%s", diff)
	}
	if field(got, "Requires-Python") != ">=3.7" || field(got, "Summary") != "" {
		t.Error("a field is read from the head, or is empty")
	}
}

func TestLibraryName(t *testing.T) {
	cases := map[string]struct {
		reason, path, want string
		ok                 bool
	}{
		"Versions": {reason: "Only the first number belongs to the name.", path: "usr/lib/x86_64-linux-gnu/blas/libblas.so.3.11.0", want: "libblas.so.3", ok: true},
		"One":      {reason: "A file may have the name already.", path: "usr/lib/x86_64-linux-gnu/libgcc_s.so.1", want: "libgcc_s.so.1", ok: true},
		"Other":    {reason: "What is no library has no such name.", path: "usr/share/doc/libblas3/copyright"},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			if got, ok := libraryName(tc.path); got != tc.want || ok != tc.ok {
				t.Errorf("%s\ngot %q, %t", tc.reason, got, ok)
			}
		})
	}
}
