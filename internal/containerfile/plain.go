package containerfile

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"syscall"
)

const maxFile = 1 << 20

var errNotPlain = errors.New("it is no plain file")

// openPlain opens a file in a folder that others could write to: neither through a link, nor a pipe that would block.
func openPlain(path string) (*os.File, int64, error) {
	f, err := os.OpenFile(filepath.Clean(path), os.O_RDONLY|syscall.O_NOFOLLOW|syscall.O_NONBLOCK, 0)
	if err != nil {
		return nil, 0, err
	}
	info, err := f.Stat()
	if err == nil && !info.Mode().IsRegular() {
		err = errNotPlain
	}
	if err != nil {
		return nil, 0, errors.Join(err, f.Close())
	}
	return f, info.Size(), nil
}

func readPlain(path string, limit int64) ([]byte, error) {
	f, size, err := openPlain(path)
	if err != nil {
		return nil, err
	}
	return readAll(f, size, limit)
}

// readIn reads a file of the repository, which may be a link within it.
func readIn(root *os.Root, name string) ([]byte, error) {
	f, err := root.OpenFile(name, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return nil, err
	}
	info, err := f.Stat()
	if err == nil && !info.Mode().IsRegular() {
		err = errNotPlain
	}
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return readAll(f, info.Size(), maxFile)
}

func readAll(f *os.File, size, limit int64) ([]byte, error) {
	if size > limit {
		return nil, errors.Join(fmt.Errorf("it is larger than %d bytes", limit), f.Close())
	}
	data, err := io.ReadAll(io.LimitReader(f, limit))
	return data, errors.Join(err, f.Close())
}
