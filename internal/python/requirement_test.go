package python_test

import (
	"bytes"
	"strings"
	"testing"

	"github.com/meteor-zone/meteor-operator/internal/failure"
	"github.com/meteor-zone/meteor-operator/internal/python"
)

func TestCheckRequirement(t *testing.T) {
	for _, good := range []string{
		"pandas", "boto3>=1.24.0", "boto3 >= 1.24, <2", "requests[security, socks]==2.*", "a[]", "zope.interface", "x==1!2.0+local-1", "x===anything",
		"x (>=1,<2)", "x~=1.4.2", "x!=1", `x; python_version >= "3.9"`, `x>1 ; (os_name == 'posix' and python_version not in "3.8") or sys_platform != 'win32'`,
		"x\t>=1", `x; platform_version == "#1 SMP"`,
	} {
		if strings.Contains(good, "#") {
			if python.CheckRequirement(good) == nil {
				t.Errorf("%q begins a comment for installers, and was taken", good)
			}
			continue
		}
		if err := python.CheckRequirement(good); err != nil {
			t.Errorf("%q: %v", good, err)
		}
	}
	for bad, want := range map[string]string{
		"": "a name, extras", "-e .": "options", "--index-url=x": "options", "-r /etc/passwd": "options", "x @ https://ann:pw@h/x.whl": "URLs have no place",
		"https://h/x.whl": "URLs", "git+ssh://h/x": "URLs", "./x": "paths", "/x.whl": "paths", "..": "paths", `a\b`: "paths", "~x": "paths",
		"x=1": "a name, extras", "x --hash=sha256:1": "a name", "x>1 --config-settings=a=b": "a name", "x\ny": "a name", "x\\\n-e .": "paths", "x # y": "a name",
		"x==${HOME}": "a name", `x; os_name == "${HOME}"`: "a name", "x; os_name == 'a' # b": "a name", "x;": "a name", "(x)": "a name", "x[": "a name", "x (>=1": "a name",
		"-": "options", "x-": "a name", strings.Repeat("x", 600): "longer than", "x\x00": "a name", "x; python_version": "a name", "é": "a name",
	} {
		err := python.CheckRequirement(bad)
		if err == nil || failure.From(err).Reason != failure.UnsupportedFile || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "ann:pw") {
			t.Errorf("%q: %v, want %q", bad, err, want)
		}
	}
}

func TestWriteRequirements(t *testing.T) {
	var out bytes.Buffer
	if err := python.WriteRequirements(&out, []string{"a", "b>1"}); err != nil || out.String() != "a\nb>1\n" {
		t.Errorf("wrote %q, %v", out.String(), err)
	}
	if err := python.WriteRequirements(&out, make([]string, 1001)); err == nil || !strings.Contains(err.Error(), "at most 1000") {
		t.Errorf("too many: %v", err)
	}
}

// What uv says was gathered from its versions 0.4 to 0.9.
func TestClassifyUV(t *testing.T) {
	cases := map[string]struct {
		said   string
		reason failure.Reason
		want   string
	}{
		"Package":  {"  × No solution found when resolving dependencies:\n  ╰─▶ Because ghost was not found in the package registry and you require ghost, we can conclude that your\n      requirements are unsatisfiable.\n", failure.PackageNotFound, "No matching distribution found for ghost: the index has no such package"},
		"Version":  {"  × No solution found when resolving dependencies:\n  ╰─▶ Because there is no version of solo==9 and you require solo==9, we can conclude that your requirements are unsatisfiable.\n", failure.PackageNotFound, "there is no version of solo==9"},
		"Conflict": {"  × No solution found when resolving dependencies:\n  ╰─▶ Because a==1.0 depends on c==1.0 and b==1.0 depends on c==2.0, we can conclude that a==1.0 and b==1.0 are incompatible.\n", failure.PackageConflict, "a==1.0 and b==1.0 are incompatible"},
		"Down":     {"error: Request failed after 3 retries\n  Caused by: Failed to fetch: `http://ann:pw@index.example/simple/solo/`\n  Caused by: tcp connect error: Connection refused (os error 111)\n", failure.PackageIndexUnavailable, "Connection refused"},
		"Build":    {"  × Failed to build `compiles==1.0`\n  ├─▶ The build backend returned an error\n  ╰─▶ Call to `backend.build_wheel` failed (exit status: 1)\n      [stderr]\n      error: command '/usr/bin/cc' failed with exit code 1\n", failure.PackageBuildFailed, "Package \"compiles\" could not be built from source: "},
		"Hash":     {"error: Hash mismatch for `solo==1.0`\n", failure.PackageNotFound, "no longer has the files that were locked"},
		"Other":    {"error: something else\n", failure.BuildFailed, "uv failed: error: something else"},
		"Nothing":  {"", failure.BuildFailed, "uv failed and did not say why"},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			got := python.ClassifyUV(strings.NewReader(tc.said), python.Index{})
			if got.Reason != tc.reason || !strings.Contains(got.Message, tc.want) || strings.Contains(got.Message, "ann:pw") {
				t.Errorf("got %s, want %s: %s", got, tc.reason, tc.want)
			}
		})
	}
}
