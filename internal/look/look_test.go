package look_test

import (
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/meteor-zone/meteor-operator/internal/look"
	"github.com/meteor-zone/meteor-operator/internal/validate"
)

// image makes the test's environment look like an image whose PATH holds the given programs.
func image(t *testing.T, programs map[string]string) string {
	t.Helper()
	bin, home := t.TempDir(), t.TempDir()
	for name, body := range programs {
		if err := os.WriteFile(filepath.Join(bin, name), []byte(body), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	t.Setenv("PATH", bin)
	t.Setenv("HOME", home)
	return home
}

// python is a shell script that prints what the real one would, its mark before every line.
func python(lines ...string) string {
	var b strings.Builder
	b.WriteString("#!/bin/sh\nshift 2\n")
	for _, line := range lines {
		b.WriteString(`printf '%s\t` + line + `\n' "$1"` + "\n")
	}
	return b.String()
}

func TestGather(t *testing.T) {
	cases := map[string]struct {
		reason   string
		programs map[string]string
		want     *validate.Look
		packages []validate.Package
	}{
		"NoPython": {
			reason: "An image without Python, and without a shell, is no error",
			want:   &validate.Look{},
		},
		"Good": {
			reason: "Software is named as people know it, packages are listed, noise is ignored",
			programs: map[string]string{"python3": "#!/bin/sh\necho Welcome\nshift 2\n" + strings.TrimPrefix(python(
				"python\t3.11.2", "module\tnotebook", "module\tjupyterlab", "dist\tnotebook\t6.4.12", "dist\tnotebook\t5.0",
				"requires\tJinja2>=2", "dist\tjinja2\t3.1.2", "dist\tpip\t23.0.1", "dist\tbad name\t1", "dist\tx", "end"),
				"#!/bin/sh\nshift 2\n")},
			want: &validate.Look{
				Python: "3.11.2", Pip: "23.0.1", PackagesTotal: 3,
				Software: []validate.Package{{Name: "Python", Version: "3.11.2"}, {Name: "JupyterLab", Version: "unknown"}, {Name: "Notebook", Version: "6.4.12"}, {Name: "pip", Version: "23.0.1"}},
			},
			packages: []validate.Package{{Name: "jinja2", Version: "3.1.2"}, {Name: "notebook", Version: "6.4.12"}, {Name: "pip", Version: "23.0.1"}},
		},
		"PlainName": {
			reason:   "python will do where there is no python3",
			programs: map[string]string{"python": python("python\t2.7.18", "end")},
			want:     &validate.Look{Python: "2.7.18", Software: []validate.Package{{Name: "Python", Version: "2.7.18"}}},
		},
		"Garbage": {
			reason:   "A program that is no Python is told as such",
			programs: map[string]string{"python3": "#!/bin/sh\necho moo\necho 'no such option -c' >&2\n"},
			want:     &validate.Look{Problem: "python3 gave no usable answer: no such option -c"},
		},
		"Crashes": {
			reason:   "A broken Python is told with what it said last",
			programs: map[string]string{"python3": "#!/bin/sh\necho 'Fatal: no encodings' >&2\nexit 7\n"},
			want:     &validate.Look{Problem: "python3 exited with code 7: Fatal: no encodings"},
		},
		"Killed": {
			reason:   "A killed Python is told with the signal",
			programs: map[string]string{"python3": "#!/bin/sh\nkill -9 $$\n"},
			want:     &validate.Look{Problem: `python3 was ended by signal "killed"`},
		},
		"WrongFormat": {
			reason:   "What cannot be executed is told as such",
			programs: map[string]string{"python3": "\x7fELF nonsense"},
			want:     &validate.Look{Problem: "python3 cannot be run: "},
		},
		"HalfWay": {
			reason:   "What came before a crash is kept",
			programs: map[string]string{"python3": python("python\t3.9.1", "dist\tpip\t20.0") + "exit 1\n"},
			want: &validate.Look{
				Python: "3.9.1", Pip: "20.0", PackagesTotal: 1,
				Problem:  "the list of packages is incomplete: python3 exited with code 1",
				Software: []validate.Package{{Name: "Python", Version: "3.9.1"}, {Name: "pip", Version: "20.0"}},
			},
			packages: []validate.Package{{Name: "pip", Version: "20.0"}},
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			home := image(t, tc.programs)
			tc.want.Home = validate.Home{Path: home, Writable: true}
			got := look.Gather(context.Background())
			packages, err := validate.UnpackPackages(got.Packages)
			if err != nil {
				t.Fatal(err)
			}
			if name == "WrongFormat" && strings.HasPrefix(got.Problem, tc.want.Problem) {
				tc.want.Problem = got.Problem
			}
			got.Packages = ""
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Errorf("%s: -want, +got:\n%s", tc.reason, diff)
			}
			if diff := cmp.Diff(tc.packages, packages); diff != "" {
				t.Errorf("%s: packages: -want, +got:\n%s", tc.reason, diff)
			}
			if left, _ := os.ReadDir(home); len(left) > 0 {
				t.Errorf("%s: left in $HOME: %v", tc.reason, left)
			}
		})
	}
}

