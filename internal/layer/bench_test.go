package layer

import (
	"io"
	"testing"
)

// BenchmarkNote walks this machine's /usr, which is as large as an image.
func BenchmarkNote(b *testing.B) {
	for b.Loop() {
		tree, err := Note(Options{Root: "/usr"})
		if err != nil {
			b.Fatal(err)
		}
		b.ReportMetric(float64(tree.Entries), "files")
	}
}

// BenchmarkCompare walks it again and finds nothing.
func BenchmarkCompare(b *testing.B) {
	tree, err := Note(Options{Root: "/usr"})
	if err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		if _, err := Pack(io.Discard, Options{Root: "/usr"}, tree); err != nil {
			b.Fatal(err)
		}
	}
}
