package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"
	"time"

	"github.com/meteor-zone/meteor-operator/internal/place"
	"github.com/meteor-zone/meteor-operator/internal/probe"
	"github.com/meteor-zone/meteor-operator/internal/results"
)

const (
	// firstLook is how long placing waits for a notebook that is still starting.
	firstLook = 500 * time.Millisecond
	maxAnswer = 1 << 10
)

func runPlace(ctx context.Context, e *env) error {
	opts := probe.DefaultOptions()
	to := e.flags.String("to", "", "path of the copy")
	answer := e.flags.String("answer", "", "file to note the notebook's first answer in; empty to ask nothing")
	e.flags.StringVar(&opts.Base, "base", opts.Base, "scheme, host and port of the notebook")
	e.flags.StringVar(&opts.Prefix, "prefix", "", "what the notebook serves under ($NB_PREFIX)")
	if err := e.parse(); err != nil {
		return err
	}
	if *to == "" {
		return &usageError{errors.New("--to is missing")}
	}
	if err := place.Self(*to); err != nil {
		return err
	}
	if *answer == "" {
		return nil
	}
	// Most notebooks are up by now, and can be watched while the next step runs.
	opts.Timeout, opts.Request = firstLook, firstLook
	if first := probe.First(ctx, opts); first != nil {
		return fileAt(*answer).write(first)
	}
	return nil
}

// answerFile is where one trusted step tells another of the notebook's first answer: in a volume that no container
// with the image under test can write to.
type answerFile struct {
	dir  results.Dir
	name string
}

func fileAt(path string) answerFile {
	return answerFile{results.Dir(filepath.Dir(path)), filepath.Base(path)}
}

func (f answerFile) write(a *probe.Answer) error {
	return f.dir.WriteJSON(f.name, a)
}

// read returns nil if there was no answer yet.
func (f answerFile) read() (*probe.Answer, error) {
	data, err := f.dir.Read(f.name, maxAnswer)
	if errors.Is(err, results.ErrMissing) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var a probe.Answer
	if err := json.Unmarshal(data, &a); err != nil {
		return nil, fmt.Errorf("cannot read the first answer: %w", err)
	}
	return &a, nil
}
