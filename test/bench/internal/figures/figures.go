// Package figures is how benches tell what they have measured, a line each:
//
//	figure NAME VALUE UNIT max|min BAR
//
// where BAR is - for a figure that has none.
package figures

import (
	"fmt"
	"math"
	"strconv"
)

// NoBar is for figures that are told only.
const NoBar = -1

// Figure is what was measured.
type Figure struct {
	Name  string
	Value float64
	Unit  string
	// Bar is the most that it may be, or the least; without one it is negative.
	Bar   float64
	Least bool
}

// String implements fmt.Stringer. What cannot have been measured more closely is rounded to three digits behind the
// point; whether the bar is missed does not depend on it.
func (f Figure) String() string {
	kind, bar := "max", "-"
	if f.Least {
		kind = "min"
	}
	if f.Bar >= 0 {
		bar = strconv.FormatFloat(f.Bar, 'f', -1, 64)
	}
	value := strconv.FormatFloat(math.Round(f.Value*1000)/1000, 'f', -1, 64)
	return fmt.Sprintf("figure %s %s %s %s %s", f.Name, value, f.Unit, kind, bar)
}

// Missed tells whether the figure misses its bar.
func (f Figure) Missed() bool {
	if f.Least {
		return f.Value < f.Bar
	}
	return f.Bar >= 0 && f.Value > f.Bar
}
