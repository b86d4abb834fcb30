package repository

import (
	"context"
	_ "embed" // for the extension
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/meteor-zone/meteor-operator/internal/failure"
)

//go:embed meteor_repository.py
var extension string

// extensionName is the Python module's.
const extensionName = "meteor_repository"

// places are where things belong in an image, as its own Python and Jupyter say.
type places struct {
	Prefix string   `json:"prefix"`
	Site   []string `json:"site"`
	Config []string `json:"config"`
}

// askPlaces prints them. Jupyter reads its configuration from sys.prefix, and from where jupyter_core says besides.
const askPlaces = `
import json, os, site, sys, sysconfig
sites = [sysconfig.get_paths()["purelib"]]
try:
    sites += site.getsitepackages()
except Exception:
    pass
config = [os.path.join(sys.prefix, "etc", "jupyter")]
try:
    from jupyter_core.paths import SYSTEM_CONFIG_PATH, ENV_CONFIG_PATH
    config = list(ENV_CONFIG_PATH) + [p for p in SYSTEM_CONFIG_PATH if p not in ENV_CONFIG_PATH]
except Exception:
    pass
json.dump({"prefix": sys.prefix, "site": sites, "config": config}, sys.stdout)
`

func findPlaces(ctx context.Context, python string) (*places, error) {
	out, err := exec.CommandContext(ctx, python, "-c", askPlaces).Output()
	p := &places{}
	if err == nil {
		err = json.Unmarshal(out, p)
	}
	if err != nil {
		return nil, failure.New(failure.ImageInvalid, "The base image's Python does not say where it is: %s", err)
	}
	return p, nil
}

// putContent copies the content to where no volume hides it, and returns the place.
func (p *places) putContent(from, name string) (string, error) {
	var errs []error
	for _, prefix := range []string{p.Prefix, "/opt/app-root", "/opt/meteor"} {
		to := filepath.Join(prefix, "share", "meteor", "repository", name)
		if err := os.MkdirAll(to, 0o775); err != nil {
			errs = append(errs, err)
			continue
		}
		return to, Copy(from, to)
	}
	return "", failure.New(failure.ImageInvalid, "The base image does not let its users put files into it: %s", errs[0])
}

// putExtension adds the extension that shows the content to notebooks. An image without Jupyter has no use for it.
func (p *places) putExtension(content string) error {
	code := strings.Replace(extension, `"@SOURCE@"`, strconv.Quote(filepath.Dir(content)), 1)
	if err := putFirst(p.Site, extensionName+".py", code); err != nil {
		return failure.New(failure.ImageInvalid, "The base image does not let its users install Python modules: %s", err)
	}
	for _, server := range []struct{ dir, app, list string }{
		{"jupyter_server_config.d", "ServerApp", "jpserver_extensions"},
		{"jupyter_notebook_config.d", "NotebookApp", "nbserver_extensions"},
	} {
		config := fmt.Sprintf("{\n  %q: {\n    %q: {\n      %q: true\n    }\n  }\n}\n", server.app, server.list, extensionName)
		if err := putFirst(p.Config, filepath.Join(server.dir, extensionName+".json"), config); err != nil {
			return failure.New(failure.ImageInvalid, "The base image does not let its users configure Jupyter: %s", err)
		}
	}
	return nil
}

// putFirst writes a file into the first of the folders that takes it.
func putFirst(dirs []string, name, content string) error {
	var errs []error
	for _, dir := range dirs {
		file := filepath.Join(dir, name)
		err := os.MkdirAll(filepath.Dir(file), 0o775)
		if err == nil {
			err = os.WriteFile(file, []byte(content), 0o664)
		}
		if err == nil {
			return nil
		}
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}
