package serve

import (
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"testing"
)

func TestIndex(t *testing.T) {
	dir := lay(t, map[string]string{
		"open/simple/a/index.html":    "page of a",
		"open/simple/index.html":      "open list",
		"open/files/a.whl":            "wheel a",
		"private/simple/b/index.html": "page of b",
		"private/simple/index.html":   "full list",
		"private/files/b.whl":         "wheel b",
	})
	i := Index{Dir: dir, Login: Login{User: "me", Password: "secret"}, Log: log.New(io.Discard, "", 0)}
	cases := map[string]struct {
		reason         string
		handler        http.Handler
		path           string
		user, password string
		status         int
		body           string
	}{
		"Open":           {reason: "A page is served to anyone.", handler: i.openHandler(), path: "/simple/a/", status: 200, body: "page of a"},
		"NoSlash":        {reason: "A page without its slash is elsewhere.", handler: i.openHandler(), path: "/simple/a", status: 301},
		"Hidden":         {reason: "What is private is not on the open address.", handler: i.openHandler(), path: "/files/b.whl", status: 404},
		"Outside":        {reason: "Nothing outside is served.", handler: i.openHandler(), path: "/../private/files/b.whl", status: 404},
		"NoPassword":     {reason: "Without a password nothing is served.", handler: i.privateHandler(), path: "/simple/a/", status: 401},
		"WrongPassword":  {reason: "A wrong password opens nothing.", handler: i.privateHandler(), path: "/simple/a/", user: "me", password: "x", status: 401},
		"Private":        {reason: "The password opens what is private.", handler: i.privateHandler(), path: "/files/b.whl", user: "me", password: "secret", status: 200, body: "wheel b"},
		"OpenToPrivate":  {reason: "What is open is on the private address, too.", handler: i.privateHandler(), path: "/files/a.whl", user: "me", password: "secret", status: 200, body: "wheel a"},
		"PrivateFirst":   {reason: "Of two files the private one counts.", handler: i.privateHandler(), path: "/simple/", user: "me", password: "secret", status: 200, body: "full list"},
		"PrivateMissing": {reason: "What neither has is not found.", handler: i.privateHandler(), path: "/simple/c/", user: "me", password: "secret", status: 404},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			r := httptest.NewRequest(http.MethodGet, tc.path, nil)
			if tc.user != "" {
				r.SetBasicAuth(tc.user, tc.password)
			}
			w := httptest.NewRecorder()
			tc.handler.ServeHTTP(w, r)
			if w.Code != tc.status || tc.body != "" && w.Body.String() != tc.body {
				t.Errorf("%s\ngot %d %q, want %d %q", tc.reason, w.Code, w.Body, tc.status, tc.body)
			}
		})
	}
}

func TestReadLogin(t *testing.T) {
	dir := lay(t, map[string]string{"good": "me:se:cret\n", "bad": "me\n"})
	got, err := ReadLogin(filepath.Join(dir, "good"))
	if err != nil || got != (Login{User: "me", Password: "se:cret"}) {
		t.Errorf("got %v, %v", got, err)
	}
	for _, name := range []string{"bad", "absent"} {
		if _, err := ReadLogin(filepath.Join(dir, name)); err == nil {
			t.Errorf("a login is read from the file %q", name)
		}
	}
}

func lay(t *testing.T, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, content := range files {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}
