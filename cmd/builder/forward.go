package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/meteor-zone/meteor-operator/internal/forward"
	"github.com/meteor-zone/meteor-operator/internal/registry"
)

const maxCredential = 64 << 10

// runForward serves until it is ended.
func runForward(ctx context.Context, e *env) error {
	var o forward.Options
	listen := e.flags.String("listen", "127.0.0.1:5030", "address to serve at")
	index := e.flags.String("index-url", "", "the package index")
	var extra, cas []string
	e.array(&extra, "extra-index-urls", "other indexes")
	e.array(&o.TrustedHosts, "trusted-hosts", "hosts whose certificates are not checked")
	e.list(&cas, "index-ca", "file of certificates that the index may have, besides the public ones; may be absent; can be repeated")
	secret := e.flags.String("credentials", "", "folder of a mounted secret with username and password; may be absent or empty")
	if err := e.parse(); err != nil {
		return err
	}
	o.Indexes = append([]string{*index}, extra...)
	var err error
	if o.Roots, err = registry.Roots(cas...); err != nil {
		return err
	}
	if o.Username, err = readCredential(*secret, "username"); err != nil {
		return err
	}
	if o.Password, err = readCredential(*secret, "password"); err != nil {
		return err
	}
	handler, err := forward.New(o)
	if err != nil {
		return err
	}
	return serve(ctx, *listen, handler)
}

func serve(ctx context.Context, address string, handler http.Handler) error {
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", address)
	if err != nil {
		return fmt.Errorf("cannot listen: %w", err)
	}
	server := &http.Server{
		Handler: handler, ReadHeaderTimeout: 10 * time.Second, MaxHeaderBytes: 64 << 10,
		ErrorLog: log.New(os.Stderr, "", 0),
	}
	stop := context.AfterFunc(ctx, func() { _ = server.Close() })
	defer stop()
	if err := server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("cannot serve: %w", err)
	}
	return nil
}

// readCredential reads one key of a mounted secret.
func readCredential(dir, key string) (string, error) {
	if dir == "" {
		return "", nil
	}
	f, err := os.Stat(filepath.Join(dir, key))
	if errors.Is(err, fs.ErrNotExist) {
		return "", nil
	}
	if err != nil || f.Size() > maxCredential {
		return "", errors.Join(fmt.Errorf("cannot read %s of the package index", key), err)
	}
	data, err := os.ReadFile(filepath.Join(dir, key))
	if err != nil {
		return "", fmt.Errorf("cannot read %s of the package index: %w", key, err)
	}
	return strings.TrimRight(string(data), "\r\n"), nil
}
