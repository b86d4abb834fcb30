package repository

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
)

// Copy copies a folder's content into another, which is made. What is there already stays, unless a file has the
// same name. The group may do what the owner may, since the image's user is anyone of group 0.
func Copy(from, to string) error {
	if err := os.MkdirAll(to, 0o775); err != nil {
		return fmt.Errorf("cannot copy repository: %w", err)
	}
	err := filepath.WalkDir(from, func(p string, d fs.DirEntry, err error) error {
		if err != nil || p == from {
			return err
		}
		name, err := filepath.Rel(from, p)
		if err != nil {
			return err
		}
		return copyEntry(p, filepath.Join(to, name), d)
	})
	if err != nil {
		return fmt.Errorf("cannot copy repository: %w", err)
	}
	return nil
}

func copyEntry(from, to string, d fs.DirEntry) error {
	info, err := d.Info()
	if err != nil {
		return err
	}
	switch {
	case d.IsDir():
		if err := os.Mkdir(to, 0o775); err != nil && !errors.Is(err, fs.ErrExist) {
			return err
		}
		return nil
	case info.Mode()&fs.ModeSymlink != 0:
		target, err := os.Readlink(from)
		if err != nil {
			return err
		}
		return os.Symlink(target, to)
	}
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	defer in.Close()
	mode := fs.FileMode(0o664)
	if info.Mode()&0o111 != 0 {
		mode = 0o775
	}
	out, err := os.OpenFile(to, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, mode)
	if err != nil {
		return err
	}
	_, err = io.Copy(out, in)
	// The umask may have taken rights away.
	return errors.Join(err, out.Chmod(mode), out.Close())
}
