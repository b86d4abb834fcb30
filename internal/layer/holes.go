package layer

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
)

const holeSize = 64 << 10

var zeros [holeSize]byte

// HoleWriter writes to a file and leaves holes where there would be long runs of zeros, so that packing a sparse
// file takes no more disk space than the file. Close must be called for the file to have its length.
type HoleWriter struct {
	f      *os.File
	offset int64
}

// NewHoleWriter returns a writer to the start of an empty file.
func NewHoleWriter(f *os.File) *HoleWriter {
	return &HoleWriter{f: f}
}

// Write implements io.Writer.
func (w *HoleWriter) Write(data []byte) (int, error) {
	for rest := data; len(rest) > 0; {
		n := min(len(rest), holeSize)
		if n == holeSize && bytes.Equal(rest[:n], zeros[:]) {
			if _, err := w.f.Seek(holeSize, io.SeekCurrent); err != nil {
				return len(data) - len(rest), fmt.Errorf("cannot write layer: %w", err)
			}
		} else if written, err := w.f.Write(rest[:n]); err != nil {
			return len(data) - len(rest) + written, err
		}
		w.offset += int64(n)
		rest = rest[n:]
	}
	return len(data), nil
}

// Close gives the file its length and closes it.
func (w *HoleWriter) Close() error {
	if err := w.f.Truncate(w.offset); err != nil {
		return errors.Join(fmt.Errorf("cannot write layer: %w", err), w.f.Close())
	}
	return w.f.Close()
}
