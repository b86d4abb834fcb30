package packages

import (
	"bytes"
	"crypto/sha256"
	"embed"
	"fmt"
	"io/fs"
	"path"

	"github.com/meteor-zone/meteor-operator/test/cluster/internal/hostile"
)

//go:embed files
var sources embed.FS

const (
	manyPackages = 200
	largeFile    = 256 << 20
)

// Small is the wheel of meteor-small in a version, the smallest package there is.
func Small(version string) (filename string, content []byte, err error) {
	d, err := trivial(metadata{name: "meteor-small", version: version, requiresPython: ">=3.6"})
	return d.filename, d.content, err
}

// wheels are those that consist of one line.
func wheels() []metadata {
	all := []metadata{
		{name: "meteor-small", version: "1.0", requiresPython: ">=3.6"},
		{name: "meteor-small", version: "2.0", requiresPython: ">=3.6"},
		{name: "meteor-conflict-a", version: "1.0", requires: []string{"meteor-small<2"}},
		{name: "meteor-conflict-b", version: "1.0", requires: []string{"meteor-small>=2"}},
		{name: "meteor-needs-missing", version: "1.0", requires: []string{"meteor-nowhere>=1"}},
		{name: "meteor-future", version: "1.0", requiresPython: ">=3.99"},
		{name: "meteor-yanked", version: "1.0"},
		{name: "meteor-yanked", version: "1.1"},
	}
	for i := range manyPackages {
		all = append(all, metadata{name: fmt.Sprintf("meteor-many-%03d", i), version: "1.0"})
	}
	return all
}

func madeUp() ([]distribution, error) {
	var all []distribution
	for _, m := range wheels() {
		d, err := trivial(m)
		if err != nil {
			return nil, err
		}
		if m.name == "meteor-yanked" && m.version == "1.1" {
			d.yanked = "It loses data"
		}
		all = append(all, d)
	}
	for _, name := range []string{"meteor-good-sdist", "meteor-broken-sdist", "meteor-hostile", "meteor-thief", "meteor-forks", "meteor-disk-hog", "meteor-slow"} {
		d, err := source(name)
		if err != nil {
			return nil, err
		}
		all = append(all, d)
	}
	return all, nil
}

func madeUpPrivate() ([]distribution, error) {
	d, err := trivial(metadata{name: "meteor-private", version: "1.0"})
	return []distribution{d}, err
}

// trivial is a package whose one module knows its version.
func trivial(m metadata) (distribution, error) {
	m.summary = "Made up for tests"
	module := inFilename(m.name)
	w := wheel{
		name: m.name, version: m.version, tag: pureTag, metadata: m.bytes(),
		files: []file{{name: module + ".py", content: fmt.Appendf(nil, "__version__ = %q\n", m.version)}},
	}
	content, err := w.pack()
	return distribution{project: m.name, filename: w.filename(), content: content, metadata: w.metadata, requiresPython: m.requiresPython}, err
}

// large is a small wheel with a large file in it.
func large(size int) (distribution, error) {
	m := metadata{name: "meteor-large", version: "1.0", summary: "Made up for tests"}
	block := sha256.Sum256([]byte(m.name))
	w := wheel{
		name: m.name, version: m.version, tag: pureTag, metadata: m.bytes(),
		files: []file{{name: "meteor_large/__init__.py"}, {name: "meteor_large/data.bin", content: bytes.Repeat(block[:], size/len(block))}},
	}
	content, err := w.pack()
	return distribution{project: m.name, filename: w.filename(), content: content, metadata: w.metadata}, err
}

// source is the source distribution of what is in files/NAME.
func source(name string) (distribution, error) {
	var files []file
	dir := path.Join("files", name)
	err := fs.WalkDir(sources, dir, func(p string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		content, err := sources.ReadFile(p)
		files = append(files, file{name: p[len(dir)+1:], content: content})
		return err
	})
	if err != nil {
		return distribution{}, fmt.Errorf("cannot read the source of %s: %w", name, err)
	}
	if name == "meteor-hostile" || name == "meteor-thief" {
		files = append(files, file{name: "hostile.py", content: hostile.Program})
	}
	return sdist(metadata{name: name, version: "1.0", summary: "Made up for tests"}, files)
}
