package apiserver

import (
	"errors"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestParse(t *testing.T) {
	const line = `{"verb":"delete","stageTimestamp":"2026-03-04T05:06:07.000000Z","user":{"username":"someone"},` +
		`"objectRef":{"resource":"meteors","namespace":"team","name":"demo"},"responseStatus":{"code":200}}`
	want := Request{
		User: "someone", Verb: "delete", Resource: "meteors", Namespace: "team", Name: "demo", Status: 200,
		At: time.Date(2026, 3, 4, 5, 6, 7, 0, time.UTC),
	}
	got, err := parse([]byte(line))
	if diff := cmp.Diff(want, got); diff != "" || err != nil {
		t.Errorf("%v\n-want, +got:\n%s", err, diff)
	}
	if _, err := parse([]byte("{")); err == nil {
		t.Error("half a line is no request")
	}
	if !want.Writes() || (Request{Verb: "watch"}).Writes() {
		t.Error("a look is no write, and a removal is one")
	}
}

func TestInParallel(t *testing.T) {
	var sum atomic.Int64
	if err := InParallel(100, func(i int) error { sum.Add(int64(i)); return nil }); err != nil || sum.Load() != 4950 {
		t.Errorf("each once: got %d, %v", sum.Load(), err)
	}
	bad := errors.New("bad")
	if err := InParallel(100, func(int) error { return bad }); !errors.Is(err, bad) {
		t.Errorf("got %v", err)
	}
}
