package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	tektonv1 "github.com/tektoncd/pipeline/pkg/apis/pipeline/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/meteor-zone/meteor-operator/apis/v1alpha1"
	"github.com/meteor-zone/meteor-operator/test/bench/buildah"
	"github.com/meteor-zone/meteor-operator/test/bench/internal/figures"
)

// buildWithin is how long a build may take, validation included, before something is wrong.
const buildWithin = 10 * time.Minute

// betweenBuilds is how long the node has to clear away what the last build has left.
const betweenBuilds = 3 * time.Second

// wish is what is built in each of the ways, and the bars for it; without one, a bar is negative.
type wish struct {
	name     string
	packages []string
	// faster is how many times faster than buildah the layer build is to be.
	faster float64
	// ready is how many seconds an object may take to be Ready.
	ready float64
	// overPip is how many seconds the layer build may take beyond pip alone, and timesPip how many times as long.
	overPip, timesPip float64
}

func wishes() []wish {
	return []wish{
		{name: "small", packages: []string{"meteor-small"}, faster: 10, ready: 15, overPip: 0.6, timesPip: figures.NoBar},
		{name: "pandas_boto3", packages: []string{"pandas", "boto3>=1.24.0"}, faster: 4, ready: figures.NoBar, overPip: figures.NoBar, timesPip: 1.25},
	}
}

const (
	// fewerBytes is how many times fewer bytes than buildah the layer build is to push.
	fewerBytes = 10
	// mostMemory is how many MiB a step may take besides the installer.
	mostMemory = 200
)

// sample is one build.
type sample struct {
	// span is from the first step's start to the last step's end, ready from the creation to the end of the validation.
	span, ready time.Duration
	// pushed is what the registry received from pods meanwhile.
	pushed int64
	// steps is how long each step took, and memory each one's peak in MiB, without that of the programs that it ran.
	steps  map[string]time.Duration
	memory map[string]int
}

// builds compares the ways to build an image, one build at a time and each way in turn. Who interrupts it gets the
// figures of the builds that were done.
func (b *bench) builds(ctx context.Context, n int) error {
	t, remove, err := b.newTrial(ctx)
	if err != nil {
		return err
	}
	defer remove()
	for i := -1; i < n && ctx.Err() == nil; i++ {
		for _, w := range wishes() {
			if i < 0 {
				fmt.Fprintf(os.Stderr, "Building %s in each way, to warm up\n", w.name)
			} else {
				fmt.Fprintf(os.Stderr, "Building %s in each way, %d of %d\n", w.name, i+1, n)
			}
			if err := t.round(ctx, w, i); err != nil && (ctx.Err() == nil || i < 1) {
				return err
			}
		}
	}
	for _, w := range wishes() {
		b.compare(w, t.samples[w.name])
	}
	b.tellMemory(t.samples)
	return nil
}

// The ways in which an image is built.
const (
	byLayer   = "layer"
	byBuildah = "buildah"
	byPip     = "pip"
)

// trial is what the builds need.
type trial struct {
	*bench
	// layers is the namespace of the layer builds, which enforces restricted; others is that of the others.
	layers, others string
	meter          meter
	logs           logs
	// samples are the measured builds by wish and way.
	samples map[string]map[string][]sample
	// built are images that layer builds have made, by wish, and locks theirs.
	built, locks map[string]string
}

func (b *bench) newTrial(ctx context.Context) (*trial, func(), error) {
	layers, removeLayers, err := b.namespace(ctx)
	if err != nil {
		return nil, nil, err
	}
	ns := buildah.Namespace("bench-")
	if err := b.Client.Create(ctx, ns); err != nil {
		removeLayers()
		return nil, nil, fmt.Errorf("cannot make a namespace: %w", err)
	}
	t := &trial{bench: b, layers: layers, others: ns.Name, samples: map[string]map[string][]sample{}, built: map[string]string{}, locks: map[string]string{}}
	remove := func() {
		removeLayers()
		t.meter.remove(context.WithoutCancel(ctx))
		if err := b.Client.Delete(context.WithoutCancel(ctx), ns); err != nil {
			fmt.Fprintln(os.Stderr, "bench: cannot remove a namespace:", err)
		}
	}
	if t.logs, err = newLogs(b.Config); err == nil {
		t.meter, err = newMeter(ctx, b.Cluster)
	}
	if err != nil {
		remove()
		return nil, nil, err
	}
	return t, remove, nil
}

