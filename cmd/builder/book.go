package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/meteor-zone/meteor-operator/internal/book"
	"github.com/meteor-zone/meteor-operator/internal/failure"
	"github.com/meteor-zone/meteor-operator/internal/git"
	"github.com/meteor-zone/meteor-operator/internal/place"
	"github.com/meteor-zone/meteor-operator/internal/repository"
)

// maxBookReport bounds what the untrusted step tells of the book.
const maxBookReport = 1 << 10

func (f *gitFlags) options() git.Options {
	if *f.secretName == noSecret {
		*f.secretName = ""
	}
	return git.Options{
		URL: *f.url, Ref: *f.ref, Secret: *f.secret, SecretName: *f.secretName, CA: *f.ca, Scratch: *f.scratch, Timeout: *f.timeout,
	}
}

// runFindCommit tells what a branch or tag stands for now.
func runFindCommit(ctx context.Context, e *env) error {
	e.resultsFlag()
	f := e.git()
	if err := e.parse(); err != nil {
		return err
	}
	if *f.url == "" {
		return &usageError{errors.New("--url is missing")}
	}
	commit, err := git.Find(ctx, f.options())
	if err != nil {
		return err
	}
	return e.dir().WriteText("commit", commit)
}

// runBookPrepare is the first step of a book's build, and the only one that has credentials for the repository.
func runBookPrepare(ctx context.Context, e *env) error {
	e.resultsFlag()
	f := e.git()
	to := e.flags.String("to", "", "path of the copy of this program")
	source := e.flags.String("source", "", "empty folder for the repository")
	commit := e.flags.String("commit-file", "", "the file to leave the commit in, which later steps can only read")
	if err := e.parse(); err != nil {
		return err
	}
	if *f.url == "" || *to == "" || *source == "" || *commit == "" {
		return &usageError{errors.New("--url, --to, --source or --commit-file is missing")}
	}
	if err := place.Self(*to); err != nil {
		return err
	}
	got, err := git.Clone(ctx, *source, f.options())
	if err != nil {
		return err
	}
	if err := os.WriteFile(*commit, []byte(got.Commit), 0o444); err != nil {
		return fmt.Errorf("cannot write commit: %w", err)
	}
	return e.dir().WriteText("commit", got.Commit)
}

// runBookBuild is the step that runs the repository's notebooks, in the image that has the tools.
func runBookBuild(ctx context.Context, e *env) error {
	e.resultsFlag()
	// What the first step found out is told again by the last.
	e.kept = []string{}
	url := e.flags.String("url", "", "the repository, after which a book without a title is called")
	o := book.Options{Output: os.Stdout}
	e.flags.StringVar(&o.Source, "source", "", "folder of the repository")
	e.flags.StringVar(&o.Work, "work", "", "folder for everything in between")
	e.flags.StringVar(&o.Python, "python", "python3", "the image's Python")
	out := e.flags.String("layer", "", "the file that the site is left in")
	told := e.flags.String("report", "", "the file that says what it was built with")
	if err := e.parse(); err != nil {
		return err
	}
	if o.Source == "" || o.Work == "" || *out == "" || *told == "" {
		return &usageError{errors.New("--source, --work, --layer or --report is missing")}
	}
	o.Name = repository.NameOf(*url)
	html, report, err := book.Build(ctx, o)
	if err != nil {
		return err
	}
	data, err := json.Marshal(report)
	if err != nil {
		return fmt.Errorf("cannot encode report: %w", err)
	}
	if err := os.WriteFile(*told, data, 0o644); err != nil {
		return fmt.Errorf("cannot write report: %w", err)
	}
	return book.Pack(*out, html, filepath.Join(o.Work, "root"))
}

// readSite checks the site that an untrusted step left, and returns what there is to tell of it.
func readSite(layerFile, reportFile string) (*book.Report, error) {
	f, err := openPlain(layerFile)
	if err != nil {
		return nil, failure.New(failure.UnsupportedFile, "The site that the build left cannot be read: %s", err)
	}
	counted, err := book.Check(f)
	if err = errors.Join(err, f.Close()); err != nil {
		return nil, err
	}
	f, err = openPlain(reportFile)
	if err != nil {
		return nil, failure.New(failure.UnsupportedFile, "The report that the build left cannot be read: %s", err)
	}
	data, err := io.ReadAll(io.LimitReader(f, maxBookReport+1))
	if err = errors.Join(err, f.Close()); err != nil {
		return nil, fmt.Errorf("cannot read report: %w", err)
	}
	claimed, err := book.ParseReport(data)
	if err != nil {
		return nil, failure.New(failure.UnsupportedFile, "The report that the build left cannot be used: %s", err)
	}
	counted.Tool = claimed.Tool
	return counted, nil
}
