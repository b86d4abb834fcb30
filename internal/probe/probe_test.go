package probe_test

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/meteor-zone/meteor-operator/internal/probe"
	"github.com/meteor-zone/meteor-operator/internal/validate"
)

const prefix = "/notebook/ns/name"

// timeout leaves room for a machine that has other things to do.
const timeout = 3 * time.Second

func options(base string) probe.Options {
	return probe.Options{
		Base: base, Prefix: prefix, Timeout: timeout, Settle: timeout / 12,
		Watch: timeout / 6, Interval: timeout / 150, Request: timeout / 3,
	}
}

func TestRun(t *testing.T) {
	type want struct {
		Outcome validate.Outcome
		Status  int
	}
	cases := map[string]struct {
		reason string
		serve  func(n int64, w http.ResponseWriter, r *http.Request)
		want   want
	}{
		"Good": {
			reason: "A notebook that answers under its prefix passes",
			serve:  paths(map[string]int{prefix + "/api": 200}),
			want:   want{validate.OutcomeOK, 200},
		},
		"Starting": {
			reason: "Errors of a server that is still starting are waited out",
			serve: func(n int64, w http.ResponseWriter, _ *http.Request) {
				if n < 10 {
					w.WriteHeader(http.StatusServiceUnavailable)
				}
			},
			want: want{validate.OutcomeOK, 200},
		},
		"WrongPrefix": {
			reason: "One that answers at the root alone ignores its prefix",
			serve:  paths(map[string]int{"/api": 200}),
			want:   want{validate.OutcomeWrongPrefix, 404},
		},
		"Redirects": {
			reason: "A redirect is no answer, even if it leads to one",
			serve: func(_ int64, w http.ResponseWriter, r *http.Request) {
				http.Redirect(w, r, "/elsewhere", http.StatusFound)
			},
			want: want{validate.OutcomeBadStatus, 302},
		},
		"Refuses": {
			reason: "A notebook that wants a token does not pass",
			serve:  paths(map[string]int{prefix + "/api": 403}),
			want:   want{validate.OutcomeBadStatus, 403},
		},
		"KeepsFailing": {
			reason: "A server error that stays is reported with its status",
			serve:  paths(map[string]int{prefix + "/api": 500}),
			want:   want{validate.OutcomeBadStatus, 500},
		},
		"Hangs": {
			reason: "A server that takes requests and never answers is told from one that is not there",
			serve:  func(_ int64, _ http.ResponseWriter, r *http.Request) { <-r.Context().Done() },
			want:   want{validate.OutcomeNotHTTP, 0},
		},
		"Breaks": {
			reason: "A notebook that answers 200 and then errors does not pass",
			serve: func(n int64, w http.ResponseWriter, _ *http.Request) {
				if n > 3 {
					w.WriteHeader(http.StatusInternalServerError)
				}
			},
			want: want{validate.OutcomeBadStatus, 500},
		},
		"OneMiss": {
			reason: "A single missed answer is no crash",
			serve: func(n int64, _ http.ResponseWriter, _ *http.Request) {
				if n == 3 {
					panic(http.ErrAbortHandler)
				}
			},
			want: want{validate.OutcomeOK, 200},
		},
		"Gone": {
			reason: "A notebook that answered and stops answering has crashed",
			serve: func(n int64, _ http.ResponseWriter, _ *http.Request) {
				if n > 3 {
					panic(http.ErrAbortHandler)
				}
			},
			want: want{validate.OutcomeGone, 200},
		},
		"GoneBeforeGood": {
			reason: "One that answered something and ends before it was good has crashed too",
			serve: func(n int64, w http.ResponseWriter, _ *http.Request) {
				if n > 2 {
					panic(http.ErrAbortHandler)
				}
				w.WriteHeader(http.StatusServiceUnavailable)
			},
			want: want{validate.OutcomeGone, 503},
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var requests atomic.Int64
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				tc.serve(requests.Add(1), w, r)
			}))
			t.Cleanup(server.Close)
			got, err := probe.Run(context.Background(), options(server.URL))
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tc.want, want{got.Outcome, got.Status}); diff != "" {
				t.Errorf("%s: -want, +got:\n%s", tc.reason, diff)
			}
			if got.Attempts != int(requests.Load()) {
				t.Errorf("%d attempts reported, %d requests seen", got.Attempts, requests.Load())
			}
		})
	}
}

