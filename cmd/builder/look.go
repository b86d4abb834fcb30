package main

import (
	"context"

	"github.com/meteor-zone/meteor-operator/internal/look"
)

// runLook fails only when it cannot hand over what it saw: judging that is for the step that is trusted.
func runLook(ctx context.Context, e *env) error {
	e.resultsFlag()
	if err := e.parse(); err != nil {
		return err
	}
	return e.dir().WriteJSON("look", look.Gather(ctx))
}
