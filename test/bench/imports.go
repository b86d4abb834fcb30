package main

import (
	"context"
	"fmt"
	"os"
	"time"

	"github.com/meteor-zone/meteor-operator/apis/v1alpha1"
	"github.com/meteor-zone/meteor-operator/test/bench/internal/auditlog"
	"github.com/meteor-zone/meteor-operator/test/bench/internal/figures"
)

// importWithin is how long an import may take before something is wrong.
const importWithin = 5 * time.Minute

// imports times imports, one after the other, in a namespace that has its pipelines, on a node that has the image. What
// the last of them had the manager ask of the API server is counted.
func (b *bench) imports(ctx context.Context, n int) error {
	namespace, remove, err := b.namespace(ctx)
	if err != nil {
		return err
	}
	defer remove()
	fmt.Fprintln(os.Stderr, "Importing, to warm up")
	if _, err := b.timeImport(ctx, namespace, "warm"); err != nil {
		return err
	}
	var took []time.Duration
	var from auditlog.Mark
	for i := range n {
		if err := pause(ctx, settle); err != nil {
			return err
		}
		if from, err = auditlog.End(b.audit.file); err != nil {
			return err
		}
		d, err := b.timeImport(ctx, namespace, fmt.Sprintf("import-%d", i))
		if err != nil {
			return err
		}
		fmt.Fprintf(os.Stderr, "Import %d of %d took %s\n", i+1, n, d.Round(10*time.Millisecond))
		took = append(took, d)
	}
	b.seconds("warm_import_create_to_ready_median", percentile(took, 50), 10)
	b.seconds("warm_import_create_to_ready_slowest", percentile(took, 100), figures.NoBar)
	if err := pause(ctx, settle); err != nil {
		return err
	}
	all, err := b.audit.since(from)
	if err != nil {
		return err
	}
	all = concerning(all, namespace)
	tell("What the manager asked of the API server for one import", all)
	b.count("import_writes", countOf(all, groupWrite), 4)
	b.count("import_live_reads", countOf(all, groupRead), 0)
	b.count("import_imagestream_writes", countOf(all, groupStream), figures.NoBar)
	b.count("import_event_writes", countOf(all, groupEvent), figures.NoBar)
	return nil
}

// timeImport creates an object and waits until it is Ready.
func (b *bench) timeImport(ctx context.Context, namespace, name string) (time.Duration, error) {
	ctx, cancel := context.WithTimeout(ctx, importWithin)
	defer cancel()
	obj := b.newImport(namespace, name)
	begin := time.Now()
	if err := b.Client.Create(ctx, obj); err != nil {
		return 0, fmt.Errorf("cannot create %s: %w", name, err)
	}
	err := b.awaitPhase(ctx, obj, v1alpha1.PhaseReady)
	return time.Since(begin), err
}
