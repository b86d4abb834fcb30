// Package hostile holds a program that behaves as badly as a package's or a
// repository's author can: it reads what is not its business, writes where it
// should not, and tells what it got.
package hostile

import _ "embed"

// Program is the program, in Python. Each line that it prints begins with
// Marker, and what it prints it also writes into the image.
//
//go:embed hostile.py
var Program []byte

// Marker begins each line of what the program tells.
const Marker = "METEOR-HOSTILE"
