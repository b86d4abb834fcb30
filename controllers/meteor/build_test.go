package meteor

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/util/validation"
	"k8s.io/utils/ptr"

	"github.com/meteor-zone/meteor-operator/apis/v1alpha1"
)

const bookName = v1alpha1.PipelineJupyterBook

func TestInputsHash(t *testing.T) {
	base := inputsHash(newMeteor("m", 0), bookName)
	cases := map[string]struct {
		edit func(*v1alpha1.Meteor)
		same bool
	}{
		"TTL":        {func(m *v1alpha1.Meteor) { m.Spec.TTL = ptr.To[int64](5) }, true},
		"Refresh":    {func(m *v1alpha1.Meteor) { m.Spec.Refresh = &v1alpha1.RefreshSpec{Policy: v1alpha1.RefreshNever} }, true},
		"Pipelines":  {func(m *v1alpha1.Meteor) { m.Spec.Pipelines = []string{"other"} }, true},
		"Annotation": {func(m *v1alpha1.Meteor) { m.Annotations = map[string]string{"a": "b"} }, true},
		"URL":        {func(m *v1alpha1.Meteor) { m.Spec.URL += "x" }, false},
		"Ref":        {func(m *v1alpha1.Meteor) { m.Spec.Ref = "x" }, false},
		"Secret":     {func(m *v1alpha1.Meteor) { m.Spec.GitSecret = &v1alpha1.LocalSecretReference{Name: "x"} }, false},
		"Rebuild":    {func(m *v1alpha1.Meteor) { m.Annotations = map[string]string{v1alpha1.AnnotationRebuild: "x"} }, false},
		"UID":        {func(m *v1alpha1.Meteor) { m.UID = "x" }, false},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			m := newMeteor("m", 0)
			c.edit(m)
			if same := inputsHash(m, bookName) == base; same != c.same {
				t.Errorf("the hash is the same: %v", same)
			}
		})
	}
	if inputsHash(newMeteor("m", 0), "other") == base {
		t.Error("two pipelines have one hash")
	}
}

// A build keeps its name until an edit asks for another, and going back is another too.
func TestNewBuild(t *testing.T) {
	m := newMeteor("m", 0)
	first := newBuild(m, bookName, "")
	if again := newBuild(m, bookName, first.runName(m, bookName)); again != first {
		t.Errorf("the build %v became %v", first, again)
	}
	retried := build{id: first.id, attempt: 3}
	if again := newBuild(m, bookName, retried.runName(m, bookName)); again != retried {
		t.Errorf("the attempt %v became %v", retried, again)
	}
	m.Spec.Ref, m.Generation = "dev", 2
	second := newBuild(m, bookName, first.runName(m, bookName))
	m.Spec.Ref, m.Generation = "", 3
	third := newBuild(m, bookName, second.runName(m, bookName))
	if diff := cmp.Diff([]string{inputsHash(newMeteorAt("dev"), bookName) + "-g2", first.id + "-g3"}, []string{second.id, third.id}); diff != "" {
		t.Errorf("later builds (-want +got):\n%s", diff)
	}
	refresh := refreshed(m, bookName, born)
	if again := newBuild(m, bookName, refresh.runName(m, bookName)); again != refresh {
		t.Errorf("the refresh %v became %v", refresh, again)
	}
}

func newMeteorAt(ref v1alpha1.GitReference) *v1alpha1.Meteor {
	m := newMeteor("m", 0)
	m.Spec.Ref = ref
	return m
}

func TestRunNames(t *testing.T) {
	names := []string{"m", "a-0123456789-g5-r2", "x.y.z", strings.Repeat("m", 63), "0123456789-0123456789"}
	builds := []build{{"0123456789", 1}, {"abcdef0123-g12", 2}, {"abcdef0123-tabc", 6}}
	for _, name := range names {
		for _, b := range builds {
			m := newMeteor(name, 0)
			run := b.runName(m, bookName)
			if errs := validation.IsDNS1123Subdomain(run); len(errs) > 0 || len(run) > 48 {
				t.Errorf("%q is no name of a run: %v", run, errs)
			}
			if got, ok := parseRunName(run); !ok || got != b {
				t.Errorf("%q is read as %v, want %v", run, got, b)
			}
		}
	}
	for _, name := range []string{"", "m", "m-book", "m-0123456789-x"} {
		if got, ok := parseRunName(name); ok {
			t.Errorf("%q is read as %v", name, got)
		}
	}
}

// OpenShift makes one label of a Route's name and its namespace.
func TestRouteNames(t *testing.T) {
	for _, name := range []string{"m", strings.Repeat("m", 63), strings.Repeat("m-", 31) + "m", "a.b"} {
		for _, length := range []int{1, 23, 40, 52} {
			obj := newMeteor(name, 0)
			obj.Namespace = strings.Repeat("n", length)
			got := routeName(obj)
			if errs := validation.IsDNS1123Label(got + "-" + obj.Namespace); len(errs) > 0 {
				t.Errorf("%q in a namespace of %d characters has no host: %v", got, length, errs)
			}
			if length == 1 && got != siteName(name) {
				t.Errorf("%q was cut without need", got)
			}
		}
	}
	one, other := newMeteor(strings.Repeat("m", 30)+"1", 0), newMeteor(strings.Repeat("m", 30)+"2", 0)
	one.Namespace, other.Namespace = strings.Repeat("n", 45), strings.Repeat("n", 45)
	if routeName(one) == routeName(other) {
		t.Error("two objects have one Route")
	}
}

func TestSiteNames(t *testing.T) {
	seen := map[string]string{}
	for _, name := range []string{"m", "m.n", "m-n", "0", strings.Repeat("m", 63), strings.Repeat("m", 62) + "n", strings.Repeat("m-", 31) + "m", "a.b.c"} {
		got := siteName(name)
		if errs := validation.IsDNS1035Label(got); len(errs) > 0 || len(got) > 40 {
			t.Errorf("%q is no name of a Service: %v", got, errs)
		}
		if other, ok := seen[got]; ok {
			t.Errorf("%q and %q have one name", name, other)
		}
		seen[got] = name
		m := newMeteor(name, 0)
		m.Namespace = strings.Repeat("n", 60)
		host := siteHost(m, "apps.example.org")
		if errs := validation.IsDNS1123Subdomain(host); len(errs) > 0 || len(strings.SplitN(host, ".", 2)[0]) > 63 {
			t.Errorf("%q is no host: %v", host, errs)
		}
	}
}
