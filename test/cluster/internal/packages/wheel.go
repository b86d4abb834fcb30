package packages

import (
	"archive/tar"
	"archive/zip"
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"io/fs"
	"slices"
	"strings"
	"time"
)

// pureTag is the tag of a wheel that any Python 3 can use.
const pureTag = "py3-none-any"

// epoch is the time of every file: the earliest that a zip file can name.
var epoch = time.Date(1980, 1, 1, 0, 0, 0, 0, time.UTC)

// file is a file of a package.
type file struct {
	name    string
	content []byte
	mode    fs.FileMode
}

// distribution is a file that an index offers.
type distribution struct {
	project  string
	filename string
	content  []byte
	// metadata is a wheel's, which an index may offer by itself.
	metadata       []byte
	requiresPython string
	// yanked is why nobody should use it any more.
	yanked string
}

// Sum is the SHA-256 of something, in hexadecimal.
func Sum(content []byte) string {
	sum := sha256.Sum256(content)
	return hex.EncodeToString(sum[:])
}

// metadata is what a package says of itself.
type metadata struct {
	name, version  string
	summary        string
	requiresPython string
	requires       []string
}

func (m metadata) bytes() []byte {
	var b bytes.Buffer
	fmt.Fprintf(&b, "Metadata-Version: 2.1\nName: %s\nVersion: %s\nSummary: %s\n", m.name, m.version, m.summary)
	if m.requiresPython != "" {
		fmt.Fprintf(&b, "Requires-Python: %s\n", m.requiresPython)
	}
	for _, r := range m.requires {
		fmt.Fprintf(&b, "Requires-Dist: %s\n", r)
	}
	return b.Bytes()
}

// normalised is a project's name as an index spells it.
func normalised(name string) string {
	return strings.ReplaceAll(strings.ReplaceAll(strings.ToLower(name), "_", "-"), ".", "-")
}

// inFilename is a project's name as file names spell it.
func inFilename(name string) string { return strings.ReplaceAll(name, "-", "_") }

// wheel is what a wheel is packed of.
type wheel struct {
	name, version, tag string
	metadata           []byte
	entryPoints        []byte
	files              []file
}

func (w wheel) filename() string {
	return fmt.Sprintf("%s-%s-%s.whl", inFilename(w.name), w.version, w.tag)
}

// pack returns the wheel's bytes, and adds to its files what every wheel has.
func (w wheel) pack() ([]byte, error) {
	info := fmt.Sprintf("%s-%s.dist-info/", inFilename(w.name), w.version)
	all := slices.SortedFunc(slices.Values(w.files), func(a, b file) int { return strings.Compare(a.name, b.name) })
	pure := w.tag == pureTag
	all = append(all,
		file{name: info + "METADATA", content: w.metadata},
		file{name: info + "WHEEL", content: fmt.Appendf(nil, "Wheel-Version: 1.0\nGenerator: meteor-cluster\nRoot-Is-Purelib: %t\nTag: %s\n", pure, w.tag)})
	if len(w.entryPoints) > 0 {
		all = append(all, file{name: info + "entry_points.txt", content: w.entryPoints})
	}
	var record bytes.Buffer
	for _, f := range all {
		sum := sha256.Sum256(f.content)
		fmt.Fprintf(&record, "%s,sha256=%s,%d\n", quoted(f.name), base64.RawURLEncoding.EncodeToString(sum[:]), len(f.content))
	}
	fmt.Fprintf(&record, "%sRECORD,,\n", info)
	return zipped(append(all, file{name: info + "RECORD", content: record.Bytes()}))
}

// quoted is a name as a field of a line of comma-separated values.
func quoted(name string) string {
	if !strings.ContainsAny(name, ",\"\n") {
		return name
	}
	return `"` + strings.ReplaceAll(name, `"`, `""`) + `"`
}

func zipped(all []file) ([]byte, error) {
	var out bytes.Buffer
	z := zip.NewWriter(&out)
	for _, f := range all {
		header := &zip.FileHeader{Name: f.name, Method: zip.Deflate, Modified: epoch}
		header.SetMode(permissions(f.mode))
		w, err := z.CreateHeader(header)
		if err != nil {
			return nil, fmt.Errorf("cannot pack %s: %w", f.name, err)
		}
		if _, err := w.Write(f.content); err != nil {
			return nil, fmt.Errorf("cannot pack %s: %w", f.name, err)
		}
	}
	if err := z.Close(); err != nil {
		return nil, fmt.Errorf("cannot pack a wheel: %w", err)
	}
	return out.Bytes(), nil
}

func permissions(mode fs.FileMode) fs.FileMode {
	if mode&0o111 != 0 {
		return 0o755
	}
	return 0o644
}

// sdist packs a source distribution, which adds what it says of itself to the
// files.
func sdist(m metadata, files []file) (distribution, error) {
	top := fmt.Sprintf("%s-%s", inFilename(m.name), m.version)
	all := append([]file{{name: "PKG-INFO", content: m.bytes()}}, files...)
	var out bytes.Buffer
	gz := gzip.NewWriter(&out)
	t := tar.NewWriter(gz)
	for _, f := range all {
		header := &tar.Header{Name: top + "/" + f.name, Mode: int64(permissions(f.mode)), Size: int64(len(f.content)), ModTime: epoch}
		if err := t.WriteHeader(header); err != nil {
			return distribution{}, fmt.Errorf("cannot pack %s: %w", f.name, err)
		}
		if _, err := t.Write(f.content); err != nil {
			return distribution{}, fmt.Errorf("cannot pack %s: %w", f.name, err)
		}
	}
	if err := t.Close(); err != nil {
		return distribution{}, fmt.Errorf("cannot pack %s: %w", top, err)
	}
	if err := gz.Close(); err != nil {
		return distribution{}, fmt.Errorf("cannot pack %s: %w", top, err)
	}
	return distribution{project: m.name, filename: top + ".tar.gz", content: out.Bytes(), requiresPython: m.requiresPython}, nil
}