// round builds in each way. The order changes from round to round, so that no way always follows the same one.
func (t *trial) round(ctx context.Context, w wish, i int) error {
	name := fmt.Sprintf("round-%d-%s", i+1, dashes(w.name))
	ways := []struct {
		name  string
		build func(context.Context, wish, string) (sample, error)
	}{{byLayer, t.layer}, {byBuildah, t.buildah}, {byPip, t.pip}}
	for k := range ways {
		way := ways[(k+max(i, 0))%len(ways)]
		s, err := t.measured(ctx, func(ctx context.Context) (sample, error) { return way.build(ctx, w, name) })
		if err != nil {
			return fmt.Errorf("cannot build %s by %s: %w", w.name, way.name, err)
		}
		fmt.Fprintf(os.Stderr, "  %-8s %6.2f s of steps, %6.2f s in all, %.2f MB pushed\n", way.name, s.span.Seconds(), s.ready.Seconds(), megabytes(s.pushed))
		if i < 0 {
			continue
		}
		if t.samples[w.name] == nil {
			t.samples[w.name] = map[string][]sample{}
		}
		t.samples[w.name][way.name] = append(t.samples[w.name][way.name], s)
	}
	return nil
}

// measured builds, and counts what the registry receives meanwhile.
func (t *trial) measured(ctx context.Context, build func(context.Context) (sample, error)) (sample, error) {
	ctx, cancel := context.WithTimeout(ctx, buildWithin)
	defer cancel()
	if err := pause(ctx, betweenBuilds); err != nil {
		return sample{}, err
	}
	before, err := t.meter.read(ctx)
	if err != nil {
		return sample{}, err
	}
	s, err := build(ctx)
	if err != nil {
		return sample{}, err
	}
	after, err := t.meter.read(ctx)
	s.pushed = after - before
	return s, err
}

// layer builds as the operator does, for an object.
func (t *trial) layer(ctx context.Context, w wish, name string) (sample, error) {
	obj := &v1alpha1.CustomNBImage{
		ObjectMeta: metav1.ObjectMeta{Namespace: t.layers, Name: name},
		Spec: v1alpha1.CustomNBImageSpec{
			BuildType: v1alpha1.BuildTypePackageList, PackageVersions: w.packages, BuilderImage: v1alpha1.ImageReference(t.Local.Images["jupyter"]),
		},
	}
	begin := time.Now()
	if err := t.Client.Create(ctx, obj); err != nil {
		return sample{}, fmt.Errorf("cannot create %s: %w", name, err)
	}
	if err := t.awaitPhase(ctx, obj, v1alpha1.PhaseReady); err != nil {
		return sample{}, err
	}
	s := sample{ready: time.Since(begin)}
	if err := t.Client.Get(ctx, client.ObjectKeyFromObject(obj), obj); err != nil {
		return sample{}, fmt.Errorf("cannot read %s: %w", name, err)
	}
	t.built[w.name] = obj.Status.Image
	run, err := t.taskRun(ctx, t.layers, name, "build")
	if err != nil {
		return sample{}, err
	}
	return s, t.readSteps(ctx, run, &s)
}

