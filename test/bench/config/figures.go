package main

import (
	"fmt"
	"strconv"
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