func TestGatherEndsAHangingPython(t *testing.T) {
	image(t, map[string]string{"python3": "#!/bin/sh\n/bin/sleep 60 & /bin/sleep 60\n"})
	ctx, cancel := context.WithTimeout(context.Background(), 200*time.Millisecond)
	defer cancel()
	start := time.Now()
	got := look.Gather(ctx)
	if !strings.HasPrefix(got.Problem, "python3 did not answer within") || time.Since(start) > 3*time.Second {
		t.Errorf("after %s: %+v", time.Since(start), got)
	}
}

func TestGatherSurvivesAFlood(t *testing.T) {
	image(t, map[string]string{"python3": python("python\t3.9.1") + "i=0; while [ $i -lt 3000 ]; do printf '%2000s\\n' x; i=$((i+1)); done\n"})
	if got := look.Gather(context.Background()); got.Python != "3.9.1" {
		t.Errorf("Gather = %+v", got)
	}
}

func TestGatherHome(t *testing.T) {
	cases := map[string]struct {
		home string
		want validate.Home
	}{
		"Unset":    {home: "", want: validate.Home{}},
		"Relative": {home: "src", want: validate.Home{Path: "src"}},
		"Missing":  {home: "/nonexistent/home", want: validate.Home{Path: "/nonexistent/home"}},
		"NoFolder": {home: "/proc/version", want: validate.Home{Path: "/proc/version"}},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			image(t, nil)
			t.Setenv("HOME", tc.home)
			if diff := cmp.Diff(tc.want, look.Gather(context.Background()).Home); diff != "" {
				t.Errorf("-want, +got:\n%s", diff)
			}
		})
	}
}

func TestGatherFitsIntoTheLastWords(t *testing.T) {
	lines := []string{"python\t3.11.2"}
	for i := range 600 {
		name := "package-" + string(rune('a'+i%26)) + string(rune('a'+i/26%26)) + "-of-some-length"
		lines = append(lines, "dist\t"+name+"\t"+string(rune('0'+i%10))+".17."+string(rune('0'+i/7%10)))
	}
	image(t, map[string]string{"python3": python(append(lines, "end")...)})
	got := look.Gather(context.Background())
	data, err := json.Marshal(got)
	if err != nil {
		t.Fatal(err)
	}
	quoted, err := json.Marshal(string(data))
	if err != nil {
		t.Fatal(err)
	}
	packages, err := validate.UnpackPackages(got.Packages)
	if err != nil {
		t.Fatal(err)
	}
	if len(quoted) > 1500 || len(packages) < 100 || got.PackagesTotal != 600 {
		t.Errorf("%d bytes, %d packages of %d", len(quoted), len(packages), got.PackagesTotal)
	}
}
