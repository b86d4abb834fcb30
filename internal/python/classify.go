package python

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"path"
	"regexp"
	"strconv"
	"strings"

	"github.com/meteor-zone/meteor-operator/internal/failure"
	"github.com/meteor-zone/meteor-operator/internal/text"
)

const (
	// maxLog is more than pip logs for hundreds of packages.
	maxLog     = 256 << 20
	keptLine   = 400
	keptOutput = 12
	keptCauses = 8
	keptErrors = 20
	mostShown  = 6
)

var (
	stampRE    = regexp.MustCompile(`^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d,\d{3} ?`)
	secretRE   = regexp.MustCompile(`(?i)\b([a-z][a-z0-9+.-]*://)[^/@\s'"<>]+@`)
	noneRE     = regexp.MustCompile(`^Could not find a version that satisfies the requirement (.+?)(?: \(from (.+?)\))? \(from versions: (.*)\)$`)
	fetchRE    = regexp.MustCompile(`^Could not fetch URL (\S+): (.*?)(?: - skipping)?$`)
	retryRE    = regexp.MustCompile(`^WARNING: Retrying \(.*\) after connection broken by '(.*)': (\S+)$`)
	exitedRE   = regexp.MustCompile(`^ERROR: \[present-rich\] .* exited with -?\d+$`)
	lineRE     = regexp.MustCompile(` \(from line \d+ of .*\)$`)
	cannotRE   = regexp.MustCompile(`^Cannot install (.+) because these package versions have conflicting dependencies\.$`)
	otherPyRE  = regexp.MustCompile(`^Package '([^']+)' requires a different Python: (\S+) not in '([^']+)'`)
	httpRE     = regexp.MustCompile(`^HTTP error (\d{3}) while getting (\S+)`)
	errnoRE    = regexp.MustCompile(`\[Errno (\d+)\] ([^:'"]+)(?:: '([^']+)')?`)
	untrustRE  = regexp.MustCompile(`^WARNING: The repository located at (\S+) is not a trusted or secure host`)
	networkRE  = regexp.MustCompile(`Max retries exceeded|Read timed out|ReadTimeoutError|Connection broken|IncompleteRead|ConnectionError|ProxyError|SSLError|RemoteDisconnected|Connection aborted|ConnectionResetError`)
	statusRE   = regexp.MustCompile(`(?:^|: )(\d{3}) (?:Client|Server) Error: (.*?) for url: `)
	mismatchRE = regexp.MustCompile(`^(\S+) from \S+`)
)

// connectionRE tells what went wrong with a connection, and how that is said.
var connectionRE = []struct {
	re  *regexp.Regexp
	say string
}{
	{regexp.MustCompile(`.*too many (\d{3}) error responses.*`), "it answered with status $1 each time"},
	{regexp.MustCompile(`.*Failed to establish a new connection: (?:\[Errno -?\d+\] )?([^'")(<]+).*`), "it cannot be reached: $1"},
	{regexp.MustCompile(`.*\[SSL(?:: [A-Z0-9_]+)?\] ([^'")(]+).*`), "it cannot be asked over TLS: $1"},
	{regexp.MustCompile(`.*[Tt]imed out.*`), "it took too long to answer"},
	{regexp.MustCompile(`.*(?:RemoteDisconnected|Connection aborted|Connection reset|Connection broken|IncompleteRead).*`), "it broke off the connection"},
}

// Redact takes credentials out of URLs.
func Redact(s string) string {
	return secretRE.ReplaceAllString(s, "$1")
}

// Classify reads pip's log, or its output, after it has failed, and says why: whose turn it is, and what happened
// in words that its user understands. Lines beyond what is needed are not kept. Without a known cause, the last
// error that pip gave is the message. Where a forwarder stood between, its URLs become the index's own.
func Classify(log io.Reader, index Index) *failure.Failure {
	c := &classifier{}
	lines := bufio.NewReaderSize(io.LimitReader(log, maxLog), 64<<10)
	for {
		line, err := readLine(lines)
		if line != "" || err == nil {
			c.line(index.Original(Redact(line)))
		}
		if err != nil {
			break
		}
	}
	return c.verdict()
}

// readLine returns the beginning of the next line.
func readLine(r *bufio.Reader) (string, error) {
	var kept []byte
	for {
		part, err := r.ReadSlice('\n')
		kept = append(kept, part[:min(len(part), 4*keptLine-min(len(kept), 4*keptLine))]...)
		if err == nil || !errors.Is(err, bufio.ErrBufferFull) {
			return strings.TrimRight(stampRE.ReplaceAllString(string(kept), ""), "\r\n "), err
		}
	}
}

