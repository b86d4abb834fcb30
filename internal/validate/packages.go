package validate

import (
	"bytes"
	"cmp"
	"compress/flate"
	_ "embed"
	"encoding/base64"
	"fmt"
	"io"
	"slices"
	"sort"
	"strings"
)

const (
	// packingPrefix names the packing, so that a later one can be told apart.
	packingPrefix    = "1:"
	maxPackedBytes   = 6 << 10
	maxUnpackedBytes = 128 << 10
)

// dictionary is the text that packed lists are compressed against. Changing it changes the packing: a manager
// must be able to read what a builder of another release packed, so a new dictionary needs a new prefix.
//
//go:embed packages.dict
var dictionary []byte

// PackPackages packs as many of the packages, in their order of importance, as fit into limit bytes of text
// without anything that JSON would escape. It returns the text and how many are in it.
func PackPackages(packages []Package, limit int) (string, int) {
	packages = packages[:min(len(packages), maxPackages)]
	pack := func(n int) string { return packSorted(packages[:n]) }
	fitting := sort.Search(len(packages), func(n int) bool { return len(pack(n+1)) > limit })
	if fitting == 0 {
		return "", 0
	}
	return pack(fitting), fitting
}

func packSorted(packages []Package) string {
	sorted := slices.Clone(packages)
	slices.SortFunc(sorted, func(a, b Package) int {
		return cmp.Or(cmp.Compare(strings.ToLower(a.Name), strings.ToLower(b.Name)), cmp.Compare(a.Name, b.Name))
	})
	var lines, packed bytes.Buffer
	for _, p := range sorted {
		lines.WriteString(p.Name + "=" + p.Version + "\n")
	}
	// Neither the level nor the buffer can be refused.
	w, _ := flate.NewWriterDict(&packed, flate.BestCompression, dictionary)
	_, _ = w.Write(lines.Bytes())
	_ = w.Close()
	return packingPrefix + base64.RawStdEncoding.EncodeToString(packed.Bytes())
}

// UnpackPackages returns the packages, sorted by name, that PackPackages put into a text. The text is not
// trusted: its size, what it unfolds to, their number and their shapes are bounded.
func UnpackPackages(packed string) ([]Package, error) {
	if packed == "" {
		return nil, nil
	}
	encoded, ok := strings.CutPrefix(packed, packingPrefix)
	if !ok {
		return nil, fmt.Errorf("cannot unpack packages: unknown packing")
	}
	if len(encoded) > maxPackedBytes {
		return nil, fmt.Errorf("cannot unpack packages: %d bytes are more than %d", len(encoded), maxPackedBytes)
	}
	raw, err := base64.RawStdEncoding.DecodeString(encoded)
	if err != nil {
		return nil, fmt.Errorf("cannot unpack packages: %w", err)
	}
	r := flate.NewReaderDict(bytes.NewReader(raw), dictionary)
	lines, err := io.ReadAll(io.LimitReader(r, maxUnpackedBytes+1))
	if err != nil {
		return nil, fmt.Errorf("cannot unpack packages: %w", err)
	}
	if len(lines) > maxUnpackedBytes {
		return nil, fmt.Errorf("cannot unpack packages: they unfold to more than %d bytes", maxUnpackedBytes)
	}
	return parseLines(string(lines))
}

func parseLines(lines string) ([]Package, error) {
	var packages []Package
	for line := range strings.Lines(lines) {
		name, version, _ := strings.Cut(strings.TrimSuffix(line, "\n"), "=")
		p := Package{Name: name, Version: version}
		if !ValidPackage(p) {
			return nil, fmt.Errorf("cannot unpack packages: line %d is no package", len(packages)+1)
		}
		if len(packages) == maxPackages {
			return nil, fmt.Errorf("cannot unpack packages: more than %d", maxPackages)
		}
		packages = append(packages, p)
	}
	return packages, nil
}
