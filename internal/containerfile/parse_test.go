package containerfile

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	v1 "github.com/google/go-containerregistry/pkg/v1"

	"github.com/meteor-zone/meteor-operator/internal/failure"
)

var amd64 = v1.Platform{OS: "linux", Architecture: "amd64"}

const digest = "sha256:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"

func lines(text ...string) string { return strings.Join(text, "\n") + "\n" }

func TestParse(t *testing.T) {
	const local = "docker.io/library/jupyter:latest"
	cases := map[string]struct {
		reason string
		text   string
		want   File
	}{
		"Plain": {
			reason: "a short name is written out, so that nothing is looked up",
			text:   lines("# comment", "FROM jupyter", "RUN pip install a \\", "  b"),
			want: File{
				Images: []Image{{Name: "jupyter", Local: local, Line: 2}}, Base: local,
				Text: []byte(lines("# comment", "FROM "+local, "ARG SOURCE_DATE_EPOCH", "RUN pip install a \\", "  b")),
				Instructions: []Instruction{
					{Line: 2, Text: "FROM " + local}, {Line: 2, Text: "ARG SOURCE_DATE_EPOCH"}, {Line: 3, Text: "RUN pip install a b"},
				},
			},
		},
		"Arguments": {
			reason: "the defaults of the ARGs before the first FROM make up the names of images",
			text:   lines("ARG HOST=quay.io", "ARG BASE=${HOST}/ns/image", "FROM ${BASE}:${TAG:-7}", "ARG TAG=8"),
			want: File{
				Images: []Image{{Name: "quay.io/ns/image:7", Local: "quay.io/ns/image:7", Line: 3}}, Base: "quay.io/ns/image:7",
				Text: []byte(lines("ARG HOST=quay.io", "ARG BASE=${HOST}/ns/image", "FROM quay.io/ns/image:7", "ARG SOURCE_DATE_EPOCH", "ARG TAG=8")),
				Instructions: []Instruction{
					{Line: 3, Text: "FROM quay.io/ns/image:7"}, {Line: 3, Text: "ARG SOURCE_DATE_EPOCH"}, {Line: 4, Text: "ARG TAG=8"},
				},
			},
		},
		"Stages": {
			reason: "stages are known by name and number, in any case, and what is no stage is an image",
			text: lines("FROM --platform=$BUILDPLATFORM quay.io/go:1 AS Build", "FROM build AS more", "FROM quay.io/base@"+digest,
				"COPY --from=0 /a /b", "COPY --link --from=MORE /a /b", "COPY --from=quay.io/tool:2 /t /t",
				"RUN --mount=type=bind,from=quay.io/tool:2,target=/t --mount=type=cache,target=/c \\", "  /t"),
			want: File{
				Images: []Image{
					{Name: "quay.io/go:1", Local: "quay.io/go:1", Line: 1},
					{Name: "quay.io/base@" + digest, Local: "quay.io/base:sha256-" + digest[7:], Line: 3},
					{Name: "quay.io/tool:2", Local: "quay.io/tool:2", Line: 6},
				},
				Base: "quay.io/base:sha256-" + digest[7:],
				Text: []byte(lines("FROM quay.io/go:1 AS Build", "ARG SOURCE_DATE_EPOCH", "FROM build AS more", "ARG SOURCE_DATE_EPOCH",
					"FROM quay.io/base:sha256-"+digest[7:], "ARG SOURCE_DATE_EPOCH",
					"COPY --from=0 /a /b", "COPY  --from=MORE /a /b", "COPY --from=quay.io/tool:2 /t /t",
					"RUN --mount=type=bind,from=quay.io/tool:2,target=/t --mount=type=cache,target=/c \\", "  /t")),
				Instructions: []Instruction{
					{Line: 1, Text: "FROM quay.io/go:1 AS Build"}, {Line: 1, Text: "ARG SOURCE_DATE_EPOCH"},
					{Line: 2, Text: "FROM build AS more"}, {Line: 2, Text: "ARG SOURCE_DATE_EPOCH"},
					{Line: 3, Text: "FROM quay.io/base:sha256-" + digest[7:]}, {Line: 3, Text: "ARG SOURCE_DATE_EPOCH"},
					{Line: 4, Text: "COPY --from=0 /a /b"}, {Line: 5, Text: "COPY --from=MORE /a /b"},
					{Line: 6, Text: "COPY --from=quay.io/tool:2 /t /t"},
					{Line: 7, Text: "RUN --mount=type=bind,from=quay.io/tool:2,target=/t --mount=type=cache,target=/c /t"},
				},
			},
		},
		"Scratch": {
			reason: "an image can stand on nothing",
			text:   lines("FROM quay.io/go:1 AS build", "FROM scratch", "COPY --from=build /a /"),
			want: File{
				Images: []Image{{Name: "quay.io/go:1", Local: "quay.io/go:1", Line: 1}},
				Text:   []byte(lines("FROM quay.io/go:1 AS build", "ARG SOURCE_DATE_EPOCH", "FROM scratch", "ARG SOURCE_DATE_EPOCH", "COPY --from=build /a /")),
				Instructions: []Instruction{
					{Line: 1, Text: "FROM quay.io/go:1 AS build"}, {Line: 1, Text: "ARG SOURCE_DATE_EPOCH"},
					{Line: 2, Text: "FROM scratch"}, {Line: 2, Text: "ARG SOURCE_DATE_EPOCH"}, {Line: 3, Text: "COPY --from=build /a /"},
				},
			},
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			got, err := Parse("Containerfile", []byte(tc.text), amd64)
			if err != nil {
				t.Fatal(err)
			}
			tc.want.Name = "Containerfile"
			if diff := cmp.Diff(&tc.want, got); diff != "" {
				t.Errorf("%s; -want, +got:\n%s", tc.reason, diff)
			}
			again, err := Parse("Containerfile", got.Text, amd64)
			if err != nil {
				t.Fatalf("cannot read what was written: %v", err)
			}
			if again.Base != got.Base || len(again.Images) != len(got.Images) {
				t.Errorf("what was written means something else: %+v", again)
			}
		})
	}
}

