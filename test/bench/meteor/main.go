// Command meteor measures how punctually the operator removes Meteors: a real kube-apiserver and etcd without kubelet and
// without Tekton, and the manager as a process of its own, with the rights that config/default gives it. What is counted
// is counted in the API server's audit log. What it does goes to the error output; the figures come last, a line each:
//
//	figure NAME VALUE UNIT max|min BAR
//
// where BAR is - for a figure that has none. A figure that misses its bar is no error: these are no tests. The machine
// must have nothing else to do meanwhile.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/go-logr/logr"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/meteor-zone/meteor-operator/apis/v1alpha1"
)

const (
	// namespaces is how many the Meteors are spread over.
	namespaces = 100
	// soonest is the shortest ttl.
	soonest = 60 * time.Second
	// makers is how many Meteors are made at once.
	makers = 8
)

// settings is what flags say.
type settings struct {
	meteors int
	spread  time.Duration
}

func main() {
	var s settings
	flag.IntVar(&s.meteors, "meteors", 10_000, "how many Meteors there are")
	flag.DurationVar(&s.spread, "spread", 10*time.Minute, "the time that their ends are spread over")
	flag.Parse()
	ctrl.SetLogger(logr.Discard())
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, s)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench-meteor:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, s settings) (err error) {
	w, err := newWorld(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, w.stop()) }()
	if err := w.startManager(ctx); err != nil {
		return err
	}
	due, err := w.makeMeteors(ctx, s)
	if err != nil {
		return err
	}
	last := slices.MaxFunc(ends(due), time.Time.Compare)
	fmt.Fprintf(os.Stderr, "%d Meteors are there; the last one ends in %s\n", len(due), time.Until(last).Round(time.Second))
	most, err := w.watchMemory(ctx, last)
	if err != nil {
		return err
	}
	requests, err := w.audit()
	if err != nil {
		return err
	}
	return report(due, requests, most)
}

// key names a Meteor.
type key struct{ namespace, name string }

func ends(due map[key]time.Time) []time.Time {
	var all []time.Time
	for _, t := range due {
		all = append(all, t)
	}
	return all
}

// makeMeteors makes the Meteors and returns when each has to go.
func (w *world) makeMeteors(ctx context.Context, s settings) (map[key]time.Time, error) {
	var mu sync.Mutex
	due := map[key]time.Time{}
	errs := make([]error, makers)
	var wg sync.WaitGroup
	for maker := range makers {
		wg.Go(func() {
			for i := maker; i < s.meteors && errs[maker] == nil; i += makers {
				ttl := soonest + time.Duration(i)*s.spread/time.Duration(s.meteors)
				m := &v1alpha1.Meteor{
					ObjectMeta: metav1.ObjectMeta{Namespace: fmt.Sprintf("bench-%d", i%namespaces), Name: fmt.Sprintf("meteor-%05d", i)},
					Spec:       v1alpha1.MeteorSpec{URL: "https://git.example.com/org/repository", TTL: ptr.To(int64(ttl.Seconds()))},
				}
				if err := w.client.Create(ctx, m); err != nil {
					errs[maker] = fmt.Errorf("cannot make a Meteor: %w", err)
					return
				}
				mu.Lock()
				due[key{m.Namespace, m.Name}] = m.CreationTimestamp.Add(ttl.Truncate(time.Second))
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	return due, errors.Join(errs...)
}

// watchMemory waits until no Meteor is left, and returns the most memory that the manager had meanwhile, in MB.
func (w *world) watchMemory(ctx context.Context, last time.Time) (float64, error) {
	const grace = 2 * time.Minute
	most := 0.0
	for {
		rss, err := w.rss()
		if err != nil {
			return 0, err
		}
		most = max(most, rss)
		list := &metav1.PartialObjectMetadataList{}
		list.SetGroupVersionKind(v1alpha1.GroupVersion.WithKind("MeteorList"))
		if err := w.client.List(ctx, list, client.Limit(1)); err != nil {
			return 0, fmt.Errorf("cannot list Meteors: %w", err)
		}
		if len(list.Items) == 0 {
			return most, nil
		}
		if time.Since(last) > grace {
			return most, fmt.Errorf("there are Meteors %s after the last one's time", grace)
		}
		select {
		case <-ctx.Done():
			return most, ctx.Err()
		case <-time.After(2 * time.Second):
		}
	}
}

// report prints the figures.
func report(due map[key]time.Time, requests []request, rss float64) error {
	var late []time.Duration
	count := map[string]int{}
	early := 0
	for _, r := range requests {
		end, ours := due[key{r.namespace, r.name}]
		switch {
		case ours && r.resource == "meteors" && r.verb == "delete" && r.status < 300:
			late = append(late, r.at.Sub(end))
			if r.at.Before(end) {
				early++
			}
		case ours && r.resource == "meteors" && r.verb != "get":
			count["meteor_status_writes_each"]++
		case r.resource == "events":
			count["meteor_events_each"]++
		}
		if strings.HasPrefix(r.namespace, "bench-") {
			count["meteor_requests_each"]++
		}
	}
	if len(late) != len(due) {
		return fmt.Errorf("%d Meteors were removed of %d", len(late), len(due))
	}
	slices.Sort(late)
	at := func(share float64) float64 {
		return late[min(len(late)-1, int(share*float64(len(late))))].Round(time.Millisecond).Seconds()
	}
	figure("meteor_removal_late_p50", at(0.5), "s", "-")
	figure("meteor_removal_late_p99", at(0.99), "s", "2")
	figure("meteor_removal_late_max", at(1), "s", "-")
	figure("meteor_removals_early", float64(early), "removals", "0")
	for _, name := range []string{"meteor_requests_each", "meteor_status_writes_each", "meteor_events_each"} {
		figure(name, float64(count[name]*100/len(due))/100, "requests", "-")
	}
	figure("meteor_rss_most", rss, "MB", "-")
	return nil
}

func figure(name string, value float64, unit, most string) {
	fmt.Printf("figure %s %s %s max %s\n", name, strconv.FormatFloat(value, 'f', -1, 64), unit, most)
}