// classifier remembers what was seen of each kind.
type classifier struct {
	collecting string
	// fetches are failed requests by the project that they were for.
	fetches map[string]string
	// ignored are the versions that do not fit, as pip tells them.
	ignored []string
	verdicts
	in section
	// output is what the last program that failed said, and step what it was run for.
	step    string
	outputs []string
	// command says that the log is in the middle of what a program says.
	command bool
	// unreached is what that program said of an index that it could not reach.
	unreached string
	last      string
}

// verdicts are what a failed run can end with. Only the last is set.
type verdicts struct {
	missing  *missing
	conflict *conflict
	build    string
	other    *failure.Failure
	mismatch []string
	built    bool
}

type missing struct{ requirement, by, versions string }

type conflict struct {
	packages string
	causes   []string
}

// section is a part of the log whose lines belong together.
type section int

const (
	nowhere section = iota
	inOutput
	inCauses
	inMismatch
	inTraceback
)

func (c *classifier) line(line string) {
	trimmed := strings.TrimSpace(line)
	switch c.in {
	case nowhere:
	case inTraceback:
		return
	case inOutput:
		c.outputLine(trimmed)
		return
	case inCauses:
		if trimmed == "" {
			c.in = nowhere
		} else if c.conflict != nil && len(c.conflict.causes) < keptCauses {
			c.conflict.causes = append(c.conflict.causes, text.Line(trimmed, keptLine))
		}
		return
	case inMismatch:
		if m := mismatchRE.FindStringSubmatch(trimmed); m != nil && len(c.mismatch) < keptCauses {
			c.mismatch = append(c.mismatch, text.Line(m[1], 100))
		}
	}
	if c.running(trimmed) || c.progress(trimmed) {
		return
	}
	c.failure(trimmed)
}

// running follows the programs that pip runs. Its output names only those that failed; the log has what each says,
// between a line for its start and one for its end.
func (c *classifier) running(line string) bool {
	if step, ok := strings.CutPrefix(line, "Running command "); ok {
		c.step, c.command = text.Line(step, 100), true
		c.outputs, c.unreached = nil, ""
		return true
	}
	if m := exitedRE.FindStringSubmatch(line); m != nil && c.command {
		c.command = false
		c.verdicts = verdicts{built: true, build: c.builtPackage()}
		return true
	}
	if !c.command {
		return false
	}
	if strings.HasSuffix(line, ": finished with status 'done'") {
		c.command = false
		return true
	}
	c.outputLine(line)
	return false
}

func (c *classifier) outputLine(line string) {
	if line == "[end of output]" {
		c.in = nowhere
		return
	}
	if line == "" {
		return
	}
	if m := retryRE.FindStringSubmatch(line); m != nil {
		c.unreached = text.Line(m[1], keptLine)
	}
	if c.outputs = append(c.outputs, text.Line(line, keptLine)); len(c.outputs) > keptOutput {
		c.outputs = c.outputs[1:]
	}
}

// progress notes what happens before a failure.
func (c *classifier) progress(line string) bool {
	if rest, ok := strings.CutPrefix(line, "Collecting "); ok {
		rest, _, _ = strings.Cut(rest, " (from ")
		c.collecting = text.Line(rest, 100)
		return true
	}
	if m := fetchRE.FindStringSubmatch(line); m != nil {
		if !strings.HasPrefix(m[2], "404 ") {
			c.unfetched(m[1], m[2])
		}
		return true
	}
	if m := retryRE.FindStringSubmatch(line); m != nil {
		c.unfetched(m[2], m[1])
		return true
	}
	if m := untrustRE.FindStringSubmatch(line); m != nil {
		c.unfetched("", fmt.Sprintf("host %q is not asked, since it is neither HTTPS nor trusted: CNBiConfig's packageIndex.trustedHosts names such hosts", m[1]))
		return true
	}
	if strings.HasPrefix(line, "╰─> [") && strings.HasSuffix(line, "of output]") {
		c.in, c.outputs, c.unreached = inOutput, nil, ""
		return true
	}
	if rest, ok := strings.CutPrefix(line, "× "); ok {
		if step, ok := strings.CutSuffix(rest, " did not run successfully."); ok {
			c.step, c.command = text.Line(step, 100), false
			c.verdicts = verdicts{built: true, build: c.builtPackage()}
		}
		return true
	}
	if line == "Exception information:" {
		// What follows only tells where in pip the error that it has told already came from.
		c.in = inTraceback
		return true
	}
	if line == "The conflict is caused by:" {
		c.in = inCauses
		return true
	}
	return false
}

func (c *classifier) builtPackage() string {
	if rest, ok := strings.CutPrefix(c.step, "Building wheel for "); ok {
		name, _, _ := strings.Cut(rest, " ")
		return name
	}
	return c.collecting
}

