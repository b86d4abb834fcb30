package python

import (
	"bufio"
	"io"
	"regexp"
	"strings"

	"github.com/meteor-zone/meteor-operator/internal/failure"
	"github.com/meteor-zone/meteor-operator/internal/text"
)

// UVResolveArgs are uv's arguments for writing a lock of what the requirements in files come to.
func UVResolveArgs(interpreter, lock string, index Index, requirements ...string) []string {
	args := []string{"pip", "compile", "--python=" + interpreter, "--generate-hashes", "--no-header", "--no-annotate", "--output-file=" + lock}
	return append(append(args, index.uvArgs()...), requirements...)
}

// UVInstallArgs are uv's arguments for installing a lock, and nothing but it.
func UVInstallArgs(interpreter, lock string, index Index) []string {
	args := []string{"pip", "install", "--python=" + interpreter, "--no-deps", "--require-hashes", "--requirement=" + lock}
	return append(args, index.uvArgs()...)
}

func (i Index) uvArgs() []string {
	var args []string
	index, extra := i.urls()
	if index != "" {
		args = append(args, "--default-index="+index)
	}
	for _, u := range extra {
		args = append(args, "--index="+u)
	}
	for _, h := range i.TrustedHosts {
		args = append(args, "--allow-insecure-host="+h)
	}
	return args
}

// UVEnv is what uv's environment needs in addition to Env.
func UVEnv(index Index) []string {
	env := []string{
		"UV_NO_PROGRESS=1", "UV_COMPILE_BYTECODE=0", "UV_LINK_MODE=copy", "UV_PYTHON_DOWNLOADS=never",
		"UV_NO_CONFIG=1", "UV_BREAK_SYSTEM_PACKAGES=0", "NO_COLOR=1",
	}
	if index.CA != "" {
		env = append(env, "SSL_CERT_FILE="+index.CA)
	}
	return env
}

var (
	uvMissingRE  = regexp.MustCompile(`(?:Because|because|And because) (\S+) was not found in the package registry`)
	uvVersionRE  = regexp.MustCompile(`(?i)because (?:there is no version of|only .* (?:is|are) available)`)
	uvNetworkRE  = regexp.MustCompile(`(?i)failed to fetch|error sending request|client error \(Connect\)|request failed after \d+ retries|HTTP status (?:client|server) error \((?:401|403|407|429|5\d\d)|was not found in the package registry.*\b(?:401|403)\b|could not be queried due to a lack of valid authentication`)
	uvUnsolvedRE = regexp.MustCompile(`No solution found when resolving`)
	uvBuildRE    = regexp.MustCompile("(?:Failed to build|Failed to download and build) `?([A-Za-z0-9._-]+)")
	uvHashRE     = regexp.MustCompile(`Hash mismatch for .([A-Za-z0-9._-]+)`)
)

// ClassifyUV reads what uv said before it failed.
func ClassifyUV(output io.Reader, index Index) *failure.Failure {
	var lines []string
	for r := bufio.NewReaderSize(io.LimitReader(output, maxLog), 64<<10); ; {
		line, err := readLine(r)
		if line = strings.Trim(line, " ×╰─▶│├"); line != "" {
			if lines = append(lines, text.Line(index.Original(Redact(line)), keptLine)); len(lines) > 200 {
				lines = lines[1:]
			}
		}
		if err != nil {
			break
		}
	}
	all := strings.TrimPrefix(strings.Join(lines, " "), "error: ")
	tail := strings.Join(lines[max(0, len(lines)-keptOutput):], " | ")
	if m := uvBuildRE.FindStringSubmatch(all); m != nil && !uvUnsolvedRE.MatchString(all) {
		return failure.New(failure.PackageBuildFailed, "Package %q could not be built from source: %s", m[1], tail)
	}
	switch {
	case uvNetworkRE.MatchString(all):
		return failure.New(failure.PackageIndexUnavailable, "The package index cannot be asked: %s", tail)
	case uvHashRE.MatchString(all):
		return failure.New(failure.PackageNotFound, "The package index no longer has the files that were locked: it has others for %s", uvHashRE.FindStringSubmatch(all)[1])
	case uvUnsolvedRE.MatchString(all):
		_, why, _ := strings.Cut(all, "No solution found when resolving dependencies:")
		if m := uvMissingRE.FindStringSubmatch(why); m != nil {
			return failure.New(failure.PackageNotFound, "No matching distribution found for %s: the index has no such package", m[1])
		}
		if uvVersionRE.MatchString(why) && !strings.Contains(why, "depends on") {
			return failure.New(failure.PackageNotFound, "%s", strings.TrimSpace(why))
		}
		return failure.New(failure.PackageConflict, "%s", strings.TrimSpace(why))
	case all == "":
		return failure.New(failure.BuildFailed, "uv failed and did not say why")
	}
	return failure.New(failure.BuildFailed, "uv failed: %s", tail)
}
