package serve

import (
	"crypto/sha256"
	"crypto/subtle"
	"errors"
	"fmt"
	"log"
	"net/http"
	"os"
	"strings"
	"time"
)

// Login is a user and a password.
type Login struct{ User, Password string }

// ReadLogin reads a file that holds USER:PASSWORD.
func ReadLogin(file string) (Login, error) {
	content, err := os.ReadFile(file)
	if err != nil {
		return Login{}, fmt.Errorf("cannot read who may come in: %w", err)
	}
	user, password, ok := strings.Cut(strings.TrimSpace(string(content)), ":")
	if !ok || user == "" || password == "" {
		return Login{}, fmt.Errorf("%s does not hold USER:PASSWORD", file)
	}
	return Login{User: user, Password: password}, nil
}

func (l Login) allows(r *http.Request) bool {
	user, password, ok := r.BasicAuth()
	return ok && same(user, l.User) && same(password, l.Password)
}

func same(a, b string) bool {
	x, y := sha256.Sum256([]byte(a)), sha256.Sum256([]byte(b))
	return subtle.ConstantTimeCompare(x[:], y[:]) == 1
}

// only lets nobody through but who knows the login.
func (l Login) only(realm string, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !l.allows(r) {
			w.Header().Set("WWW-Authenticate", fmt.Sprintf("Basic realm=%q", realm))
			http.Error(w, "a user and a password, please", http.StatusUnauthorized)
			return
		}
		next.ServeHTTP(w, r)
	})
}

// logged notes each request and what came of it.
func logged(out *log.Logger, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		begin := time.Now()
		seen := &observed{ResponseWriter: w, status: http.StatusOK}
		next.ServeHTTP(seen, r)
		out.Printf("%s %s %d, %d bytes, %s", r.Method, r.URL.RequestURI(), seen.status, seen.bytes, time.Since(begin).Round(time.Millisecond))
	})
}

type observed struct {
	http.ResponseWriter
	status int
	bytes  int64
}

func (o *observed) WriteHeader(status int) {
	o.status = status
	o.ResponseWriter.WriteHeader(status)
}

func (o *observed) Write(b []byte) (int, error) {
	n, err := o.ResponseWriter.Write(b)
	o.bytes += int64(n)
	return n, err
}

func (o *observed) Unwrap() http.ResponseWriter { return o.ResponseWriter }

func newServer(address string, handler http.Handler) *http.Server {
	return &http.Server{Addr: address, Handler: handler, ReadHeaderTimeout: 10 * time.Second}
}

// firstOf runs servers until one of them ends, which none is meant to.
func firstOf(servers ...func() error) error {
	ended := make(chan error, len(servers))
	for _, serve := range servers {
		go func() { ended <- serve() }()
	}
	if err := <-ended; err != nil {
		return err
	}
	return errors.New("a server has ended")
}