func TestFirst(t *testing.T) {
	var n atomic.Int64
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		if n.Add(1) < 3 {
			w.WriteHeader(http.StatusServiceUnavailable)
		}
	}))
	t.Cleanup(server.Close)
	if got := probe.First(context.Background(), options(server.URL)); got == nil || got.Attempts != 3 || time.Since(got.At) > time.Second {
		t.Errorf("First = %+v, want the third attempt", got)
	}
	opts := options("http://" + freeAddress(t))
	opts.Timeout = 50 * time.Millisecond
	if got := probe.First(context.Background(), opts); got != nil {
		t.Errorf("First = %+v where nobody is", got)
	}
}

func TestRunAfterAnEarlierAnswer(t *testing.T) {
	cases := map[string]struct {
		reason   string
		status   int
		address  string
		age      time.Duration
		want     validate.Outcome
		requests int64
	}{
		"Old":   {reason: "An answer of long ago is confirmed once", status: 200, age: time.Minute, want: validate.OutcomeOK, requests: 1},
		"Turns": {reason: "A notebook that has turned bad since does not pass", status: 500, age: time.Minute, want: validate.OutcomeBadStatus, requests: 1},
		"Gone":  {reason: "One that is gone since has crashed", address: freeAddress(t), age: time.Minute, want: validate.OutcomeGone},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			var requests atomic.Int64
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				requests.Add(1)
				w.WriteHeader(tc.status)
			}))
			t.Cleanup(server.Close)
			opts := options(server.URL)
			if tc.address != "" {
				opts.Base = "http://" + tc.address
			}
			opts.Before = &probe.Answer{At: time.Now().Add(-tc.age), Seconds: 0.5, Attempts: 2}
			got, err := probe.Run(context.Background(), opts)
			if err != nil || got.Outcome != tc.want || requests.Load() != tc.requests || got.Seconds != 0.5 {
				t.Errorf("%s: %+v, %v after %d requests, want %s after %d", tc.reason, got, err, requests.Load(), tc.want, tc.requests)
			}
		})
	}
}

func TestRunNobodyThere(t *testing.T) {
	got, err := probe.Run(context.Background(), options("http://"+freeAddress(t)))
	if err != nil || got.Outcome != validate.OutcomeTimeout || got.Seconds < timeout.Seconds() {
		t.Errorf("Run = %+v, %v, want a timeout after %s", got, err, timeout)
	}
}

func TestRunNotHTTP(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = listener.Close() })
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			_, _ = io.WriteString(conn, "220 mail.example ESMTP\r\n")
			_ = conn.Close()
		}
	}()
	got, err := probe.Run(context.Background(), options("http://"+listener.Addr().String()))
	if err != nil || got.Outcome != validate.OutcomeNotHTTP {
		t.Errorf("Run = %+v, %v, want not-http", got, err)
	}
}

func TestRunStartsLate(t *testing.T) {
	address := freeAddress(t)
	server := &http.Server{Addr: address, Handler: http.HandlerFunc(paths200), ReadHeaderTimeout: time.Second}
	t.Cleanup(func() { _ = server.Close() })
	time.AfterFunc(200*time.Millisecond, func() { _ = server.ListenAndServe() })
	got, err := probe.Run(context.Background(), options("http://"+address))
	if err != nil || got.Outcome != validate.OutcomeOK || got.Seconds < 0.2 {
		t.Errorf("Run = %+v, %v, want ok after 0.2 s", got, err)
	}
}

func TestRunCancelled(t *testing.T) {
	ctx, cancel := context.WithTimeout(context.Background(), 50*time.Millisecond)
	defer cancel()
	if _, err := probe.Run(ctx, options("http://"+freeAddress(t))); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("Run: %v, want the context's error", err)
	}
}

func paths(status map[string]int) func(int64, http.ResponseWriter, *http.Request) {
	return func(_ int64, w http.ResponseWriter, r *http.Request) {
		code, ok := status[r.URL.Path]
		if !ok {
			code = http.StatusNotFound
		}
		w.WriteHeader(code)
	}
}

func paths200(http.ResponseWriter, *http.Request) {}

func freeAddress(t *testing.T) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	return listener.Addr().String()
}
