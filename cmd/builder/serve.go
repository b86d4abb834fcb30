package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"time"

	"github.com/meteor-zone/meteor-operator/internal/book"
)

// runServe serves a site until it is told to stop.
func runServe(ctx context.Context, e *env) error {
	root := e.flags.String("root", "", "folder of the site")
	listen := e.flags.String("listen", fmt.Sprintf(":%d", book.Port), "address to listen on")
	version := e.flags.String("version", "", "what tells this site from others, for browsers that have pages already")
	if err := e.parse(); err != nil {
		return err
	}
	if *root == "" {
		return &usageError{errors.New("--root is missing")}
	}
	// No link in the site leads out of it.
	site, err := os.OpenRoot(*root)
	if err != nil {
		return fmt.Errorf("cannot open site: %w", err)
	}
	defer site.Close()
	server := &http.Server{
		Addr:              *listen,
		Handler:           book.Handler(site.FS(), *version),
		ReadHeaderTimeout: 10 * time.Second,
		ReadTimeout:       30 * time.Second,
		WriteTimeout:      10 * time.Minute,
		IdleTimeout:       2 * time.Minute,
		MaxHeaderBytes:    64 << 10,
	}
	ended := make(chan error, 1)
	go func() { ended <- server.ListenAndServe() }()
	select {
	case err := <-ended:
		return fmt.Errorf("cannot serve: %w", err)
	case <-ctx.Done():
	}
	// Who is being answered is answered; new connections go to the pod that takes this one's place.
	grace, cancel := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
	defer cancel()
	if err := server.Shutdown(grace); err != nil {
		return fmt.Errorf("cannot stop: %w", err)
	}
	return nil
}
