package validate_test

import (
	"bytes"
	"compress/flate"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"github.com/meteor-zone/meteor-operator/internal/failure"
	"github.com/meteor-zone/meteor-operator/internal/validate"
)

func goodLook() *validate.Look {
	return &validate.Look{
		Python: "3.11.2", Pip: "23.0.1", Home: validate.Home{Path: "/opt/app-root/src", Writable: true},
		Software: []validate.Package{{Name: "Python", Version: "3.11.2"}, {Name: "JupyterLab", Version: "4.1.0"}},
	}
}

func look(edit func(*validate.Look)) *validate.Look {
	l := goodLook()
	edit(l)
	return l
}

func TestInside(t *testing.T) {
	const severe = validate.SeverityError
	cases := map[string]struct {
		reason string
		look   *validate.Look
		why    string
		policy validate.Policy
		want   []validate.Finding
	}{
		"Good": {reason: "A good image has no findings", look: goodLook(), policy: validate.Policy{MinimumPython: "3.8"}},
		"None": {
			reason: "A missing look is told with its cause", why: "the step that runs in the image left no result",
			want: []validate.Finding{{Check: validate.CheckLook, Severity: severe, Message: "The image could not be looked into: the step that runs in the image left no result"}},
		},
		"NoPython": {
			reason: "Without Python nothing is said of what needs it",
			look:   &validate.Look{Home: validate.Home{Path: "/h", Writable: true}},
			want:   []validate.Finding{{Check: validate.CheckPython, Severity: severe, Message: "Python not found"}},
		},
		"BrokenPython": {
			reason: "A Python that does not work is told from none",
			look:   look(func(l *validate.Look) { l.Python, l.Problem = "", "python3 exited with code 1" }),
			want:   []validate.Finding{{Check: validate.CheckPython, Severity: severe, Message: "Python does not work: python3 exited with code 1"}},
		},
		"NoPip": {
			reason: "Pip is asked for", look: look(func(l *validate.Look) { l.Pip = "" }),
			want: []validate.Finding{{Check: validate.CheckPip, Severity: severe, Message: "Pip not found"}},
		},
		"OldPython": {
			reason: "Versions are compared by number", look: look(func(l *validate.Look) { l.Python = "3.7.17" }), policy: validate.Policy{MinimumPython: "3.8"},
			want: []validate.Finding{{Check: validate.CheckPythonVersion, Severity: severe, Message: "Python version does not meet minimal required version ('3.8.0'): found 3.7.17"}},
		},
		"NewerThanText": {reason: "3.11 is more than 3.8", look: goodLook(), policy: validate.Policy{MinimumPython: "3.8.10"}},
		"PreRelease":    {reason: "What follows the numbers does not count", look: look(func(l *validate.Look) { l.Python = "3.14.0rc1" }), policy: validate.Policy{MinimumPython: "3.14"}},
		"NoJupyter": {
			reason: "Something has to serve notebooks", look: look(func(l *validate.Look) { l.Software = l.Software[:1] }),
			want: []validate.Finding{{Check: validate.CheckJupyter, Severity: severe, Message: "Missing 'jupyterlab' python package"}},
		},
		"ServerWillDo": {reason: "Any of the packages that serve notebooks will do", look: look(func(l *validate.Look) { l.Software[1].Name = "Jupyter Server" })},
		"HomeUnset": {
			reason: "$HOME has to be set", look: look(func(l *validate.Look) { l.Home = validate.Home{} }),
			want: []validate.Finding{{Check: validate.CheckHome, Severity: severe, Message: "$HOME has to be set and point to writeable directory: it is not set"}},
		},
		"HomeReadOnly": {
			reason: "$HOME has to be writable", look: look(func(l *validate.Look) { l.Home = validate.Home{Path: "/root"} }),
			want: []validate.Finding{{Check: validate.CheckHome, Severity: severe, Message: "$HOME has to be set and point to writeable directory: /root is not writeable for a random user of group 0"}},
		},
		"Warning": {
			reason: "The policy makes an error a warning", look: look(func(l *validate.Look) { l.Pip = "" }), policy: validate.Policy{Warnings: []validate.Check{validate.CheckPip}},
			want: []validate.Finding{{Check: validate.CheckPip, Severity: validate.SeverityWarning, Message: "Pip not found"}},
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(tc.want, tc.policy.Inside(tc.look, tc.why)); diff != "" {
				t.Errorf("%s: -want, +got:\n%s", tc.reason, diff)
			}
		})
	}
}

