package cnbiconfig_test

import (
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/meteor-zone/meteor-operator/apis/v1alpha1"
	"github.com/meteor-zone/meteor-operator/controllers/internal/fixture"
	"github.com/meteor-zone/meteor-operator/controllers/internal/testenv"
)

func TestDefaultIsMadeAtStart(t *testing.T) {
	fresh(t)
	_, stop := startManager(t)
	c := configIs(t, "the default is made", condition(v1alpha1.ConditionReady, metav1.ConditionTrue, v1alpha1.ReasonSucceeded))
	if c.Spec.Namespaces.Mode != v1alpha1.NamespacesOnDemand || c.Spec.ManagementState != v1alpha1.StateManaged {
		t.Errorf("the API's defaults are not there: %+v", c.Spec)
	}
	if err := env.Client.Delete(t.Context(), c); err != nil {
		t.Fatal(err)
	}
	testenv.Steady(t, "what an admin deletes stays away", quiet, absent(fixture.Config().Obj()))
	stop()
	startManager(t)
	configIs(t, "the next start makes it again", condition(v1alpha1.ConditionReady, metav1.ConditionTrue, v1alpha1.ReasonSucceeded))
}

func TestOnDemand(t *testing.T) {
	fresh(t)
	used, unused := env.Namespace(t), env.Namespace(t)
	requests, stop := startManager(t)
	configIs(t, "all is well without objects", counted(0, 0, 0))
	if err := empty(used)(); err != nil {
		t.Error(err)
	}
	isQuiet(t, requests)
	newImage(t, used)
	testenv.Eventually(t, "the namespace is installed", installed(used))
	c := configIs(t, "it is counted", counted(1, 0, 0))
	if c.Status.Revision == "" || c.Status.Offers.Tekton != v1alpha1.OfferAvailable || c.Status.ObservedGeneration != c.Generation {
		t.Errorf("status: %+v", c.Status)
	}
	if err := empty(unused)(); err != nil {
		t.Errorf("another namespace was touched: %v", err)
	}
	if n := len(requests.Writes()); n != objects+1 {
		t.Errorf("the objects and one status were to be written, not %v", requests.Writes())
	}

	requests.Reset()
	create(t, fixture.Import(used, "another", "registry.example.com/a/b:2").Obj())
	testenv.Steady(t, "a second object causes no write", quiet, nothingWritten(requests))

	stop()
	requests, _ = startManager(t)
	testenv.Steady(t, "a restart causes no write", quiet, nothingWritten(requests))
}

func TestForeignObjectIsNotTouched(t *testing.T) {
	fresh(t)
	good, bad := env.Namespace(t), env.Namespace(t)
	foreign := &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Namespace: bad, Name: account}}
	create(t, foreign)
	newImage(t, good)
	newImage(t, bad)
	startManager(t)

	c := configIs(t, "the other namespace is installed, this one is named", counted(1, 0, 1))
	msg, ok := failing(c, bad)
	if want := `ServiceAccount "meteor-pipeline" exists and is not the operator's: rename or remove it`; !ok || msg != want {
		t.Errorf("want %q, got %q", want, msg)
	}
	if err := condition(v1alpha1.ConditionReady, metav1.ConditionFalse, v1alpha1.ReasonNamespacesFailing)(c); err != nil {
		t.Error(err)
	}
	if n, err := countOurs(bad); err != nil || n != 4 {
		t.Errorf("what does not need it is installed, the pipelines are not: %d objects, %v", n, err)
	}
	got := &corev1.ServiceAccount{}
	if err := env.Client.Get(t.Context(), client.ObjectKeyFromObject(foreign), got); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(foreign.ResourceVersion, got.ResourceVersion); diff != "" {
		t.Errorf("the foreign object was written to: %s", diff)
	}

	if err := env.Client.Delete(t.Context(), foreign); err != nil {
		t.Fatal(err)
	}
	testenv.Eventually(t, "it goes on by itself", installed(bad))
	configIs(t, "all is well", counted(2, 0, 0))
}

func TestTektonComesAndGoes(t *testing.T) {
	fresh(t)
	env.RemoveTekton(t)
	t.Cleanup(func() { env.InstallTekton(t) })
	ns := env.Namespace(t)
	newImage(t, ns)
	requests, _ := startManager(t)
	for range 2 {
		c := configIs(t, "the absence is told", condition(v1alpha1.ConditionReady, metav1.ConditionFalse, v1alpha1.ReasonTektonUnavailable))
		for _, check := range []func(*v1alpha1.CNBiConfig) error{
			counted(0, 1, 0),
			condition(v1alpha1.ConditionTektonAvailable, metav1.ConditionFalse, v1alpha1.ReasonTektonUnavailable),
		} {
			if err := check(c); err != nil {
				t.Error(err)
			}
		}
		isQuiet(t, requests)
		testenv.Steady(t, "nothing is written meanwhile", quiet, nothingWritten(requests))
		env.InstallTekton(t)
		testenv.Eventually(t, "it goes on by itself", installed(ns))
		configIs(t, "all is well", counted(1, 0, 0))
		env.RemoveTekton(t)
	}
}

func TestImageStreamsAreNoticed(t *testing.T) {
	fresh(t)
	env.InstallImageStreams(t)
	t.Cleanup(func() { env.RemoveImageStreams(t) })
	create(t, fixture.Config().Edit(func(c *v1alpha1.CNBiConfig) { c.Spec.Publish.ImageStreams = v1alpha1.ImageStreamsAlways }).Obj())
	startManager(t)
	configIs(t, "they are there", condition(v1alpha1.ConditionImageStreamsAvailable, metav1.ConditionTrue, v1alpha1.ReasonSucceeded))
	env.RemoveImageStreams(t)
	configIs(t, "they are gone and wanted", condition(v1alpha1.ConditionReady, metav1.ConditionFalse, v1alpha1.ReasonImageStreamsUnavailable))
}

