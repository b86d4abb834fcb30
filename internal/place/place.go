// Package place puts the running binary where steps in other images can run it.
package place

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
)

// Self copies the running program to path, executable by everyone and writable by no one.
func Self(path string) error {
	self, err := os.Open("/proc/self/exe")
	if err != nil {
		return fmt.Errorf("cannot open own binary: %w", err)
	}
	defer self.Close()
	return copyTo(self, path)
}

func copyTo(from io.Reader, path string) (err error) {
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return fmt.Errorf("cannot make folder for %q: %w", path, err)
	}
	tmp, err := os.CreateTemp(filepath.Dir(path), ".placing-*")
	if err != nil {
		return fmt.Errorf("cannot place %q: %w", path, err)
	}
	defer func() {
		if err != nil {
			err = errors.Join(fmt.Errorf("cannot place %q: %w", path, err), os.Remove(tmp.Name()))
		}
	}()
	_, err = io.Copy(tmp, from)
	if err := errors.Join(err, tmp.Chmod(0o555), tmp.Close()); err != nil {
		return err
	}
	return os.Rename(tmp.Name(), path)
}
