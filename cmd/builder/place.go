package main

import (
	"context"
	"errors"

	"github.com/meteor-zone/meteor-operator/internal/place"
)

func runPlace(_ context.Context, e *env) error {
	to := e.flags.String("to", "", "path of the copy")
	if err := e.parse(); err != nil {
		return err
	}
	if *to == "" {
		return &usageError{errors.New("--to is missing")}
	}
	return place.Self(*to)
}
