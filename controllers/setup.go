// Package controllers puts the operator's controllers together.
package controllers

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"golang.org/x/net/http/httpproxy"
	"k8s.io/client-go/rest"
	"k8s.io/utils/clock"
	ctrl "sigs.k8s.io/controller-runtime"
	ctrlmetrics "sigs.k8s.io/controller-runtime/pkg/metrics"

	"github.com/meteor-zone/meteor-operator/apis/v1alpha1"
	"github.com/meteor-zone/meteor-operator/controllers/cnbiconfig"
	"github.com/meteor-zone/meteor-operator/controllers/customnbimage"
	"github.com/meteor-zone/meteor-operator/controllers/internal/capabilities"
	"github.com/meteor-zone/meteor-operator/controllers/internal/install"
	"github.com/meteor-zone/meteor-operator/controllers/internal/metrics"
	"github.com/meteor-zone/meteor-operator/controllers/internal/upgradeable"
	"github.com/meteor-zone/meteor-operator/controllers/meteor"
)

// Options is what the controllers need of their surroundings.
type Options struct {
	// WatchNamespaces are the only namespaces that are looked at; none stands for all.
	WatchNamespaces []string
	// OperatorImage is the image that the pipelines' steps run in, unless the CNBiConfig names another.
	OperatorImage string
	// BuildahImage is the image that Containerfiles are built in, unless the CNBiConfig names another.
	BuildahImage string
	// BookImage is the image that books are built in, unless the CNBiConfig names another.
	BookImage string
	// Proxy is what builds use where the CNBiConfig names none.
	Proxy v1alpha1.ProxySpec
	// Namespace is the operator's own, from where what the CNBiConfig names is copied.
	Namespace string
	// Clock is the time. The default is the real one.
	Clock clock.PassiveClock
	// Registerer takes the metrics. The default is controller-runtime's.
	Registerer prometheus.Registerer
	// LookEvery is how often the cluster is asked what it offers. The default is the tracker's.
	LookEvery time.Duration
}

// SetupAll adds all controllers, and what they share, to the manager.
func SetupAll(ctx context.Context, mgr ctrl.Manager, o Options) error {
	if o.OperatorImage == "" {
		return errors.New("the operator's own image is not known: set OPERATOR_IMAGE")
	}
	if o.Registerer == nil {
		o.Registerer = ctrlmetrics.Registry
	}
	tracker, err := newTracker(ctx, mgr.GetConfig(), mgr.GetHTTPClient(), o)
	if err != nil {
		return err
	}
	if err := mgr.Add(tracker); err != nil {
		return fmt.Errorf("cannot add the tracker of APIs: %w", err)
	}
	recorder, err := metrics.New(o.Registerer, counts(mgr.GetClient())...)
	if err != nil {
		return err
	}
	catalogue := install.NewCatalogue(render, install.Defaults{BuilderImage: o.OperatorImage, BuildahImage: o.BuildahImage})
	installs, err := cnbiconfig.Setup(ctx, mgr, cnbiconfig.Options{
		Tracker:         tracker,
		Catalogue:       catalogue,
		WatchNamespaces: o.WatchNamespaces,
		Namespace:       o.Namespace,
		Clock:           o.Clock,
	})
	if err != nil {
		return err
	}
	meteors, err := meteor.NewMetrics(o.Registerer, recorder)
	if err != nil {
		return err
	}
	err = customnbimage.Setup(ctx, mgr, customnbimage.Options{
		Tracker:         tracker,
		Clock:           o.Clock,
		Metrics:         recorder,
		WatchNamespaces: o.WatchNamespaces,
		Proxy:           o.Proxy,
		Buildah:         o.BuildahImage != "",
		Installed:       installs.Ready,
		Unselected:      installs.Unselected,
		Installs:        installs.Source,
	})
	if err != nil {
		return err
	}
	if err := upgradeable.Setup(mgr); err != nil {
		return err
	}
	return meteor.Setup(ctx, mgr, meteor.Options{
		Tracker:    tracker,
		Clock:      o.Clock,
		Metrics:    meteors,
		Installed:  installs.Ready,
		Unselected: installs.Unselected,
		Installs:   installs.Source,
		Images:     meteor.Images{Server: o.OperatorImage, Book: o.BookImage},
		Proxy:      o.Proxy,
	})
}

// ProxyFromEnvironment is the proxy that the manager itself is told to use, as OLM does from the cluster's settings:
// HTTP_PROXY, HTTPS_PROXY and NO_PROXY, in either case.
func ProxyFromEnvironment() v1alpha1.ProxySpec {
	c := httpproxy.FromEnvironment()
	return v1alpha1.ProxySpec{HTTPProxy: c.HTTPProxy, HTTPSProxy: c.HTTPSProxy, NoProxy: c.NoProxy}
}

// newTracker returns a tracker that has looked once: what is there at the start has its watches before the first
// object is reconciled.
func newTracker(ctx context.Context, cfg *rest.Config, hc *http.Client, o Options) (*capabilities.Tracker, error) {
	var opts []capabilities.Option
	if o.LookEvery > 0 {
		opts = append(opts, capabilities.Every(o.LookEvery))
	}
	tracker, err := capabilities.New(cfg, hc, opts...)
	if err != nil {
		return nil, err
	}
	tracker.Look(ctx)
	return tracker, nil
}
