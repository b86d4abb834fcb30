// Package probe looks at a notebook from outside: it asks until the notebook answers under its prefix, and then
// sees whether it goes on answering.
package probe

import (
	"context"
	"io"
	"net/http"
	"time"

	"github.com/meteor-zone/meteor-operator/internal/validate"
)

// patience is how many times longer than Settle a refusing notebook is given, that answers nowhere else either:
// something in front of it may be up before it is.
const patience = 4

// Options say what to ask and how long.
type Options struct {
	// Base is scheme, host and port, such as http://127.0.0.1:8888.
	Base string
	// Prefix is $NB_PREFIX.
	Prefix string
	// Timeout is how long the notebook may take to give a good answer.
	Timeout time.Duration
	// Settle is how long a notebook that answers elsewhere, or refuses, may take to change its mind.
	Settle time.Duration
	// Watch is how long a good notebook is watched.
	Watch time.Duration
	// Interval is the time between two attempts.
	Interval time.Duration
	// Request is how long one attempt may take.
	Request time.Duration
	// Before is a good answer that was had earlier, nil if there was none: what is left then is the watching.
	Before *Answer
}

// Answer is the first good answer of a notebook.
type Answer struct {
	// At is when it came.
	At time.Time `json:"at"`
	// Seconds and Attempts say what it took.
	Seconds  float64 `json:"seconds"`
	Attempts int     `json:"attempts"`
}

// DefaultOptions are what is asked of notebooks that run beside the probe.
func DefaultOptions() Options {
	return Options{
		Base:     "http://127.0.0.1:8888",
		Timeout:  2 * time.Minute,
		Settle:   5 * time.Second,
		Watch:    1500 * time.Millisecond,
		Interval: 100 * time.Millisecond,
		Request:  5 * time.Second,
	}
}

// Run probes. The error is ctx's when that ends first.
func Run(ctx context.Context, opts Options) (*validate.Probe, error) {
	p := &prober{Options: opts, start: time.Now(), client: newClient(opts.Request)}
	defer p.client.CloseIdleConnections()
	if opts.Before != nil {
		p.seen.Seconds, p.seen.Attempts = opts.Before.Seconds, opts.Before.Attempts
		p.seen.Outcome = p.watch(ctx, opts.Before.At)
		return &p.seen, ctx.Err()
	}
	p.seen.Outcome = p.await(ctx)
	p.seen.Seconds = p.elapsed()
	if p.seen.Outcome == validate.OutcomeOK {
		p.seen.Outcome = p.watch(ctx, time.Now())
	}
	return &p.seen, ctx.Err()
}

// First asks for up to Timeout and returns the first good answer, nil if there was none by then. It judges nothing.
func First(ctx context.Context, opts Options) *Answer {
	p := &prober{Options: opts, start: time.Now(), client: newClient(opts.Request)}
	defer p.client.CloseIdleConnections()
	for {
		if p.ask(ctx, p.Prefix) == http.StatusOK {
			return &Answer{At: time.Now(), Seconds: p.elapsed(), Attempts: p.seen.Attempts}
		}
		if time.Since(p.start) >= p.Timeout || !sleep(ctx, p.Interval) {
			return nil
		}
	}
}

func newClient(timeout time.Duration) *http.Client {
	return &http.Client{
		Timeout: timeout,
		// A proxy would be asked for its own idea of 127.0.0.1, and a kept connection would hide a crash.
		Transport:     &http.Transport{Proxy: nil, DisableKeepAlives: true, MaxResponseHeaderBytes: 64 << 10},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

type prober struct {
	Options
	client *http.Client
	start  time.Time
	seen   validate.Probe
	// since is when the present run of answers began, zero while there are none.
	since time.Time
	// answered says that there was an answer at some time, connected that at least something listened.
	answered, connected bool
}

// await asks until there is a good answer, a final bad one, or no time left.
func (p *prober) await(ctx context.Context) validate.Outcome {
	for {
		status := p.ask(ctx, p.Prefix)
		switch {
		case status == http.StatusOK:
			return validate.OutcomeOK
		case status == 0:
			p.since = time.Time{}
		case p.since.IsZero():
			p.since, p.answered = time.Now(), true
		}
		if outcome := p.verdict(ctx, status); outcome != "" {
			return outcome
		}
		if !sleep(ctx, p.Interval) {
			return validate.OutcomeTimeout
		}
	}
}

// verdict returns the outcome if it is certain after an answer other than 200, or after none.
func (p *prober) verdict(ctx context.Context, status int) validate.Outcome {
	late := time.Since(p.start) >= p.Timeout
	if status == 0 {
		switch {
		case !late:
			return ""
		case p.answered:
			return validate.OutcomeGone
		case p.connected:
			return validate.OutcomeNotHTTP
		}
		return validate.OutcomeTimeout
	}
	stable := time.Since(p.since)
	// A server that is still starting says 5xx; anything else is its opinion.
	settled := stable >= p.Settle && status < http.StatusInternalServerError
	if !late && !settled {
		return ""
	}
	elsewhere := p.Prefix != "" && p.ask(ctx, "") == http.StatusOK
	p.seen.Status = status
	switch {
	case elsewhere:
		return validate.OutcomeWrongPrefix
	case late, stable >= patience*p.Settle:
		return validate.OutcomeBadStatus
	}
	return ""
}

// watch sees whether a notebook that answered well at since goes on answering. It asks once at least.
func (p *prober) watch(ctx context.Context, since time.Time) validate.Outcome {
	for {
		if p.ask(ctx, p.Prefix) == 0 && !p.recovers(ctx) {
			return validate.OutcomeGone
		}
		if time.Since(since) >= p.Watch || !sleep(ctx, p.Interval) {
			break
		}
	}
	if p.seen.Status != http.StatusOK {
		return validate.OutcomeBadStatus
	}
	return validate.OutcomeOK
}

// recovers tells a single missed answer from an end.
func (p *prober) recovers(ctx context.Context) bool {
	const tries = 3
	for range tries {
		if !sleep(ctx, p.Interval) || p.ask(ctx, p.Prefix) != 0 {
			return true
		}
	}
	return false
}

// ask returns the status of one request to the API under prefix, 0 if there was no answer.
func (p *prober) ask(ctx context.Context, prefix string) int {
	p.seen.Attempts++
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, p.Base+prefix+"/api", nil)
	if err != nil {
		return 0
	}
	resp, err := p.client.Do(req)
	if err != nil {
		p.connected = p.connected || !isDialError(err)
		return 0
	}
	defer resp.Body.Close()
	// What it says does not matter; that it ends does.
	if _, err := io.Copy(io.Discard, io.LimitReader(resp.Body, 64<<10)); err != nil {
		return 0
	}
	p.seen.Status = resp.StatusCode
	return resp.StatusCode
}

func (p *prober) elapsed() float64 {
	return float64(time.Since(p.start).Milliseconds()) / 1000
}

func sleep(ctx context.Context, d time.Duration) bool {
	select {
	case <-ctx.Done():
		return false
	case <-time.After(d):
		return true
	}
}
