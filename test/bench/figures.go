package main

import (
	"fmt"
	"os"
	"slices"
	"strconv"
	"time"
)

// figure is what was measured.
type figure struct {
	name  string
	value float64
	unit  string
	// bar is the most that it may be, or the least; without one it is negative.
	bar   float64
	least bool
}

// noBar is for figures that are told only.
const noBar = -1

// String implements fmt.Stringer.
func (f figure) String() string {
	kind, bar := "max", "-"
	if f.least {
		kind = "min"
	}
	if f.bar >= 0 {
		bar = strconv.FormatFloat(f.bar, 'f', -1, 64)
	}
	return fmt.Sprintf("figure %s %s %s %s %s", f.name, strconv.FormatFloat(f.value, 'f', -1, 64), f.unit, kind, bar)
}

// missed tells whether the figure misses its bar.
func (f figure) missed() bool {
	if f.least {
		return f.value < f.bar
	}
	return f.bar >= 0 && f.value > f.bar
}

func (b *bench) count(name string, n int, bar float64) {
	b.add(figure{name: name, value: float64(n), unit: "requests", bar: bar})
}

func (b *bench) seconds(name string, d time.Duration, bar float64) {
	b.add(figure{name: name, value: d.Round(time.Millisecond).Seconds(), unit: "s", bar: bar})
}

func (b *bench) atLeast(name string, value float64, unit string, bar float64) {
	b.add(figure{name: name, value: value, unit: unit, bar: bar, least: true})
}

func (b *bench) add(f figure) {
	b.figures = append(b.figures, f)
	if f.missed() {
		fmt.Fprintln(os.Stderr, "Misses the bar:", f)
	}
}

// percentile is by nearest rank.
func percentile(all []time.Duration, p int) time.Duration {
	sorted := slices.Sorted(slices.Values(all))
	rank := (len(sorted)*p + 99) / 100
	return sorted[max(rank, 1)-1]
}
