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
	// max is the bar; without one it is negative.
	max float64
}

// noBar is for figures that are told only.
const noBar = -1

// String implements fmt.Stringer.
func (f figure) String() string {
	bar := "-"
	if f.max >= 0 {
		bar = strconv.FormatFloat(f.max, 'f', -1, 64)
	}
	return fmt.Sprintf("figure %s %s %s max %s", f.name, strconv.FormatFloat(f.value, 'f', -1, 64), f.unit, bar)
}

func (b *bench) count(name string, n int, bar float64) {
	b.add(figure{name, float64(n), "requests", bar})
}

func (b *bench) seconds(name string, d time.Duration, bar float64) {
	b.add(figure{name, d.Round(time.Millisecond).Seconds(), "s", bar})
}

func (b *bench) add(f figure) {
	b.figures = append(b.figures, f)
	if f.max >= 0 && f.value > f.max {
		fmt.Fprintln(os.Stderr, "Over the bar:", f)
	}
}

// percentile is by nearest rank.
func percentile(all []time.Duration, p int) time.Duration {
	sorted := slices.Sorted(slices.Values(all))
	rank := (len(sorted)*p + 99) / 100
	return sorted[max(rank, 1)-1]
}
