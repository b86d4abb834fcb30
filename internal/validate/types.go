package validate

import "time"

// Bounds for what is read from other processes.
const (
	MaxLookBytes     = 8 << 10
	MaxChecksBytes   = 8 << 10
	MaxProbeBytes    = 1 << 10
	maxSoftware      = 32
	maxPackages      = 2000
	maxPackagesTotal = 100_000
	maxChecks        = 16
	maxName          = 100
	maxVersion       = 64
	maxPath          = 200
	maxMessage       = 300
)

// Check names one thing that a notebook image has to satisfy.
type Check string

// The checks, in the order in which they are reported.
const (
	CheckLook          Check = "look"
	CheckPython        Check = "python"
	CheckPip           Check = "pip"
	CheckPythonVersion Check = "python-version"
	CheckJupyter       Check = "jupyter"
	CheckHome          Check = "home"
	CheckStartup       Check = "startup"
)

// AllChecks lists every check that there is.
func AllChecks() []Check {
	return []Check{CheckLook, CheckPython, CheckPip, CheckPythonVersion, CheckJupyter, CheckHome, CheckStartup}
}

// Severity says what a failed check means.
type Severity string

// An error keeps an image from being offered, a warning is only told.
const (
	SeverityError   Severity = "error"
	SeverityWarning Severity = "warning"
)

// Finding is a check that failed.
type Finding struct {
	Check    Check    `json:"check"`
	Severity Severity `json:"severity"`
	Message  string   `json:"message"`
}

// Package is a piece of software with its version, in the shape that notebook image annotations have.
type Package struct {
	Name    string `json:"name"`
	Version string `json:"version"`
}

// Home is what $HOME is inside the image, under the user that notebooks run as.
type Home struct {
	Path     string `json:"path"`
	Writable bool   `json:"writable"`
}

// Look is what an image says of itself from inside. It is a claim: the process that makes it is the image's own.
type Look struct {
	// Python is the version of the image's Python; empty if none was found or it did not answer.
	Python string `json:"python,omitempty"`
	// Problem says why Python could not be asked, when there is one.
	Problem string `json:"problem,omitempty"`
	// Pip is pip's version, "unknown" if it is there but does not say; empty if it was not found.
	Pip string `json:"pip,omitempty"`
	// Home is $HOME.
	Home Home `json:"home"`
	// Software is what a person choosing an image wants to know, best known first.
	Software []Package `json:"software,omitempty"`
	// Packages is the list of installed packages as PackPackages makes it.
	Packages string `json:"packages,omitempty"`
	// PackagesTotal counts the packages that there are, which may be more than fit into Packages.
	PackagesTotal int `json:"packagesTotal"`
}

// HasJupyter says whether one of the packages that can serve notebooks was found.
func (l *Look) HasJupyter() bool {
	for _, s := range l.Software {
		switch s.Name {
		case "JupyterLab", "Notebook", "Jupyter Server":
			return true
		}
	}
	return false
}

// Outcome says how the look from outside ended.
type Outcome string

// The ways in which the look from outside can end.
const (
	// OutcomeOK means that the notebook answered under its prefix and went on answering.
	OutcomeOK Outcome = "ok"
	// OutcomeTimeout means that nothing ever answered.
	OutcomeTimeout Outcome = "timeout"
	// OutcomeNotHTTP means that something accepts connections and does not speak HTTP in time.
	OutcomeNotHTTP Outcome = "not-http"
	// OutcomeWrongPrefix means that the notebook answers, but not under its prefix.
	OutcomeWrongPrefix Outcome = "wrong-prefix"
	// OutcomeBadStatus means that the notebook answers under its prefix with a status other than 200.
	OutcomeBadStatus Outcome = "bad-status"
	// OutcomeGone means that the notebook answered and then stopped answering.
	OutcomeGone Outcome = "gone"
)

// Probe is what the look from outside saw.
type Probe struct {
	// Outcome sums it up.
	Outcome Outcome `json:"outcome"`
	// Status is the last HTTP status under the prefix; 0 if there was none.
	Status int `json:"status"`
	// Seconds is the time from the first attempt to the first good answer, or to giving up.
	Seconds float64 `json:"seconds"`
	// Attempts counts the requests made.
	Attempts int `json:"attempts"`
}

// Elapsed is Seconds as a duration.
func (p *Probe) Elapsed() time.Duration {
	return time.Duration(p.Seconds * float64(time.Second))
}
