package book

import (
	"net/url"
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"syscall"

	"github.com/meteor-zone/meteor-operator/internal/failure"
	"github.com/meteor-zone/meteor-operator/internal/text"
)

// What the tools print about a notebook that could not be run.
var (
	colours = regexp.MustCompile("\x1b\\[[0-9;]*[A-Za-z]")
	// nbsphinx: "CellExecutionError in path.ipynb:"; MyST-NB and Jupyter Book: "path.ipynb: WARNING: Executing notebook
	// failed: CellExecutionError"; nbconvert: "Converting notebook path.ipynb to html".
	notebookNames = []*regexp.Regexp{
		regexp.MustCompile(`(?:CellExecutionError|CellTimeoutError|NotebookError|DeadKernelError|NoSuchKernel)(?:: \w+)? in (\S.*\.ipynb)`),
		regexp.MustCompile(`(\S+\.ipynb):? WARNING: Executing notebook failed`),
		regexp.MustCompile(`Converting notebook (.*\.ipynb) to html`),
	}
	executionFailed = regexp.MustCompile(`CellExecutionError|CellTimeoutError|DeadKernelError|NoSuchKernel|Executing notebook failed`)
	// A Python exception as the last line of its traceback has it.
	exception = regexp.MustCompile(`^(?:[A-Za-z_][\w.]*\.)?([A-Z]\w*(?:Error|Exception|Interrupt|Exit|Warning|Iteration|NoSuchKernel)|NoSuchKernel)(?:: (.*))?$`)
	// sphinxError is how Sphinx ends.
	sphinxError = regexp.MustCompile(`(?m)^(?:(?:Extension|Configuration|Theme|Application|Handler|Sphinx|Notebook) error.*|Exception occurred:|Error: .*)$`)
)

// classify says why a tool failed, in the words that matter of what it printed.
func (m *maker) classify(exit *exec.ExitError) error {
	if status, ok := exit.Sys().(syscall.WaitStatus); ok && status.Signaled() && status.Signal() == syscall.SIGKILL {
		return failure.New(failure.BuildFailed, "The build of the book was killed, which happens when all memory of the build is used up")
	}
	if err := m.failedNotebook(); err != nil {
		return err
	}
	log := colours.ReplaceAllString(m.log.String(), "")
	lines := significant(log)
	if at := sphinxError.FindStringIndex(log); at != nil {
		lines = significant(log[at[0]:])
		lines = lines[:min(len(lines), 4)]
	}
	return failure.New(failure.BuildFailed, "The book could not be built: %s", strings.Join(lines[max(0, len(lines)-4):], "; "))
}

// failedNotebook finds the notebook whose run failed, and with what; nil if none did.
func (m *maker) failedNotebook() error {
	log := colours.ReplaceAllString(m.log.String(), "")
	at := executionFailed.FindStringIndex(log)
	if at == nil {
		return nil
	}
	name, best := "", -1
	for _, pattern := range notebookNames {
		for _, found := range pattern.FindAllStringSubmatchIndex(log, -1) {
			// The one told of last before the failure, or with it.
			if found[0] <= at[1] && found[0] > best {
				best, name = found[0], log[found[2]:found[3]]
			}
		}
	}
	name = strings.TrimPrefix(name, m.dir+"/")
	cause := "a cell failed"
	if strings.Contains(log[at[0]:at[1]], "Timeout") {
		cause = "a cell took longer than it may; execute.timeout in _config.yml allows more"
	}
	for line := range strings.SplitSeq(log[at[0]:], "\n") {
		found := exception.FindStringSubmatch(strings.TrimSpace(line))
		if found != nil && !strings.HasPrefix(found[1], "Cell") && found[1] != "NotebookError" {
			cause = text.Line(strings.TrimSpace(line), 300)
		}
	}
	if name == "" {
		return failure.New(failure.BuildFailed, "A notebook could not be run: %s", cause)
	}
	return failure.New(failure.BuildFailed, "Notebook %q could not be run: %s", text.Line(name, 200), cause)
}

// significant are the lines that say something.
func significant(log string) []string {
	var lines []string
	for line := range strings.SplitSeq(log, "\n") {
		line = text.Line(line, 300)
		if strings.Trim(line, "-=^~ ") != "" {
			lines = append(lines, line)
		}
	}
	return slices.Compact(lines)
}

// escapePath makes a page's path part of a URL.
func escapePath(page string) string {
	return (&url.URL{Path: page}).EscapedPath()
}
