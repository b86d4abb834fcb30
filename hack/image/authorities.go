package main

import (
	"bytes"
	"encoding/pem"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime/debug"

	"golang.org/x/crypto/x509roots/fallback/bundle"
)

const (
	// certificates is where Go looks for certificate authorities, in the image as on most machines.
	certificates = "/etc/ssl/certs/ca-certificates.crt"
	// rootsModule is where they come from: Mozilla's list, as Go's own project publishes it. It is the same on every
	// machine, whatever that trusts itself.
	rootsModule = "golang.org/x/crypto/x509roots/fallback"
)

// authorities writes the certificate authorities that the image trusts, and returns the file with the module that they
// are from. One that is trusted for older certificates only is among them: a file in PEM cannot say so.
func authorities(dir string) (string, debug.Module, error) {
	var content bytes.Buffer
	for root := range bundle.Roots() {
		if err := pem.Encode(&content, &pem.Block{Type: "CERTIFICATE", Bytes: root.Certificate}); err != nil {
			return "", debug.Module{}, fmt.Errorf("cannot write a certificate: %w", err)
		}
	}
	file := filepath.Join(dir, filepath.Base(certificates))
	if err := os.WriteFile(file, content.Bytes(), 0o644); err != nil {
		return "", debug.Module{}, fmt.Errorf("cannot write the certificate authorities: %w", err)
	}
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "", debug.Module{}, errors.New("cannot tell what this program was built from")
	}
	for _, dependency := range info.Deps {
		if dependency.Path == rootsModule {
			return file, *dependency, nil
		}
	}
	return "", debug.Module{}, fmt.Errorf("this program was not built from %s", rootsModule)
}