func (c *classifier) unfetched(from, why string) {
	if c.fetches == nil {
		c.fetches = map[string]string{}
	}
	project, host := "", ""
	if u, err := url.Parse(from); err == nil && from != "" {
		project, host = NormalName(path.Base(u.Path)), u.Host
	}
	if _, ok := c.fetches[project]; !ok && len(c.fetches) >= keptErrors {
		return
	}
	why = plain(why)
	if host != "" {
		why = fmt.Sprintf("%s: %s", host, why)
	}
	c.fetches[project] = text.Line(why, keptLine)
}

// plain is the innermost useful part of what pip says of a connection: without objects, their addresses and URLs.
func plain(why string) string {
	if m := statusRE.FindStringSubmatch(why); m != nil {
		code, _ := strconv.Atoi(m[1])
		if m[2] == http.StatusText(code) {
			return fmt.Sprintf("it answered with status %d (%s)", code, m[2])
		}
		return m[2]
	}
	for _, known := range connectionRE {
		if m := known.re.FindStringSubmatchIndex(why); m != nil {
			return strings.TrimSpace(string(known.re.ExpandString(nil, known.say, why, m)))
		}
	}
	return why
}

// failure notes a failure that pip ends with.
func (c *classifier) failure(line string) {
	rest, ok := strings.CutPrefix(line, "ERROR: ")
	if !ok {
		c.crash(line)
		return
	}
	c.last = text.Line(rest, keptLine)
	if strings.HasPrefix(rest, "Ignored the following ") {
		if len(c.ignored) < keptCauses {
			c.ignored = append(c.ignored, text.Line(rest, 4*keptLine))
		}
		return
	}
	if m := noneRE.FindStringSubmatch(rest); m != nil {
		c.verdicts = verdicts{missing: &missing{requirement: text.Line(m[1], 200), by: text.Line(m[2], 100), versions: m[3]}}
		return
	}
	if m := cannotRE.FindStringSubmatch(rest); m != nil {
		c.verdicts = verdicts{conflict: &conflict{packages: text.Line(m[1], 300)}}
		return
	}
	if name, ok := strings.CutPrefix(rest, "Failed building wheel for "); ok {
		c.verdicts = verdicts{built: true, build: text.Line(name, 100)}
		return
	}
	if strings.HasPrefix(rest, "THESE PACKAGES DO NOT MATCH THE HASHES") {
		c.verdicts, c.in = verdicts{mismatch: []string{}}, inMismatch
		return
	}
	c.rare(rest)
}

// rare notes failures that pip tells in one line.
func (c *classifier) rare(rest string) {
	var f *failure.Failure
	if m := otherPyRE.FindStringSubmatch(rest); m != nil {
		f = failure.New(failure.PackageConflict, "Package %q requires Python %s, and the base image has %s", m[1], m[3], m[2])
	} else if m := httpRE.FindStringSubmatch(rest); m != nil {
		f = failure.New(failure.PackageIndexUnavailable, "The package index answered with status %s for %s", m[1], m[2])
	} else if requirement, ok := strings.CutPrefix(rest, "Invalid requirement: "); ok {
		f = failure.New(failure.UnsupportedFile, "%s is no requirement that pip understands", lineRE.ReplaceAllString(requirement, ""))
	} else if why, ok := strings.CutPrefix(rest, "Could not install packages due to an OSError: "); ok {
		c.crash("OSError: " + why)
		return
	} else if strings.HasPrefix(rest, "Double requirement given: ") {
		f = failure.New(failure.PackageConflict, "%s", rest)
	}
	if f != nil {
		c.verdicts = verdicts{other: f}
	}
}

// crash notes the errors of the system, which pip passes on or ends with.
func (c *classifier) crash(line string) {
	kind, why, ok := strings.Cut(line, ": ")
	if !ok || !strings.HasSuffix(kind, "Error") || strings.Contains(kind, " ") {
		if strings.HasSuffix(line, ": No module named pip") || strings.HasPrefix(line, "error: externally-managed-environment") {
			c.verdicts = verdicts{other: failure.New(failure.ImageInvalid, "The base image's Python does not install packages: %s", line)}
		} else if strings.HasPrefix(line, "error: resolution-too-deep") {
			c.verdicts = verdicts{other: failure.New(failure.PackageConflict, "No set of versions was found that fits together: there are too many possibilities, closer versions would help")}
		}
		return
	}
	if c.last = text.Line(line, keptLine); networkRE.MatchString(line) {
		c.verdicts = verdicts{other: failure.New(failure.PackageIndexUnavailable, "The package index cannot be asked: %s", plain(why))}
		return
	}
	m := errnoRE.FindStringSubmatch(why)
	if m == nil {
		return
	}
	switch m[1] {
	case "13", "30":
		c.verdicts = verdicts{other: failure.New(failure.ImageInvalid, "The base image does not let its users install packages: %s: %s", strings.TrimSpace(m[2]), m[3])}
	case "28", "122":
		c.verdicts = verdicts{other: failure.New(failure.BuildFailed, "There is not enough disk space to install the packages")}
	}
}
