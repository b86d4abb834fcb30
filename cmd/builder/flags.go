package main

import (
	"errors"
	"flag"
	"fmt"
	"slices"
	"strings"
)

// list declares a flag that can be repeated. Empty values, as unset params of a pipeline give them, are left out.
func (e *env) list(into *[]string, name, usage string) {
	e.flags.Func(name, usage, func(value string) error {
		if value != "" {
			*into = append(*into, value)
		}
		return nil
	})
}

// array declares a flag whose values are all arguments up to the next that begins with two dashes, as a pipeline's
// array param gives them.
func (e *env) array(into *[]string, name, usage string) {
	if e.lists == nil {
		e.lists = map[string]*[]string{}
	}
	e.lists[name] = into
	// Declared for the sake of the list of flags; takeArrays has its values before they get here.
	e.flags.Bool(name, false, usage+"; all arguments up to the next flag")
}

// takeArrays reads the arrays and returns the other arguments.
func (e *env) takeArrays() []string {
	var others []string
	var into *[]string
	for i, arg := range e.args {
		if arg == "--" {
			return append(others, e.args[i:]...)
		}
		if name, ok := strings.CutPrefix(arg, "--"); ok {
			if into = e.lists[name]; into == nil {
				others = append(others, arg)
			}
			continue
		}
		switch {
		case into == nil:
			others = append(others, arg)
		case arg != "":
			*into = append(*into, arg)
		}
	}
	return others
}

// parse reads the flags, which are all that there may be.
func (e *env) parse() error {
	if err := e.parseWithRest(); err != nil {
		return err
	}
	if len(e.rest) > 0 {
		return &usageError{fmt.Errorf("unexpected argument %q", e.rest[0])}
	}
	return nil
}

// parseWithRest reads the flags and keeps what follows a double dash.
func (e *env) parseWithRest() error {
	if err := e.flags.Parse(e.takeArrays()); err != nil {
		if errors.Is(err, flag.ErrHelp) {
			return err
		}
		return &usageError{err}
	}
	e.rest = e.flags.Args()
	if len(e.rest) > 0 && !slices.Contains(e.args, "--") {
		return &usageError{fmt.Errorf("unexpected argument %q", e.rest[0])}
	}
	return nil
}
