package failure_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"github.com/meteor-zone/meteor-operator/internal/failure"
)

func TestParse(t *testing.T) {
	cases := map[string]struct {
		reason  string
		in      string
		want    *failure.Failure
		wantErr string
	}{
		"Known":    {reason: "What New makes comes back", in: `{"reason":"ImageNotFound","message":"Image \"x\" is gone"}`, want: &failure.Failure{Reason: failure.ImageNotFound, Message: `Image "x" is gone`}},
		"Lines":    {reason: "A message is made one line", in: `{"reason":"ImageInvalid","message":"a\nb\u0007"}`, want: &failure.Failure{Reason: failure.ImageInvalid, Message: "a b"}},
		"Unknown":  {reason: "A reason outside the set is refused", in: `{"reason":"Ready","message":"x"}`, wantErr: `cannot parse failure: unknown reason "Ready"`},
		"TooBig":   {reason: "What no step of ours writes is not read", in: strings.Repeat("x", 9000), wantErr: "cannot parse failure: 9000 bytes are more than 8192"},
		"NotJSON":  {reason: "Garbage is an error", in: `{`, wantErr: "cannot parse failure: unexpected end of JSON input"},
		"BadTypes": {reason: "Wrong types are an error", in: `{"reason":1}`, wantErr: "cannot parse failure: json: cannot unmarshal number into Go struct field Failure.reason of type failure.Reason"},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			got, err := failure.Parse([]byte(tc.in))
			gotErr := ""
			if err != nil {
				gotErr = err.Error()
			}
			if diff := cmp.Diff(tc.wantErr, gotErr); diff != "" {
				t.Errorf("%s: -want error, +got error:\n%s", tc.reason, diff)
			}
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Errorf("%s: -want, +got:\n%s", tc.reason, diff)
			}
		})
	}
}

func TestFrom(t *testing.T) {
	found := failure.New(failure.ImageNotFound, "Image %q was not found", "x")
	if got := failure.From(fmt.Errorf("cannot inspect: %w", found)); got != found {
		t.Errorf("From(wrapped) = %v, want the failure itself", got)
	}
	want := &failure.Failure{Reason: failure.InternalError, Message: "disk full now"}
	if diff := cmp.Diff(want, failure.From(errors.New("disk full\nnow"))); diff != "" {
		t.Errorf("From(plain): -want, +got:\n%s", diff)
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte(`{"reason":"ImageNotFound","message":"x"}`))
	f.Add([]byte(`{"reason":"ValidationFailed","message":"\ud800"}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		got, err := failure.Parse(data)
		if err != nil {
			return
		}
		if !utf8.ValidString(got.Message) || strings.ContainsAny(got.Message, "\n\r\x00") || len(got.Message) > 1000 {
			t.Errorf("Parse(%q) let through %q", data, got.Message)
		}
		if _, err := json.Marshal(got); err != nil {
			t.Errorf("cannot encode what was parsed: %v", err)
		}
	})
}
