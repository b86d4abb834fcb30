package main

import "context"

// timings is the result in which installing says how long its parts took.
const timings = "timings"

func runResolve(ctx context.Context, e *env) error {
	e.resultsFlag()
	e.kept = []string{}
	i := e.installer()
	var requirements []string
	e.list(&requirements, "requirements", "a file of requirements; can be repeated")
	if err := e.parse(); err != nil {
		return err
	}
	if err := i.setUp(ctx); err != nil {
		return err
	}
	return i.resolve(ctx, requirements)
}

func runInstall(ctx context.Context, e *env) error {
	e.resultsFlag()
	e.kept = []string{timings}
	i := e.installer()
	out := e.flags.String("layer", "", "the file that the layer is written to, outside the image")
	root := e.flags.String("root", "/", "the root of the image")
	if err := e.parse(); err != nil {
		return err
	}
	if err := i.setUp(ctx); err != nil {
		return err
	}
	report, err := i.install(ctx, *root, *out)
	if err != nil {
		return err
	}
	return e.dir().WriteJSON(timings, report)
}
