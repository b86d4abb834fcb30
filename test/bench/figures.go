package main

import (
	"fmt"
	"os"
	"slices"
	"time"

	"github.com/meteor-zone/meteor-operator/test/bench/internal/figures"
)

func (b *bench) count(name string, n int, bar float64) {
	b.add(figures.Figure{Name: name, Value: float64(n), Unit: "requests", Bar: bar})
}

func (b *bench) seconds(name string, d time.Duration, bar float64) {
	b.add(figures.Figure{Name: name, Value: d.Round(time.Millisecond).Seconds(), Unit: "s", Bar: bar})
}

func (b *bench) atLeast(name string, value float64, unit string, bar float64) {
	b.add(figures.Figure{Name: name, Value: value, Unit: unit, Bar: bar, Least: true})
}

func (b *bench) add(f figures.Figure) {
	b.figures = append(b.figures, f)
	if f.Missed() {
		fmt.Fprintln(os.Stderr, "Misses the bar:", f)
	}
}

// percentile is by nearest rank.
func percentile(all []time.Duration, p int) time.Duration {
	sorted := slices.Sorted(slices.Values(all))
	rank := (len(sorted)*p + 99) / 100
	return sorted[max(rank, 1)-1]
}
