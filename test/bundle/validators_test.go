package bundle

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/operator-framework/api/pkg/validation"
	"github.com/operator-framework/api/pkg/validation/errors"
)

// docker stands in for the container engine that the validator of architectures asks about the images: what is asked
// for has the platforms that `make images` builds.
const docker = `#!/bin/sh
[ "$1" != manifest ] || printf '{"manifests":[{"platform":{"os":"linux","architecture":"amd64"}},{"platform":{"os":"linux","architecture":"arm64"}}]}'
`

// TestValidators runs all validators that there are. Warnings fail.
func TestValidators(t *testing.T) {
	bin := t.TempDir()
	must(t, os.WriteFile(filepath.Join(bin, "docker"), []byte(docker), 0o755))
	t.Setenv("PATH", bin+":"+os.Getenv("PATH"))
	objects := append(built.ObjectsToValidate(), map[string]string{"k8s-version": "1.36.0"})
	results := validation.AllValidators.Validate(objects...)
	if len(results) < 10 {
		t.Fatalf("only %d validators had something to look at", len(results))
	}
	for _, result := range results {
		for _, finding := range append(append([]errors.Error{}, result.Errors...), result.Warnings...) {
			t.Errorf("%s: %s", result.Name, finding.Error())
		}
	}
}
