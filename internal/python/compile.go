package python

import _ "embed"

//go:embed compile.py
var compileScript string

// CompileArgs are python's arguments for compiling the packages of a lock that were installed without: pip compiles
// one file after the other, which takes longer than all the rest where there are many.
func CompileArgs(lock string) []string {
	return []string{"-c", compileScript, lock}
}
