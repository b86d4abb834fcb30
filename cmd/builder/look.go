package main

import (
	"context"

	"github.com/meteor-zone/meteor-operator/internal/look"
	"github.com/meteor-zone/meteor-operator/internal/results"
)

// runLook fails only when it cannot hand over what it saw: judging that is for the step that is trusted.
func runLook(ctx context.Context, e *env) error {
	dir := e.resultsFlag()
	if err := e.parse(); err != nil {
		return err
	}
	return results.Dir(*dir).WriteJSON("look", look.Gather(ctx))
}