func TestNewRevisionIsRolledOut(t *testing.T) {
	ns, _ := inUse(t)
	editConfig(t, func(c *v1alpha1.CNBiConfig) { c.Spec.Images.Builder = "registry.example.com/builder:2" })
	testenv.Eventually(t, "the new revision is there", installedFrom(ns, "registry.example.com/builder:2"))
	configIs(t, "the status says so", func(c *v1alpha1.CNBiConfig) error {
		if c.Status.ObservedGeneration != c.Generation {
			return errors.New("not yet")
		}
		return counted(1, 0, 0)(c)
	})
}

func TestReplacedConfigTakesOver(t *testing.T) {
	ns, _ := inUse(t)
	if err := env.Client.Delete(t.Context(), fixture.Config().Obj()); err != nil {
		t.Fatal(err)
	}
	testenv.Eventually(t, "it is gone", absent(fixture.Config().Obj()))
	create(t, fixture.Config().Obj())
	testenv.Eventually(t, "everything belongs to the new one", installed(ns))
}

func TestModes(t *testing.T) {
	cases := map[string]struct {
		reason string
		edit   func(used, labelled string) func(*v1alpha1.CNBiConfig)
		// used and labelled tell which of the two namespaces is installed.
		used, labelled bool
	}{
		"Selected": {
			reason:   "labels decide",
			labelled: true,
			edit: func(string, string) func(*v1alpha1.CNBiConfig) {
				return func(c *v1alpha1.CNBiConfig) {
					c.Spec.Namespaces = v1alpha1.NamespacesSpec{
						Mode: v1alpha1.NamespacesSelected, Selector: &metav1.LabelSelector{MatchLabels: map[string]string{"notebooks": "yes"}},
					}
				}
			},
		},
		"All": {
			reason: "all namespaces get them", used: true, labelled: true,
			edit: func(string, string) func(*v1alpha1.CNBiConfig) {
				return func(c *v1alpha1.CNBiConfig) { c.Spec.Namespaces.Mode = v1alpha1.NamespacesAll }
			},
		},
		"Excluded": {
			reason: "an excluded namespace never gets them", labelled: true,
			edit: func(used, _ string) func(*v1alpha1.CNBiConfig) {
				return func(c *v1alpha1.CNBiConfig) {
					c.Spec.Namespaces = v1alpha1.NamespacesSpec{Mode: v1alpha1.NamespacesAll, Exclude: []string{used[:len(used)-1] + "*"}}
				}
			},
		},
		"Unmanaged": {
			reason: "nothing is touched",
			edit: func(string, string) func(*v1alpha1.CNBiConfig) {
				return func(c *v1alpha1.CNBiConfig) { c.Spec.ManagementState = v1alpha1.StateUnmanaged }
			},
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			fresh(t)
			used, marked := env.Namespace(t), env.Namespace(t)
			newImage(t, used)
			create(t, fixture.Config().Edit(tc.edit(used, marked)).Obj())
			startManager(t)
			labelled(t, marked, "notebooks", "yes")
			for ns, want := range map[string]bool{used: tc.used, marked: tc.labelled} {
				if want {
					testenv.Eventually(t, tc.reason, installed(ns))
					continue
				}
				testenv.Steady(t, tc.reason, quiet, empty(ns))
			}
		})
	}
}

func TestRemoved(t *testing.T) {
	ns, requests := inUse(t)
	editConfig(t, func(c *v1alpha1.CNBiConfig) { c.Spec.ManagementState = v1alpha1.StateRemoved })
	testenv.Eventually(t, "everything is taken away", empty(ns))
	c := configIs(t, "the status says so", condition(v1alpha1.ConditionReady, metav1.ConditionTrue, v1alpha1.ReasonSucceeded))
	if err := condition(v1alpha1.ConditionNamespacesReady, metav1.ConditionTrue, v1alpha1.ReasonSucceeded)(c); err != nil {
		t.Error(err)
	}
	isQuiet(t, requests)
	testenv.Steady(t, "and it stays so", quiet, nothingWritten(requests))
	editConfig(t, func(c *v1alpha1.CNBiConfig) { c.Spec.ManagementState = v1alpha1.StateManaged })
	testenv.Eventually(t, "it comes back when asked for", installed(ns))
}

func TestTerminatingNamespaceIsLeftAlone(t *testing.T) {
	fresh(t)
	ns := env.Namespace(t)
	newImage(t, ns)
	if err := env.Client.Delete(t.Context(), &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: ns}}); err != nil {
		t.Fatal(err)
	}
	create(t, fixture.Config().Obj())
	requests, _ := startManager(t)
	configIs(t, "it does not count", counted(0, 0, 0))
	isQuiet(t, requests)
	testenv.Steady(t, "nothing is written", quiet, nothingWritten(requests))
	if err := empty(ns)(); err != nil {
		t.Error(err)
	}
}

func TestOnlyWatchedNamespaces(t *testing.T) {
	fresh(t)
	watched, other, third := env.Namespace(t), env.Namespace(t), env.Namespace(t)
	newImage(t, watched)
	newImage(t, other)
	startManager(t, watched, third)
	testenv.Eventually(t, "the watched namespace is installed", installed(watched))
	configIs(t, "it alone counts", counted(1, 0, 0))
	if err := empty(other)(); err != nil {
		t.Error(err)
	}
}
