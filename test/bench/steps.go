package main

import (
	"context"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	tektonv1 "github.com/tektoncd/pipeline/pkg/apis/pipeline/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"

	"github.com/meteor-zone/meteor-operator/test/bench/buildah"
	"github.com/meteor-zone/meteor-operator/test/bench/internal/figures"
)

// logs reads what containers have printed.
type logs struct{ client *kubernetes.Clientset }

func newLogs(config *rest.Config) (logs, error) {
	c, err := kubernetes.NewForConfig(config)
	if err != nil {
		return logs{}, fmt.Errorf("cannot read logs: %w", err)
	}
	return logs{c}, nil
}

func (l logs) of(ctx context.Context, namespace, pod, container string) (string, error) {
	text, err := l.client.CoreV1().Pods(namespace).GetLogs(pod, &corev1.PodLogOptions{Container: container}).DoRaw(ctx)
	if err != nil {
		return "", fmt.Errorf("cannot read the log of container %s of pod %s: %w", container, pod, err)
	}
	return string(text), nil
}

// What each step of the builder says at its end.
var (
	tookRE   = regexp.MustCompile(`(?m)^builder (\S+): took ([0-9.]+) s`)
	memoryRE = regexp.MustCompile(`(?m)^builder \S+: .*its own peak memory ([0-9]+) MiB`)
	pipRE    = regexp.MustCompile(`(?m)^pip took ([0-9.]+) s`)
)

// readSteps reads how long the steps of a build took and what memory they needed.
func (t *trial) readSteps(ctx context.Context, run *tektonv1.TaskRun, s *sample) error {
	buildahLogs, err := buildah.NewLogs(t.Config)
	if err != nil {
		return err
	}
	if s.span, err = buildah.Span(ctx, t.Client, buildahLogs, run); err != nil {
		return err
	}
	s.steps, s.memory = map[string]time.Duration{}, map[string]int{}
	for _, step := range run.Status.Steps {
		text, err := t.logs.of(ctx, run.Namespace, run.Status.PodName, step.Container)
		if err != nil {
			return err
		}
		took, memory := tookRE.FindStringSubmatch(text), memoryRE.FindStringSubmatch(text)
		if took == nil || memory == nil {
			return fmt.Errorf("step %s does not say how long it took and what memory it needed", step.Name)
		}
		if s.steps[step.Name], err = secondsOf(took[2]); err != nil {
			return err
		}
		if s.memory[step.Name], err = strconv.Atoi(memory[1]); err != nil {
			return err
		}
	}
	return nil
}

func secondsOf(text string) (time.Duration, error) { return time.ParseDuration(text + "s") }

// took is how long pip says that it took.
func (l logs) took(ctx context.Context, namespace, pod, container string) (time.Duration, error) {
	text, err := l.of(ctx, namespace, pod, container)
	if err != nil {
		return 0, err
	}
	said := pipRE.FindStringSubmatch(text)
	if said == nil {
		return 0, fmt.Errorf("pod %s does not say how long pip took: %s", pod, text)
	}
	return secondsOf(said[1])
}

// install is the time that a layer build spends on what pip alone would do too, and on making an image of that:
// everything but resolving, which whoever runs pip with a lock has behind him, and Tekton's way from step to step.
func (s sample) install() time.Duration {
	var sum time.Duration
	for name, took := range s.steps {
		if name != "resolve" {
			sum += took
		}
	}
	return sum
}

// compare adds the figures of one wish.
func (b *bench) compare(w wish, by map[string][]sample) {
	layer, other, pip := by[byLayer], by[byBuildah], by[byPip]
	if len(layer) == 0 || len(other) == 0 || len(pip) == 0 {
		return
	}
	span := func(s sample) time.Duration { return s.span }
	ready := func(s sample) time.Duration { return s.ready }
	bytesOf := func(s sample) time.Duration { return time.Duration(s.pushed) }
	fast, slow := median(layer, span), median(other, span)
	b.seconds(w.name+"_layer_first_step_to_last_step_end", fast, figures.NoBar)
	b.seconds(w.name+"_buildah_first_step_to_last_step_end", slow, figures.NoBar)
	b.atLeast(w.name+"_buildah_over_layer", ratio(slow, fast), "times", w.faster)
	few, many := median(layer, bytesOf), median(other, bytesOf)
	b.add(figures.Figure{Name: w.name + "_layer_pushed", Value: megabytes(int64(few)), Unit: "MB", Bar: figures.NoBar})
	b.add(figures.Figure{Name: w.name + "_buildah_pushed", Value: megabytes(int64(many)), Unit: "MB", Bar: figures.NoBar})
	b.atLeast(w.name+"_buildah_over_layer_pushed", ratio(many, few), "times", fewerBytes)
	b.seconds(w.name+"_layer_create_to_ready", median(layer, ready), w.ready)
	b.seconds(w.name+"_buildah_create_to_ready", median(other, ready), figures.NoBar)
	installed, alone := median(layer, sample.install), median(pip, span)
	b.seconds(w.name+"_pip_alone", alone, figures.NoBar)
	b.seconds(w.name+"_layer_without_resolving", installed, figures.NoBar)
	b.seconds(w.name+"_layer_without_resolving_minus_pip", installed-alone, w.overPip)
	b.add(figures.Figure{Name: w.name + "_layer_without_resolving_over_pip", Value: ratio(installed, alone), Unit: "times", Bar: w.timesPip})
	for _, step := range stepsOf(layer) {
		b.seconds(w.name+"_layer_step_"+step, median(layer, func(s sample) time.Duration { return s.steps[step] }), figures.NoBar)
	}
}

// tellMemory adds the most memory that each step needed in any build.
func (b *bench) tellMemory(samples map[string]map[string][]sample) {
	for _, w := range wishes() {
		for _, step := range stepsOf(samples[w.name][byLayer]) {
			most := 0
			for _, s := range samples[w.name][byLayer] {
				most = max(most, s.memory[step])
			}
			b.add(figures.Figure{Name: w.name + "_layer_peak_memory_" + step, Value: float64(most), Unit: "MiB", Bar: mostMemory})
		}
	}
}

// stepsOf are the names of the steps, sorted.
func stepsOf(samples []sample) []string {
	var names []string
	for _, s := range samples {
		for name := range s.steps {
			if !slices.Contains(names, name) {
				names = append(names, name)
			}
		}
	}
	slices.Sort(names)
	return names
}

func median(samples []sample, of func(sample) time.Duration) time.Duration {
	var all []time.Duration
	for _, s := range samples {
		all = append(all, of(s))
	}
	return percentile(all, 50)
}

func ratio(a, b time.Duration) float64 {
	if b <= 0 {
		return 0
	}
	hundredths, _ := strconv.ParseFloat(strconv.FormatFloat(float64(a)/float64(b), 'f', 2, 64), 64)
	return hundredths
}

func megabytes(n int64) float64 { return float64(n/10_000) / 100 }

func dashes(name string) string { return strings.ReplaceAll(name, "_", "-") }
