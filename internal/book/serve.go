package book

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"mime"
	"net/http"
	"path"
	"strings"
	"time"
)

// types are those that sites have besides the ones that Go knows by itself: the image has no table of the system's.
var types = map[string]string{
	".ico": "image/x-icon", ".inv": "application/octet-stream", ".ipynb": "application/x-ipynb+json", ".map": "application/json",
	".md": "text/markdown; charset=utf-8", ".otf": "font/otf", ".rst": "text/x-rst; charset=utf-8", ".ttf": "font/ttf", ".txt": "text/plain; charset=utf-8",
	".woff": "font/woff", ".woff2": "font/woff2", ".csv": "text/csv; charset=utf-8", ".mp4": "video/mp4",
}

// Handler serves the files of a site, by GET and HEAD alone. Folders have their index.html and no list of files.
//
// All files have the time of nobody's change, so what tells browsers whether they have the newest is the version of the
// site as a whole.
func Handler(site fs.FS, version string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("X-Content-Type-Options", "nosniff")
		w.Header().Set("Referrer-Policy", "strict-origin-when-cross-origin")
		if r.Method != http.MethodGet && r.Method != http.MethodHead {
			w.Header().Set("Allow", "GET, HEAD")
			http.Error(w, "only GET and HEAD are answered", http.StatusMethodNotAllowed)
			return
		}
		name, folder, err := resolve(site, r.URL.Path)
		switch {
		case errors.Is(err, fs.ErrNotExist), errors.Is(err, fs.ErrInvalid), errors.Is(err, fs.ErrPermission):
			notFound(w, r, site)
			return
		case err != nil:
			http.Error(w, "the page cannot be read", http.StatusInternalServerError)
			return
		case folder:
			// Relative, so that it is right whatever stands before this server.
			w.Header().Set("Location", "./"+path.Base(r.URL.EscapedPath())+"/")
			w.WriteHeader(http.StatusMovedPermanently)
			return
		}
		if err := serveFile(w, r, site, name, version); err != nil {
			http.Error(w, "the page cannot be read", http.StatusInternalServerError)
		}
	})
}

// resolve finds the file of a path. A folder that is asked for without its slash is to be asked for with it.
func resolve(site fs.FS, p string) (name string, folder bool, err error) {
	name = strings.TrimPrefix(path.Clean("/"+p), "/")
	if name == "" {
		name = "."
	}
	info, err := fs.Stat(site, name)
	if err != nil {
		return "", false, err
	}
	if info.IsDir() {
		if !strings.HasSuffix(p, "/") && name != "." {
			return "", true, nil
		}
		name = path.Join(name, "index.html")
		if info, err = fs.Stat(site, name); err != nil {
			return "", false, err
		}
	}
	if !info.Mode().IsRegular() {
		return "", false, fs.ErrNotExist
	}
	return name, false, nil
}

func serveFile(w http.ResponseWriter, r *http.Request, site fs.FS, name, version string) error {
	f, err := site.Open(name)
	if err != nil {
		return err
	}
	defer f.Close()
	content, ok := f.(io.ReadSeeker)
	if !ok {
		return fmt.Errorf("cannot seek in %s", name)
	}
	ext := strings.ToLower(path.Ext(name))
	kind := types[ext]
	if kind == "" {
		kind = mime.TypeByExtension(ext)
	}
	if kind == "" {
		kind = "application/octet-stream"
	}
	w.Header().Set("Content-Type", kind)
	w.Header().Set("Cache-Control", "no-cache")
	if version != "" {
		w.Header().Set("ETag", `"`+version+`"`)
	}
	http.ServeContent(w, r, name, time.Time{}, content)
	return nil
}

// notFound answers with the site's own page for that, if it has one.
func notFound(w http.ResponseWriter, r *http.Request, site fs.FS) {
	data, err := fs.ReadFile(site, "404.html")
	if err != nil {
		http.NotFound(w, r)
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.WriteHeader(http.StatusNotFound)
	if r.Method == http.MethodGet {
		_, _ = w.Write(data) // who does not listen any more has gone
	}
}
