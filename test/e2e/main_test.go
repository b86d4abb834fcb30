//go:build e2e

package e2e

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/meteor-zone/meteor-operator/apis/v1alpha1"
	"github.com/meteor-zone/meteor-operator/hack/operator"
	"github.com/meteor-zone/meteor-operator/test/rights"
)

const (
	// together is how many cases run at a time. They mostly wait.
	together = "6"
	// patience is how long anything may take that a case waits for.
	patience = 8 * time.Minute
	// startupTimeout is how long notebooks may take to answer. jupyter-slow takes 20 seconds on an idle machine.
	startupTimeout = time.Minute
)

// on is the cluster that all cases share.
var on *operator.Cluster

// began is since when the operator is there that the cases look at.
var began time.Time

func TestMain(m *testing.M) {
	flag.Parse()
	if err := prepare(context.Background()); err != nil {
		fmt.Fprintln(os.Stderr, "e2e:", err)
		os.Exit(1)
	}
	os.Exit(m.Run())
}

func prepare(ctx context.Context) error {
	if err := flag.Set("test.parallel", together); err != nil {
		return err
	}
	var err error
	if on, err = operator.Connect(ctx, os.Stderr); err != nil {
		return err
	}
	if on.Local == nil {
		return nil
	}
	if err := on.Deploy(ctx, ""); err != nil {
		return err
	}
	began = time.Now()
	return configure(ctx)
}

// configure makes the CNBiConfig as the cases want it.
func configure(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	err := operator.Await(ctx, on.Client, func(l *v1alpha1.CNBiConfigList) (bool, error) {
		if len(l.Items) == 0 {
			return false, nil
		}
		before := l.Items[0].DeepCopy()
		l.Items[0].Spec.Validation.StartupTimeout = &metav1.Duration{Duration: startupTimeout}
		l.Items[0].Spec.Build.Concurrency = concurrency
		return true, on.Client.Patch(ctx, &l.Items[0], client.MergeFrom(before))
	})
	return errors.Join(err, on.Configure(ctx))
}

// testCase is one story.
type testCase struct {
	name string
	// local is set when only the local cluster can be treated like that.
	local bool
	run   func(t *testing.T)
}

// TestTogether has the cases that leave each other alone.
func TestTogether(t *testing.T) {
	for _, c := range here(t, quietCases()) {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			c.run(t)
		})
	}
}

// TestAlone has the cases that disturb the cluster, one after the other.
func TestAlone(t *testing.T) {
	for _, c := range here(t, disturbingCases()) {
		t.Run(c.name, c.run)
	}
}

// TestRights compares what the manager may do with what the cases have had it do, so it comes after them.
func TestRights(t *testing.T) {
	if on.Local == nil {
		t.Log("not compared on a cluster that KUBECONFIG names: who asked for what is not known there")
		return
	}
	for _, name := range []string{"test.run", "test.skip"} {
		if pattern := flag.Lookup(name).Value.String(); pattern != "" {
			t.Logf("not compared, since not all cases have run: -%s is %q", name, pattern)
			return
		}
	}
	faults, err := rights.Compare(on.Local.AuditLog, filepath.Join("..", "..", "config", "rbac"), began)
	must(t, err)
	for _, fault := range faults {
		t.Errorf("the manager's rights: %s", fault)
	}
}

// here leaves out what the cluster at hand is not for, and says so.
func here(t *testing.T, cases []testCase) []testCase {
	t.Helper()
	var out []testCase
	for _, c := range cases {
		if c.local && on.Local == nil {
			t.Logf("not run on a cluster that KUBECONFIG names: %s", c.name)
			continue
		}
		out = append(out, c)
	}
	return out
}

func quietCases() []testCase {
	return []testCase{
		{name: "good day", run: goodDay},
		{name: "slow to start", run: slowToStart},
		{name: "image does not exist", run: imageDoesNotExist},
		{name: "image has a flaw", run: flawedImages},
		{name: "notebook needs memory", run: notebookNeedsMemory},
		{name: "private registry", local: true, run: privateRegistry},
		{name: "secret comes later", local: true, run: secretComesLater},
		{name: "hostile text", run: hostileText},
		{name: "refused at once", run: refusedAtOnce},
		{name: "edits", run: edits},
		{name: "edited and taken back", run: editedAndTakenBack},
		{name: "suspended", run: suspended},
		{name: "run loses its label", run: runLosesItsLabel},
		{name: "stream of somebody else", local: true, run: foreignStream},
		{name: "admin edits the stream", local: true, run: adminEditsStream},
		{name: "deleted while it builds", run: deletedWhileBuilding},
		{name: "metrics", local: true, run: metricsEndpoint},
		{name: "packages, good day", local: true, run: packagesGoodDay},
		{name: "packages, same inputs", local: true, run: sameInputs},
		{name: "packages that cannot be had", local: true, run: badPackages},
		{name: "packages that are hostile", local: true, run: hostilePackage},
		{name: "packages that are greedy", local: true, run: greedyPackages},
		{name: "packages, two hundred", local: true, run: manyPackages},
		{name: "unknown runtime environment", local: true, run: unknownEnvironment},
		{name: "build takes too long", local: true, run: slowBuild},
		{name: "rebuilt on demand", local: true, run: rebuilt},
		{name: "edited while it builds", local: true, run: editedWhileBuilding},
		{name: "cancelled", local: true, run: cancelled},
		{name: "queue", local: true, run: queued},
		{name: "repository, good day", local: true, run: repositoryGoodDay},
		{name: "repositories of all kinds", local: true, run: repositoriesOfAllKinds},
		{name: "repositories that cannot be built", local: true, run: badRepositoriesAreTold},
		{name: "repository is private", local: true, run: privateRepository},
		{name: "repository is hostile", local: true, run: hostileRepository},
		{name: "Containerfiles", local: true, run: containerfiles},
		{name: "Containerfile under restricted", local: true, run: containerfileRefused},
		{name: "Meteor, good day", local: true, run: meteorGoodDay},
		{name: "Meteors that go wrong", local: true, run: meteorBadDays},
		{name: "Meteor is edited", local: true, run: meteorEdits},
		{name: "Meteors end", local: true, run: meteorEnds},
		{name: "Meteor with another tool's pipeline", local: true, run: meteorForeign},
	}
}

func disturbingCases() []testCase {
	return []testCase{
		{name: "registry is down", local: true, run: registryDown},
		{name: "Tekton sets no security contexts", local: true, run: noSecurityContexts},
		{name: "operator is killed", local: true, run: operatorKilled},
		{name: "CNBiConfig is deleted", local: true, run: configDeleted},
		{name: "everything is deleted while the operator is away", local: true, run: deletedWhileAway},
		{name: "ImageStreams go and come back", local: true, run: streamsGo},
		{name: "index and git server are down", local: true, run: indexAndGitDown},
		{name: "push is interrupted", local: true, run: pushInterrupted},
		{name: "registry and index want credentials", local: true, run: credentials},
		{name: "Meteor ends while the operator is away", local: true, run: meteorEndsWhileAway},
		{name: "Meteor is reached from outside, and shrinks", local: true, run: meteorShrinks},
		{name: "pipelines are taken away and brought back", local: true, run: pipelinesTaken},
		{name: "what is installed is damaged", local: true, run: drift},
		{name: "task of somebody else", local: true, run: foreignTask},
		{name: "namespaces are selected", local: true, run: selected},
		{name: "credentials and authorities are copied", local: true, run: copies},
		{name: "images go to OpenShift's registry", local: true, run: internalRegistry},
	}
}