func TestOutside(t *testing.T) {
	cases := map[string]struct {
		probe validate.Probe
		want  string
	}{
		"OK":          {probe: validate.Probe{Outcome: validate.OutcomeOK, Status: 200}},
		"Timeout":     {probe: validate.Probe{Outcome: validate.OutcomeTimeout, Seconds: 120.04}, want: "The notebook did not answer on port 8888 within 2m0s"},
		"NotHTTP":     {probe: validate.Probe{Outcome: validate.OutcomeNotHTTP, Seconds: 5.04}, want: "Something listens on port 8888 but gave no HTTP answer within 5s"},
		"WrongPrefix": {probe: validate.Probe{Outcome: validate.OutcomeWrongPrefix, Status: 404}, want: "The notebook answers on port 8888, but not under $NB_PREFIX: /notebook/a/b/api gives status 404"},
		"BadStatus":   {probe: validate.Probe{Outcome: validate.OutcomeBadStatus, Status: 403}, want: "The notebook answers /notebook/a/b/api with status 403 instead of 200"},
		"Gone":        {probe: validate.Probe{Outcome: validate.OutcomeGone, Status: 200}, want: "The notebook stopped answering after it had answered: it has crashed"},
		"Nothing":     {want: "The look from outside did not say how it ended"},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			var got string
			for _, f := range (validate.Policy{Prefix: "/notebook/a/b", StartupTimeout: time.Minute}).Outside(&tc.probe) {
				got += f.Message
			}
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Errorf("-want, +got:\n%s", diff)
			}
		})
	}
}

func TestFailure(t *testing.T) {
	finding := func(s validate.Severity, m string) validate.Finding {
		return validate.Finding{Check: validate.CheckPip, Severity: s, Message: m}
	}
	e, w := validate.SeverityError, validate.SeverityWarning
	cases := map[string]struct {
		findings []validate.Finding
		want     *failure.Failure
	}{
		"None":         {},
		"WarningsOnly": {findings: []validate.Finding{finding(w, "a"), finding(w, "b")}},
		"One":          {findings: []validate.Finding{finding(w, "a"), finding(e, "b")}, want: &failure.Failure{Reason: failure.ValidationFailed, Message: "b"}},
		"Three":        {findings: []validate.Finding{finding(e, "a"), finding(e, "b"), finding(e, "c")}, want: &failure.Failure{Reason: failure.ValidationFailed, Message: "a (and 2 more)"}},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(tc.want, validate.Failure(tc.findings)); diff != "" {
				t.Errorf("-want, +got:\n%s", diff)
			}
		})
	}
}

func TestParseWarnings(t *testing.T) {
	got, err := validate.ParseWarnings(" pip, home,,")
	if diff := cmp.Diff([]validate.Check{validate.CheckPip, validate.CheckHome}, got); diff != "" || err != nil {
		t.Errorf("ParseWarnings: %v, -want, +got:\n%s", err, diff)
	}
	if _, err := validate.ParseWarnings("pip,speed"); err == nil || err.Error() != `cannot parse warnings: there is no check "speed"` {
		t.Errorf("ParseWarnings: %v", err)
	}
}

func TestParseLook(t *testing.T) {
	packed, _ := validate.PackPackages([]validate.Package{{Name: "pip", Version: "23.0"}}, 1000)
	cases := map[string]struct {
		reason  string
		in      string
		want    *validate.Look
		wantErr string
	}{
		"Good": {
			reason: "What a look says comes back",
			in:     `{"python":"3.11.2","pip":"23.0","home":{"path":"/h","writable":true},"software":[{"name":"Jupyter Server","version":"2.0"}],"packages":"` + packed + `","packagesTotal":7}`,
			want: &validate.Look{
				Python: "3.11.2", Pip: "23.0", Home: validate.Home{Path: "/h", Writable: true}, Packages: packed, PackagesTotal: 7,
				Software: []validate.Package{{Name: "Jupyter Server", Version: "2.0"}},
			},
		},
		"Hostile": {
			reason: "Only shapes that are expected get through",
			in:     `{"python":"$(touch x)","pip":"1\n2","problem":"a\nb","home":{"path":"/h\u001b[0m"},"software":[{"name":"x\"","version":"1"},{"name":"<b>","version":"1"},{"name":"ok","version":""}],"packages":"1:!!","packagesTotal":-5}`,
			want:   &validate.Look{Problem: "a b", Home: validate.Home{Path: "/h [0m"}},
		},
		"Many": {
			reason: "No list is longer than its bound",
			in:     `{"software":[` + strings.Repeat(`{"name":"a","version":"1"},`, 100) + `{"name":"a","version":"1"}],"packagesTotal":2000000000}`,
			want:   &validate.Look{Software: many(32), PackagesTotal: 100000},
		},
		"TooBig":  {reason: "What no look of ours writes is not read", in: strings.Repeat(" ", 9000), wantErr: "cannot parse look: 9000 bytes are more than 8192"},
		"NotJSON": {reason: "Garbage is an error", in: "moo", wantErr: "cannot parse look: invalid character 'm' looking for beginning of value"},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			got, err := validate.ParseLook([]byte(tc.in))
			if diff := cmp.Diff(tc.wantErr, message(err)); diff != "" {
				t.Errorf("%s: -want error, +got error:\n%s", tc.reason, diff)
			}
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Errorf("%s: -want, +got:\n%s", tc.reason, diff)
			}
		})
	}
}

