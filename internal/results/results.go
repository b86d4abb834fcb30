// Package results writes and reads the files that Tekton takes for a step's results. The folder is shared by all
// steps of a pod, those that run a user's image too: what is found there is not trusted, neither its content nor
// its kind.
package results

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"syscall"
)

// ErrMissing says that no such result was written.
var ErrMissing = errors.New("no such result")

// Dir is the folder of result files.
type Dir string

// WriteText replaces the named result by text.
func (d Dir) WriteText(name, text string) error {
	if err := d.Remove(name); err != nil {
		return err
	}
	// O_EXCL and O_NOFOLLOW: never write through a link or into a pipe that someone else has put there.
	f, err := os.OpenFile(d.path(name), os.O_WRONLY|os.O_CREATE|os.O_EXCL|syscall.O_NOFOLLOW, 0o644)
	if err != nil {
		return fmt.Errorf("cannot write result %q: %w", name, err)
	}
	_, err = f.WriteString(text)
	if err := errors.Join(err, f.Close()); err != nil {
		return fmt.Errorf("cannot write result %q: %w", name, err)
	}
	return nil
}

// WriteJSON replaces the named result by v as JSON.
func (d Dir) WriteJSON(name string, v any) error {
	data, err := json.Marshal(v)
	if err != nil {
		return fmt.Errorf("cannot encode result %q: %w", name, err)
	}
	return d.WriteText(name, string(data))
}

// Read returns the named result if it is a plain file of at most limit bytes, and ErrMissing if there is none.
func (d Dir) Read(name string, limit int) ([]byte, error) {
	// O_NONBLOCK: opening a pipe must not wait for someone to write to it.
	f, err := os.OpenFile(d.path(name), os.O_RDONLY|syscall.O_NOFOLLOW|syscall.O_NONBLOCK, 0)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, ErrMissing
	}
	if err != nil {
		return nil, fmt.Errorf("cannot read result %q: %w", name, err)
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, fmt.Errorf("cannot read result %q: %w", name, err)
	}
	if !info.Mode().IsRegular() {
		return nil, fmt.Errorf("cannot read result %q: not a plain file", name)
	}
	data, err := io.ReadAll(io.LimitReader(f, int64(limit)+1))
	if err != nil {
		return nil, fmt.Errorf("cannot read result %q: %w", name, err)
	}
	if len(data) > limit {
		return nil, fmt.Errorf("cannot read result %q: more than %d bytes", name, limit)
	}
	return data, nil
}

// Remove takes the named result away, whatever it is.
func (d Dir) Remove(name string) error {
	err := os.RemoveAll(d.path(name))
	if err != nil {
		// It may hold folders that forbid it, made by this very user.
		open(d.path(name))
		err = os.RemoveAll(d.path(name))
	}
	if err != nil {
		return fmt.Errorf("cannot remove result %q: %w", name, err)
	}
	return nil
}

// open lets the owner change all folders below one.
func open(root string) {
	_ = filepath.WalkDir(root, func(path string, entry fs.DirEntry, _ error) error {
		if entry != nil && entry.IsDir() {
			//nolint:gosec // whoever made it has ended, so nobody exchanges it meanwhile
			_ = os.Chmod(path, 0o700)
		}
		return nil
	})
}

// Sweep takes everything away but the named results, and of those what is no plain file. Whoever reads the folder
// next finds no pipe that blocks, and nothing that takes the room of what it has to say.
func (d Dir) Sweep(keep ...string) error {
	entries, err := os.ReadDir(string(d))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("cannot list results: %w", err)
	}
	var errs []error
	for _, entry := range entries {
		if !slices.Contains(keep, entry.Name()) || !entry.Type().IsRegular() {
			errs = append(errs, d.Remove(entry.Name()))
		}
	}
	return errors.Join(errs...)
}

func (d Dir) path(name string) string {
	return filepath.Join(string(d), name)
}