func TestParseRefuses(t *testing.T) {
	cases := map[string]struct{ text, want string }{
		"Empty":          {"", "Dockerfile cannot be read: file with no instructions"},
		"NoFrom":         {"ARG A=1\n", "has no FROM"},
		"Unknown":        {lines("FROM a", "", "FETCH x"), `line 3: There is no instruction "FETCH"`},
		"BeforeFrom":     {lines("RUN x", "FROM a"), "line 1: RUN comes before the first FROM"},
		"HereDocument":   {lines("FROM a", "RUN <<EOF", "pip install x", "EOF"), "line 2: buildah 1.28 does not know here-documents"},
		"Secret":         {lines("FROM a", "RUN --mount=type=secret,id=x cat /run/secrets/x"), "line 2: RUN --mount=type=secret cannot be honoured"},
		"SSH":            {lines("FROM a", "RUN --mount=type=ssh x"), "line 2: RUN --mount=type=ssh cannot"},
		"Network":        {lines("FROM a", "RUN --network=none x"), "line 2: RUN --network=none cannot be honoured"},
		"Security":       {lines("FROM a", "RUN --security=insecure x"), "line 2: RUN --security=insecure cannot be honoured"},
		"Flag":           {lines("FROM a", "COPY --parents a b"), "line 2: COPY --parents is not known"},
		"AddFrom":        {lines("FROM a", "ADD --from=b a b"), "line 2: ADD --from is not known"},
		"Platform":       {"FROM --platform=linux/s390x a\n", `line 1: The platform "linux/s390x" is wanted, and images are built for linux/amd64 alone`},
		"NoValue":        {lines("ARG BASE", "FROM $BASE"), "line 2: FROM $BASE names no image"},
		"BadName":        {"FROM a:b:c:d\n", `line 1: "a:b:c:d" is not the name of an image`},
		"Variable":       {lines("FROM a", "COPY --from=$x a b"), "line 2: The name of a stage or an image after --from"},
		"BadFrom":        {"FROM a b\n", "line 1: FROM is followed by"},
		"SplitFlag":      {lines("FROM a", "COPY --fr\\", "om=b a b"), "line 2: The flag --from=b has to be in one line, without quotation marks"},
		"TooManyImages":  {strings.Repeat("FROM a\n", 1) + many("FROM a%d\n", 40), "More than 32 images"},
		"TooManyOfThem":  {"FROM a\n" + strings.Repeat("ENV A=1\n", 2001), "more than 2000 instructions"},
		"BadEscape":      {lines("# escape=x", "FROM a"), "invalid escape token"},
		"QuotedMount":    {lines("FROM a", `RUN --mount=type=bind,"from=b" x`), "has to be in one line, without quotation marks"},
		"UnterminatedJS": {lines("FROM a", "RUN <<EOF", "x"), "line 2"},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			_, err := Parse("Dockerfile", []byte(tc.text), amd64)
			var f *failure.Failure
			if !errors.As(err, &f) || f.Reason != failure.UnsupportedFile || !strings.Contains(f.Message, tc.want) {
				t.Errorf("Parse: %v, want %q", err, tc.want)
			}
		})
	}
}

func many(format string, n int) string {
	var b strings.Builder
	for i := range n {
		b.WriteString(strings.ReplaceAll(format, "%d", strings.Repeat("x", i+1)))
	}
	return b.String()
}

func FuzzParse(f *testing.F) {
	f.Add("FROM a\nRUN x \\\n y\n")
	f.Add("ARG A=${B:-c}\nFROM $A AS b\nCOPY --from=b --link a b\n")
	f.Fuzz(func(t *testing.T, text string) {
		file, err := Parse("Containerfile", []byte(text), amd64)
		if err != nil {
			var told *failure.Failure
			if !errors.As(err, &told) {
				t.Fatalf("not told as a failure: %v", err)
			}
			return
		}
		again, err := Parse("Containerfile", file.Text, amd64)
		if err != nil {
			t.Fatalf("cannot read what was written: %v\n%s", err, file.Text)
		}
		if len(again.Images) > len(file.Images) {
			t.Fatalf("what was written needs more:\n%s", file.Text)
		}
	})
}
