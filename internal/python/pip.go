package python

import (
	"strconv"

	"github.com/meteor-zone/meteor-operator/internal/forward"
	"github.com/meteor-zone/meteor-operator/internal/layer"
)

// Index says where packages come from.
type Index struct {
	// URL is the index's, ExtraURLs those that are asked too. Empty leaves what the base image is set up with.
	URL       string
	ExtraURLs []string
	// TrustedHosts are hosts whose certificates are not checked.
	TrustedHosts []string
	// CA is a file with all certificates to trust.
	CA string
	// Via is the address of a forwarder that asks the indexes, if there is one.
	Via string
	// Local is a folder whose projects are installed from it, and are no part of a lock.
	Local string
}

// forwarded says whether a forwarder is asked instead of the indexes.
func (i Index) forwarded() bool { return i.Via != "" && i.URL != "" }

// urls are those that the installer is told.
func (i Index) urls() (index string, extra []string) {
	if !i.forwarded() {
		return i.URL, i.ExtraURLs
	}
	routes, err := forward.NewRoutes(append([]string{i.URL}, i.ExtraURLs...)...)
	if err != nil {
		return i.URL, i.ExtraURLs
	}
	for _, u := range i.ExtraURLs {
		extra = append(extra, routes.Via(i.Via, u))
	}
	return routes.Via(i.Via, i.URL), extra
}

// Original puts the indexes' own URLs in the place of the forwarder's in a text.
func (i Index) Original(text string) string {
	if !i.forwarded() {
		return text
	}
	routes, err := forward.NewRoutes(append([]string{i.URL}, i.ExtraURLs...)...)
	if err != nil {
		return text
	}
	return routes.Original(i.Via, text)
}

func (i Index) args() []string {
	var args []string
	index, extra := i.urls()
	if index != "" {
		args = append(args, "--index-url="+index)
	}
	for _, u := range extra {
		args = append(args, "--extra-index-url="+u)
	}
	for _, h := range i.TrustedHosts {
		args = append(args, "--trusted-host="+h)
	}
	return args
}

// ResolveArgs are python's arguments for writing a report of what the requirements in files come to. The log is
// what Classify reads: pip's output alone does not tell an index that is down from a package that is not there.
func ResolveArgs(report, log string, index Index, requirements ...string) []string {
	args := []string{"-m", "pip", "install", "--dry-run", "--report=" + report, "--log=" + log}
	for _, r := range requirements {
		args = append(args, "--requirement="+r)
	}
	return append(args, index.args()...)
}

// InstallArgs are python's arguments for installing a lock, and nothing but it. Byte code is left to CompileArgs.
func InstallArgs(lock, log string, index Index) []string {
	args := []string{"-m", "pip", "install", "--no-deps", "--require-hashes", "--no-compile", "--log=" + log, "--requirement=" + lock}
	return append(args, index.args()...)
}

// Env is what pip's environment needs in addition, so that the same lock gives the same files and nothing waits for
// an answer or lands where a notebook's volume hides it.
func Env(fromSource bool) []string {
	env := []string{
		"PIP_NO_INPUT=1", "PIP_DISABLE_PIP_VERSION_CHECK=1", "PIP_PROGRESS_BAR=off", "PIP_NO_COLOR=1",
		"PIP_RETRIES=3", "PIP_TIMEOUT=20", "PIP_USER=0", "PIP_NO_WARN_SCRIPT_LOCATION=1", "PIP_ROOT_USER_ACTION=ignore",
		// The order of sets shows in byte code; that of modules which pip itself imports is not wanted.
		"PYTHONHASHSEED=0", "PYTHONDONTWRITEBYTECODE=1", "PYTHONUTF8=1",
	}
	if fromSource {
		// Compilers and archivers take it for the time. Byte code then holds its source's hash, which is slower to
		// check, so it is not set without need.
		env = append(env, "SOURCE_DATE_EPOCH="+strconv.FormatInt(layer.DefaultEpoch.Unix(), 10))
	}
	return env
}
