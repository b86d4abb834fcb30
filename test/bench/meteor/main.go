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
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/go-logr/logr"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/meteor-zone/meteor-operator/apis/v1alpha1"
	"github.com/meteor-zone/meteor-operator/test/bench/internal/apiserver"
	"github.com/meteor-zone/meteor-operator/test/bench/internal/figures"
)

const (
	// namespaces is how many the Meteors are spread over.
	namespaces = 100
	// soonest is the shortest ttl.
	soonest = 60 * time.Second
)

// rules have the API server note what the manager asks for.
const rules = `- level: Metadata
  users: ["` + apiserver.Account + `"]
- level: None
`

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
	server, err := apiserver.Start(ctx, rules)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, server.Stop()) }()
	if err := server.StartManager(ctx); err != nil {
		return err
	}
	due, err := makeMeteors(ctx, server.Client, s)
	if err != nil {
		return err
	}
	last := slices.MaxFunc(ends(due), time.Time.Compare)
	fmt.Fprintf(os.Stderr, "%d Meteors are there; the last one ends in %s\n", len(due), time.Until(last).Round(time.Second))
	most, err := watchMemory(ctx, server, last)
	if err != nil {
		return err
	}
	requests, err := server.Audit(0)
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
func makeMeteors(ctx context.Context, c client.Client, s settings) (map[key]time.Time, error) {
	for i := range namespaces {
		ns := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: fmt.Sprintf("bench-%d", i)}}
		if err := c.Create(ctx, ns); err != nil {
			return nil, fmt.Errorf("cannot make a namespace: %w", err)
		}
	}
	var mu sync.Mutex
	due := map[key]time.Time{}
	err := apiserver.InParallel(s.meteors, func(i int) error {
		ttl := soonest + time.Duration(i)*s.spread/time.Duration(s.meteors)
		m := &v1alpha1.Meteor{
			ObjectMeta: metav1.ObjectMeta{Namespace: fmt.Sprintf("bench-%d", i%namespaces), Name: fmt.Sprintf("meteor-%05d", i)},
			Spec:       v1alpha1.MeteorSpec{URL: "https://git.example.com/org/repository", TTL: ptr.To(int64(ttl.Seconds()))},
		}
		if err := c.Create(ctx, m); err != nil {
			return fmt.Errorf("cannot make a Meteor: %w", err)
		}
		mu.Lock()
		defer mu.Unlock()
		due[key{m.Namespace, m.Name}] = m.CreationTimestamp.Add(ttl.Truncate(time.Second))
		return nil
	})
	return due, err
}

// watchMemory waits until no Meteor is left, and returns the most memory that the manager had meanwhile, in MB.
func watchMemory(ctx context.Context, server *apiserver.Server, last time.Time) (float64, error) {
	const grace = 2 * time.Minute
	most := 0.0
	for {
		rss, err := server.RSS()
		if err != nil {
			return 0, err
		}
		most = max(most, rss)
		list := &metav1.PartialObjectMetadataList{}
		list.SetGroupVersionKind(v1alpha1.GroupVersion.WithKind("MeteorList"))
		if err := server.Client.List(ctx, list, client.Limit(1)); err != nil {
			return 0, fmt.Errorf("cannot list Meteors: %w", err)
		}
		if len(list.Items) == 0 {
			return most, nil
		}
		if time.Since(last) > grace {
			return most, fmt.Errorf("there are Meteors %s after the last one's time", grace)
		}
		if err := apiserver.Sleep(ctx, 2*time.Second); err != nil {
			return most, err
		}
	}
}

// report prints the figures.
func report(due map[key]time.Time, requests []apiserver.Request, rss float64) error {
	var late []time.Duration
	count := map[string]int{}
	early := 0
	for _, r := range requests {
		end, ours := due[key{r.Namespace, r.Name}]
		switch {
		case ours && r.Resource == "meteors" && r.Verb == "delete" && r.Status < 300:
			late = append(late, r.At.Sub(end))
			if r.At.Before(end) {
				early++
			}
		case ours && r.Resource == "meteors" && r.Verb != "get":
			count["meteor_status_writes_each"]++
		case r.Resource == "events":
			count["meteor_events_each"]++
		}
		if strings.HasPrefix(r.Namespace, "bench-") {
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
	for _, f := range []figures.Figure{
		{Name: "meteor_removal_late_p50", Value: at(0.5), Unit: "s", Bar: figures.NoBar},
		{Name: "meteor_removal_late_p99", Value: at(0.99), Unit: "s", Bar: 2},
		{Name: "meteor_removal_late_max", Value: at(1), Unit: "s", Bar: figures.NoBar},
		{Name: "meteor_removals_early", Value: float64(early), Unit: "removals"},
	} {
		fmt.Println(f)
	}
	for _, name := range []string{"meteor_requests_each", "meteor_status_writes_each", "meteor_events_each"} {
		fmt.Println(figures.Figure{Name: name, Value: float64(count[name]*100/len(due)) / 100, Unit: "requests", Bar: figures.NoBar})
	}
	fmt.Println(figures.Figure{Name: "meteor_rss_most", Value: rss, Unit: "MB", Bar: figures.NoBar})
	return nil
}
