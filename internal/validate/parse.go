package validate

import (
	"encoding/json"
	"fmt"
	"math"
	"regexp"
	"slices"

	"github.com/meteor-zone/meteor-operator/internal/text"
)

var (
	distributionName = regexp.MustCompile(`^[A-Za-z0-9]([A-Za-z0-9._-]{0,98}[A-Za-z0-9])?$`)
	softwareName     = regexp.MustCompile(`^[A-Za-z0-9]([A-Za-z0-9 ._+-]{0,98}[A-Za-z0-9])?$`)
	versionShape     = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9.!+_~-]{0,63}$`)
)

// ParseLook reads what the step in the image left. Whatever does not have the shape of a name, a version or a
// path is left out or made harmless; only what cannot be read at all is an error.
func ParseLook(data []byte) (*Look, error) {
	if len(data) > MaxLookBytes {
		return nil, fmt.Errorf("cannot parse look: %d bytes are more than %d", len(data), MaxLookBytes)
	}
	var raw Look
	if err := json.Unmarshal(data, &raw); err != nil {
		return nil, fmt.Errorf("cannot parse look: %w", err)
	}
	look := &Look{
		Python:        version(raw.Python),
		Problem:       text.Line(raw.Problem, maxMessage),
		Pip:           version(raw.Pip),
		Home:          Home{Path: text.Line(raw.Home.Path, maxPath), Writable: raw.Home.Writable},
		PackagesTotal: min(max(raw.PackagesTotal, 0), maxPackagesTotal),
	}
	for _, s := range raw.Software {
		if len(look.Software) < maxSoftware && softwareName.MatchString(s.Name) && versionShape.MatchString(s.Version) {
			look.Software = append(look.Software, s)
		}
	}
	if packages, err := UnpackPackages(raw.Packages); err == nil {
		look.Packages = raw.Packages
		look.PackagesTotal = max(look.PackagesTotal, len(packages))
	}
	return look, nil
}

// ParseChecks reads the failed checks as the probing step wrote them.
func ParseChecks(data []byte) ([]Finding, error) {
	if len(data) > MaxChecksBytes {
		return nil, fmt.Errorf("cannot parse checks: %d bytes are more than %d", len(data), MaxChecksBytes)
	}
	var raw []Finding
	if err := json.Unmarshal(data, &raw); err != nil {
		return nil, fmt.Errorf("cannot parse checks: %w", err)
	}
	if len(raw) > maxChecks {
		return nil, fmt.Errorf("cannot parse checks: %d are more than %d", len(raw), maxChecks)
	}
	findings := make([]Finding, 0, len(raw))
	for _, f := range raw {
		if !slices.Contains(AllChecks(), f.Check) {
			return nil, fmt.Errorf("cannot parse checks: there is no check %q", text.Line(string(f.Check), maxName))
		}
		if f.Severity != SeverityWarning {
			f.Severity = SeverityError
		}
		f.Message = text.Line(f.Message, maxMessage)
		findings = append(findings, f)
	}
	return findings, nil
}

// ParseProbe reads what the probing step saw.
func ParseProbe(data []byte) (*Probe, error) {
	if len(data) > MaxProbeBytes {
		return nil, fmt.Errorf("cannot parse probe: %d bytes are more than %d", len(data), MaxProbeBytes)
	}
	var p Probe
	if err := json.Unmarshal(data, &p); err != nil {
		return nil, fmt.Errorf("cannot parse probe: %w", err)
	}
	switch p.Outcome {
	case OutcomeOK, OutcomeTimeout, OutcomeNotHTTP, OutcomeWrongPrefix, OutcomeBadStatus, OutcomeGone:
	default:
		return nil, fmt.Errorf("cannot parse probe: unknown outcome %q", text.Line(string(p.Outcome), maxName))
	}
	p.Status = min(max(p.Status, 0), 999)
	p.Seconds = math.Min(math.Max(p.Seconds, 0), 86_400)
	p.Attempts = max(p.Attempts, 0)
	return &p, nil
}

// ValidPackage says whether p has the shape of an installed distribution.
func ValidPackage(p Package) bool {
	return distributionName.MatchString(p.Name) && versionShape.MatchString(p.Version)
}

func version(s string) string {
	if !versionShape.MatchString(s) {
		return ""
	}
	return s
}
