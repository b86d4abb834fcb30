package containerfile

import (
	"bytes"
	"errors"
	"strings"
	"testing"

	"github.com/meteor-zone/meteor-operator/internal/failure"
)

func TestFailed(t *testing.T) {
	plan := &Plan{File: "Containerfile", Instructions: []Instruction{
		{Line: 1, Text: "FROM quay.io/base:1"}, {Line: 3, Text: "RUN pip install a b"}, {Line: 7, Text: "RUN true"}, {Line: 8, Text: "RUN true"},
		{Line: 9, Text: "COPY x /y"},
	}}
	cases := map[string]struct{ output, want string }{
		"Command": {
			lines("STEP 1/3: FROM quay.io/base:1", "STEP 2/3: RUN pip install a \t b", "Collecting a", "ERROR: No matching distribution found for a",
				`error running subprocess: exit status 1`, `Error: building at STEP "RUN pip install a b": while running runtime: exit status 1`),
			"Containerfile, line 3: RUN pip install a b ended with status 1: Collecting a; ERROR: No matching distribution found for a",
		},
		"Stages": {
			lines("[1/2] STEP 2/3: RUN pip install a b", "no", `Error: building at STEP "RUN pip install a b": while running runtime: exit status 2`),
			"Containerfile, line 3: RUN pip install a b ended with status 2: no",
		},
		"Killed": {
			lines("STEP 2/3: RUN pip install a b", "Killed", `Error: building at STEP "RUN pip install a b": while running runtime: exit status 137`),
			"Containerfile, line 3: RUN pip install a b was killed, as it is for want of memory: Killed",
		},
		"TwoOfThem": {
			lines("STEP 2/3: RUN true", `Error: building at STEP "RUN true": while running runtime: exit status 1`),
			"Containerfile: RUN true ended with status 1",
		},
		"Missing": {
			lines("STEP 3/3: COPY x /y", `Error: building at STEP "COPY x /y": checking on sources under "/meteor/source": copier: stat: "/x": no such file or directory`),
			`Containerfile, line 9: COPY x /y failed: checking on sources under the repository: copier: stat: "/x": no such file or directory`,
		},
		"NoStep": {lines("Error: out of luck"), "Containerfile: The build failed: Error: out of luck"},
		"Silent": {"", "Containerfile: The build failed"},
		"OnlyTheLastLines": {
			"STEP 2/3: RUN pip install a b\n" + strings.Repeat("noise\n", 100) + "the cause\n",
			"Containerfile, line 3: RUN pip install a b failed: " + strings.Repeat("noise; ", 7) + "the cause",
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			var to bytes.Buffer
			said := &lastOutput{to: &to}
			for rest := tc.output; rest != ""; {
				n := min(len(rest), 7)
				if _, err := said.Write([]byte(rest[:n])); err != nil {
					t.Fatal(err)
				}
				rest = rest[n:]
			}
			if to.String() != tc.output {
				t.Errorf("handed on %q", to.String())
			}
			b := &builder{plan: plan, Options: Options{Context: "/meteor/source"}}
			var f *failure.Failure
			if !errors.As(b.failed(said), &f) || f.Reason != failure.BuildFailed || f.Message != tc.want {
				t.Errorf("%v\nwant %s", f, tc.want)
			}
		})
	}
}

func TestLastOutputIsBounded(t *testing.T) {
	said := &lastOutput{to: &bytes.Buffer{}}
	for range 100 {
		if _, err := said.Write(bytes.Repeat([]byte("x"), 4096)); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := said.Write([]byte("\nend\n")); err != nil {
		t.Fatal(err)
	}
	if len(said.kept)+len(said.line) > 2*keptOutput || !bytes.HasSuffix(said.kept, []byte("\nend\n")) {
		t.Errorf("kept %d and %d bytes", len(said.kept), len(said.line))
	}
}
