package serve

import (
	"errors"
	"io/fs"
	"log"
	"net/http"
	"os"
	"path/filepath"
)

// Index says what a package index serves, and where. In Dir, the directory open
// is for everyone. On the private address is what the directory private holds
// and, where that has nothing of the name, what is open.
type Index struct {
	Dir           string
	Open, Private string
	Cert, Key     string
	Login         Login
	Log           *log.Logger
}

// Serve serves until something fails.
func (i Index) Serve() error {
	open, private := newServer(i.Open, i.openHandler()), newServer(i.Private, i.privateHandler())
	return firstOf(open.ListenAndServe, func() error { return private.ListenAndServeTLS(i.Cert, i.Key) })
}

func (i Index) openHandler() http.Handler {
	return logged(i.Log, http.FileServerFS(os.DirFS(filepath.Join(i.Dir, "open"))))
}

func (i Index) privateHandler() http.Handler {
	all := layered{os.DirFS(filepath.Join(i.Dir, "private")), os.DirFS(filepath.Join(i.Dir, "open"))}
	return logged(i.Log, i.Login.only("packages", http.FileServerFS(all)))
}

// layered opens a file in the first of several file systems that has it.
type layered []fs.FS

// Open opens the named file.
func (l layered) Open(name string) (fs.File, error) {
	err := fs.ErrNotExist
	for _, layer := range l {
		f, openErr := layer.Open(name)
		if !errors.Is(openErr, fs.ErrNotExist) {
			return f, openErr
		}
		err = openErr
	}
	return nil, err
}
