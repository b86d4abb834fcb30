package python

import (
	"regexp"
	"strings"
)

// isLocal says whether a URL is that of a project which is installed from its folder and is no part of a lock.
func (i Index) isLocal(url string) bool {
	return i.Local != "" && strings.HasPrefix(url, "file://"+i.Local)
}

var localLineRE = regexp.MustCompile(`(?m)^[^\s#][^\n]* @ file://([^\s]*)[^\n]*\n?`)

// WithoutLocal takes what is installed from a folder out of a lock that uv wrote.
func (i Index) WithoutLocal(lock []byte) []byte {
	return localLineRE.ReplaceAllFunc(lock, func(line []byte) []byte {
		if i.isLocal("file://" + string(localLineRE.FindSubmatch(line)[1])) {
			return nil
		}
		return line
	})
}

// Environment is how installers that somebody else starts are told of the indexes.
func (i Index) Environment() []string {
	index, extra := i.urls()
	var env []string
	add := func(value string, names ...string) {
		if value == "" {
			return
		}
		for _, name := range names {
			env = append(env, name+"="+value)
		}
	}
	add(index, "PIP_INDEX_URL", "UV_DEFAULT_INDEX")
	add(strings.Join(extra, " "), "PIP_EXTRA_INDEX_URL", "UV_INDEX")
	add(strings.Join(i.TrustedHosts, " "), "PIP_TRUSTED_HOST", "UV_INSECURE_HOST")
	add(i.CA, "PIP_CERT", "SSL_CERT_FILE", "REQUESTS_CA_BUNDLE")
	return env
}

// LocalArgs are python's arguments for installing projects from their folders, which are added to them.
func LocalArgs(log string, index Index) []string {
	return append([]string{"-m", "pip", "install", "--no-deps", "--log=" + log}, index.args()...)
}

// UVLocalArgs are uv's arguments for the same.
func UVLocalArgs(interpreter string, index Index) []string {
	return append([]string{"pip", "install", "--python=" + interpreter, "--no-deps"}, index.uvArgs()...)
}