func TestParseChecks(t *testing.T) {
	cases := map[string]struct {
		in      string
		want    []validate.Finding
		wantErr string
	}{
		"Empty":   {in: `[]`, want: []validate.Finding{}},
		"One":     {in: `[{"check":"pip","severity":"warning","message":"a\nb"}]`, want: []validate.Finding{{Check: "pip", Severity: "warning", Message: "a b"}}},
		"Odd":     {in: `[{"check":"pip","severity":"fine"}]`, want: []validate.Finding{{Check: "pip", Severity: "error"}}},
		"Unknown": {in: `[{"check":"speed"}]`, wantErr: `cannot parse checks: there is no check "speed"`},
		"Many":    {in: `[` + strings.Repeat(`{"check":"pip"},`, 20) + `{"check":"pip"}]`, wantErr: "cannot parse checks: 21 are more than 16"},
		"TooBig":  {in: strings.Repeat(" ", 9000), wantErr: "cannot parse checks: 9000 bytes are more than 8192"},
		"NotJSON": {in: `x`, wantErr: "cannot parse checks: invalid character 'x' looking for beginning of value"},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			got, err := validate.ParseChecks([]byte(tc.in))
			if diff := cmp.Diff(tc.wantErr, message(err)); diff != "" {
				t.Errorf("-want error, +got error:\n%s", diff)
			}
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Errorf("-want, +got:\n%s", diff)
			}
		})
	}
}

func TestParseProbe(t *testing.T) {
	cases := map[string]struct {
		in      string
		want    *validate.Probe
		wantErr string
	}{
		"Good":    {in: `{"outcome":"ok","status":200,"seconds":1.2,"attempts":3}`, want: &validate.Probe{Outcome: validate.OutcomeOK, Status: 200, Seconds: 1.2, Attempts: 3}},
		"Odd":     {in: `{"outcome":"gone","status":-4,"seconds":1e99,"attempts":-3}`, want: &validate.Probe{Outcome: validate.OutcomeGone, Seconds: 86400}},
		"Unknown": {in: `{"outcome":"great"}`, wantErr: `cannot parse probe: unknown outcome "great"`},
		"TooBig":  {in: strings.Repeat(" ", 2000), wantErr: "cannot parse probe: 2000 bytes are more than 1024"},
		"NotJSON": {in: `[]`, wantErr: "cannot parse probe: json: cannot unmarshal array into Go value of type validate.Probe"},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			got, err := validate.ParseProbe([]byte(tc.in))
			if diff := cmp.Diff(tc.wantErr, message(err)); diff != "" {
				t.Errorf("-want error, +got error:\n%s", diff)
			}
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Errorf("-want, +got:\n%s", diff)
			}
		})
	}
}

func TestPackPackages(t *testing.T) {
	names := known(t)
	var all []validate.Package
	for i, name := range names {
		all = append(all, validate.Package{Name: name, Version: fmt.Sprintf("%d.%d.%d", i%7, i*37%40, i*11%13)})
	}
	packed, n := validate.PackPackages(all[:200], 1200)
	got, err := validate.UnpackPackages(packed)
	if err != nil {
		t.Fatal(err)
	}
	if n != len(got) || n < 150 || len(packed) > 1200 {
		t.Errorf("%d packages said, %d there, in %d bytes", n, len(got), len(packed))
	}
	if diff := cmp.Diff(all[:n], got); diff != "" {
		t.Errorf("-want, +got:\n%s", diff)
	}
	if packed, n := validate.PackPackages(all, 4); packed != "" || n != 0 {
		t.Errorf("without room: %q, %d", packed, n)
	}
}