// taskRun is the one of a pipeline's task.
func (t *trial) taskRun(ctx context.Context, namespace, object, task string) (*tektonv1.TaskRun, error) {
	runs := &tektonv1.TaskRunList{}
	labels := client.MatchingLabels{v1alpha1.LabelCustomNBImage: object, "tekton.dev/pipelineTask": task}
	if err := t.Client.List(ctx, runs, client.InNamespace(namespace), labels); err != nil {
		return nil, fmt.Errorf("cannot list TaskRuns: %w", err)
	}
	if len(runs.Items) != 1 {
		return nil, fmt.Errorf("%s has %d TaskRuns of task %s", object, len(runs.Items), task)
	}
	return &runs.Items[0], nil
}

// buildah builds a Containerfile, and has the result validated as the operator does.
func (t *trial) buildah(ctx context.Context, w wish, name string) (sample, error) {
	logs, err := buildah.NewLogs(t.Config)
	if err != nil {
		return sample{}, err
	}
	request := buildah.Request{
		Namespace: t.others, Name: name, Base: t.Local.Images["jupyter"], Target: t.Local.Registry + "/" + t.others + "/" + name + ":1",
		Packages: w.packages, Driver: "overlay",
	}
	begin := time.Now()
	var s sample
	if s.span, err = buildah.Build(ctx, t.Client, logs, t.Local, request); err != nil {
		return sample{}, err
	}
	if err := t.validate(ctx, name, request.Target); err != nil {
		return sample{}, err
	}
	s.ready = time.Since(begin)
	return s, nil
}

// validate runs the operator's own validation on an image, in the namespace of the layer builds, which has its Task.
func (t *trial) validate(ctx context.Context, name, image string) error {
	like, err := t.anyValidation(ctx)
	if err != nil {
		return err
	}
	run := &tektonv1.TaskRun{
		ObjectMeta: metav1.ObjectMeta{Namespace: t.layers, Name: "buildah-" + name},
		Spec: tektonv1.TaskRunSpec{
			TaskRef: like.Spec.TaskRef, ServiceAccountName: like.Spec.ServiceAccountName, PodTemplate: like.Spec.PodTemplate,
			Params: tektonv1.Params{{Name: "image", Value: *tektonv1.NewStructuredValues(image)}},
		},
	}
	if err := t.Client.Create(ctx, run); err != nil {
		return fmt.Errorf("cannot validate the image of %s: %w", name, err)
	}
	return t.awaitTaskRun(ctx, run)
}

// anyValidation is one that the operator has started.
func (t *trial) anyValidation(ctx context.Context) (*tektonv1.TaskRun, error) {
	runs := &tektonv1.TaskRunList{}
	if err := t.Client.List(ctx, runs, client.InNamespace(t.layers), client.MatchingLabels{"tekton.dev/pipelineTask": "validate"}); err != nil {
		return nil, fmt.Errorf("cannot list TaskRuns: %w", err)
	}
	if len(runs.Items) == 0 {
		return nil, errors.New("nothing has been validated yet")
	}
	return &runs.Items[0], nil
}

// pip installs the lock of the layer build in the same image, and does nothing else.
func (t *trial) pip(ctx context.Context, w wish, name string) (sample, error) {
	lock, err := t.lock(ctx, w)
	if err != nil {
		return sample{}, err
	}
	files := &corev1.ConfigMap{
		ObjectMeta: metav1.ObjectMeta{Namespace: t.layers, Name: "pip-" + name}, Data: map[string]string{"requirements.lock": lock},
	}
	if err := t.Client.Create(ctx, files); err != nil {
		return sample{}, fmt.Errorf("cannot keep the lock: %w", err)
	}
	pod := t.pipPod(files.Name)
	begin := time.Now()
	if err := t.Client.Create(ctx, pod); err != nil {
		return sample{}, fmt.Errorf("cannot create a pod: %w", err)
	}
	if err := t.awaitPod(ctx, pod); err != nil {
		return sample{}, err
	}
	s := sample{ready: time.Since(begin)}
	s.span, err = t.logs.took(ctx, pod.Namespace, pod.Name, "pip")
	return s, err
}
