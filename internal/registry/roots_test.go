package registry_test

import (
	"encoding/pem"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/meteor-zone/meteor-operator/internal/registry"
)

func TestRoots(t *testing.T) {
	server := httptest.NewTLSServer(http.NotFoundHandler())
	t.Cleanup(server.Close)
	file := filepath.Join(t.TempDir(), "registry.crt")
	if err := os.WriteFile(file, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw}), 0o600); err != nil {
		t.Fatal(err)
	}
	absent := filepath.Join(t.TempDir(), "absent")
	for name, tc := range map[string]struct {
		files []string
		want  bool
	}{
		"None": {}, "Empty": {files: []string{"", absent}}, "One": {files: []string{absent, file}, want: true},
	} {
		t.Run(name, func(t *testing.T) {
			roots, err := registry.Roots(tc.files...)
			if err != nil {
				t.Fatal(err)
			}
			resp, err := (&http.Client{Transport: registry.NewTransport(false, roots)}).Get(server.URL)
			if err == nil {
				_ = resp.Body.Close()
			}
			if (err == nil) != tc.want {
				t.Errorf("asked: %v, want success %v", err, tc.want)
			}
		})
	}
	if err := os.WriteFile(file, []byte("no certificate"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := registry.Roots(file); err == nil || !strings.Contains(err.Error(), "holds no certificate") {
		t.Errorf("a file without certificates: %v", err)
	}
}