func TestUnpackPackagesRefuses(t *testing.T) {
	pack := func(text string) string {
		dict, err := os.ReadFile("packages.dict")
		if err != nil {
			t.Fatal(err)
		}
		var b bytes.Buffer
		w, _ := flate.NewWriterDict(&b, 9, dict)
		_, _ = w.Write([]byte(text))
		_ = w.Close()
		return "1:" + base64.RawStdEncoding.EncodeToString(b.Bytes())
	}
	cases := map[string]struct {
		in, want string
	}{
		"Packing": {in: "2:abc", want: "cannot unpack packages: unknown packing"},
		"Base64":  {in: "1:*", want: "cannot unpack packages: illegal base64 data at input byte 0"},
		"Flate":   {in: "1:////", want: "cannot unpack packages: flate: corrupt input before offset 1"},
		"Long":    {in: "1:" + strings.Repeat("A", 7000), want: "cannot unpack packages: 7000 bytes are more than 6144"},
		"Bomb":    {in: pack(strings.Repeat("a=1\n", 100_000)), want: "cannot unpack packages: they unfold to more than 131072 bytes"},
		"Count":   {in: pack(strings.Repeat("a=1\n", 2001)), want: "cannot unpack packages: more than 2000"},
		"Shape":   {in: pack("a=1\n$(x)=1\n"), want: "cannot unpack packages: line 2 is no package"},
		"Version": {in: pack("a=\n"), want: "cannot unpack packages: line 1 is no package"},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			if _, err := validate.UnpackPackages(tc.in); message(err) != tc.want {
				t.Errorf("UnpackPackages: %v, want %s", err, tc.want)
			}
		})
	}
}

// A manager has to read what an older builder packed, so this text must never stop being readable.
func TestUnpackPackagesOfTheFirstPacking(t *testing.T) {
	const packed = "1:QuqGmYAHdUEtBiNjPQM9Qy5AAAAA//8"
	want := []validate.Package{{Name: "jupyterlab", Version: "4.1.0"}, {Name: "pip", Version: "23.0.1"}}
	got, err := validate.UnpackPackages(packed)
	if diff := cmp.Diff(want, got); diff != "" || err != nil {
		now, _ := validate.PackPackages(want, 1000)
		t.Errorf("%v, -want, +got:\n%s\nnow packed as %s", err, diff, now)
	}
}

func FuzzParseLook(f *testing.F) {
	f.Add([]byte(`{"python":"3.11.2","home":{"path":"/h"},"software":[{"name":"a","version":"1"}],"packages":"1:AQID","packagesTotal":3}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		got, err := validate.ParseLook(data)
		if err != nil {
			return
		}
		out, err := json.Marshal(got)
		if err != nil {
			t.Fatal(err)
		}
		if !utf8.Valid(out) || len(got.Software) > 32 || len(got.Problem) > 300 || len(got.Home.Path) > 200 {
			t.Errorf("ParseLook(%q) let through %s", data, out)
		}
		again, err := validate.ParseLook(out)
		if err == nil && !cmp.Equal(got, again) {
			t.Errorf("what was parsed parses differently: %s", cmp.Diff(got, again))
		}
	})
}

func FuzzUnpackPackages(f *testing.F) {
	packed, _ := validate.PackPackages([]validate.Package{{Name: "jupyterlab", Version: "4.1.0"}, {Name: "odd", Version: "0!1+x"}}, 1000)
	f.Add(packed)
	f.Fuzz(func(t *testing.T, packed string) {
		got, err := validate.UnpackPackages(packed)
		if err != nil {
			return
		}
		for _, p := range got {
			if !validate.ValidPackage(p) {
				t.Errorf("UnpackPackages(%q) let through %+v", packed, p)
			}
		}
	})
}

func known(t *testing.T) []string {
	t.Helper()
	dict, err := os.ReadFile("packages.dict")
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for line := range strings.SplitSeq(string(dict), "\n") {
		if name, ok := strings.CutSuffix(line, "="); ok {
			names = append(names, name)
		}
	}
	return names
}

func many(n int) []validate.Package {
	var list []validate.Package
	for range n {
		list = append(list, validate.Package{Name: "a", Version: "1"})
	}
	return list
}

func message(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}
