package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"

	"github.com/meteor-zone/meteor-operator/internal/place"
	"github.com/meteor-zone/meteor-operator/internal/python"
)

// runPrepare is the first step of a build from a list of packages. What it writes, later steps can only read.
func runPrepare(_ context.Context, e *env) error {
	e.resultsFlag()
	to := e.flags.String("to", "", "path of the copy of this program")
	file := e.flags.String("requirements", "", "file that the packages are written to, of which each is an argument after a double dash")
	if err := e.parseWithRest(); err != nil {
		return err
	}
	if *to == "" || *file == "" {
		return &usageError{errors.New("--to or --requirements is missing")}
	}
	var list bytes.Buffer
	if err := python.WriteRequirements(&list, e.rest); err != nil {
		return err
	}
	if err := os.WriteFile(*file, list.Bytes(), 0o444); err != nil {
		return fmt.Errorf("cannot write requirements: %w", err)
	}
	return place.Self(*to)
}
