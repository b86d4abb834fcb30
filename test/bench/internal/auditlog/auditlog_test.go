package auditlog

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestRead(t *testing.T) {
	file := filepath.Join(t.TempDir(), "audit.log")
	if _, err := End(file); err == nil {
		t.Error("there is no log yet")
	}
	if err := os.WriteFile(file, []byte("one\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	since, err := End(file)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, []byte("one\ntwo\nthree\nfou"), 0o600); err != nil {
		t.Fatal(err)
	}
	var got []string
	err = Read(file, since, func(line []byte) error {
		got = append(got, string(line))
		return nil
	})
	if diff := cmp.Diff([]string{"two\n", "three\n"}, got); diff != "" || err != nil {
		t.Errorf("%v\n-want, +got:\n%s", err, diff)
	}
	if err := Read(file, 100, func([]byte) error { return nil }); err == nil {
		t.Error("a log that was begun anew must be an error")
	}
}
