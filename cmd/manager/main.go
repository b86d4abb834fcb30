// Command manager runs the operator's controllers.
package main

import (
	"crypto/tls"
	"errors"
	"flag"
	"fmt"
	"os"
	"runtime/debug"
	"strings"
	"time"

	"github.com/go-logr/zapr"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"k8s.io/klog/v2"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/healthz"
	"sigs.k8s.io/controller-runtime/pkg/metrics/filters"
	metricsserver "sigs.k8s.io/controller-runtime/pkg/metrics/server"

	"github.com/meteor-zone/meteor-operator/controllers"
)

const (
	leaseName = "meteor-operator.meteor.zone"
	// gracePeriod is shorter than the pod's, so that the lease is released before the process is killed.
	gracePeriod = 20 * time.Second
	// The API server's own fairness protects it; these only keep one mistake from taking all of our share.
	queriesPerSecond = 500
	queriesBurst     = 1000
	// garbagePercent has the garbage collector work harder than Go's default does: what the caches hold of a thousand
	// namespaces lies still, and memory that is only waiting to be collected counts like any other.
	garbagePercent = 50
)

// settings is what flags and environment say.
type settings struct {
	metricsAddress  string
	metricsCerts    string
	probeAddress    string
	leaderElect     bool
	logLevel        string
	namespace       string
	watchNamespaces []string
	operatorImage   string
	buildahImage    string
	bookImage       string
}

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "manager:", err)
		os.Exit(1)
	}
}

func run() error {
	s := parse()
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(garbagePercent)
	}
	if err := setupLogs(s.logLevel); err != nil {
		return err
	}
	ctx := ctrl.SetupSignalHandler()
	mgr, err := newManager(s)
	if err != nil {
		return err
	}
	if err := controllers.SetupAll(ctx, mgr, controllers.Options{
		WatchNamespaces: s.watchNamespaces,
		OperatorImage:   s.operatorImage,
		Proxy:           controllers.ProxyFromEnvironment(),
		BuildahImage:    s.buildahImage,
		BookImage:       s.bookImage,
		Namespace:       s.namespace,
	}); err != nil {
		return fmt.Errorf("cannot set up the controllers: %w", err)
	}
	if err := errors.Join(mgr.AddHealthzCheck("ping", healthz.Ping), mgr.AddReadyzCheck("ping", healthz.Ping)); err != nil {
		return fmt.Errorf("cannot add probes: %w", err)
	}
	if err := mgr.Start(ctx); err != nil {
		return fmt.Errorf("the manager stopped: %w", err)
	}
	return nil
}

func parse() settings {
	var s settings
	flag.StringVar(&s.metricsAddress, "metrics-bind-address", ":8443", "where metrics are served by HTTPS, to whom the cluster lets read them; 0 serves none")
	flag.StringVar(&s.metricsCerts, "metrics-cert-dir", "", "directory with tls.crt and tls.key for the metrics; a self-signed certificate is made without it")
	flag.StringVar(&s.probeAddress, "health-probe-bind-address", ":8081", "where /healthz and /readyz are served")
	flag.BoolVar(&s.leaderElect, "leader-elect", true, "act only while holding the lease, so that several replicas can run")
	flag.StringVar(&s.logLevel, "log-level", "info", "debug, info, warn or error")
	flag.Parse()
	s.namespace = os.Getenv("POD_NAMESPACE")
	s.operatorImage = os.Getenv("OPERATOR_IMAGE")
	s.buildahImage = os.Getenv("BUILDAH_IMAGE")
	s.bookImage = os.Getenv("BOOK_IMAGE")
	for ns := range strings.SplitSeq(os.Getenv("WATCH_NAMESPACE"), ",") {
		if ns = strings.TrimSpace(ns); ns != "" {
			s.watchNamespaces = append(s.watchNamespaces, ns)
		}
	}
	return s
}

func setupLogs(level string) error {
	parsed, err := zapcore.ParseLevel(level)
	if err != nil {
		return fmt.Errorf("cannot use -log-level: %w", err)
	}
	cfg := zap.NewProductionConfig()
	cfg.Level = zap.NewAtomicLevelAt(parsed)
	cfg.EncoderConfig.EncodeTime = zapcore.RFC3339NanoTimeEncoder
	cfg.DisableStacktrace = parsed > zapcore.DebugLevel
	z, err := cfg.Build()
	if err != nil {
		return fmt.Errorf("cannot set up logs: %w", err)
	}
	log := zapr.NewLogger(z)
	ctrl.SetLogger(log)
	klog.SetLogger(log.WithName("client-go"))
	return nil
}

func newManager(s settings) (ctrl.Manager, error) {
	cfg, err := ctrl.GetConfig()
	if err != nil {
		return nil, fmt.Errorf("cannot find the cluster: %w", err)
	}
	cfg.QPS, cfg.Burst, cfg.UserAgent = queriesPerSecond, queriesBurst, "meteor-operator"
	o, err := controllers.ManagerOptions(s.watchNamespaces)
	if err != nil {
		return nil, err
	}
	o.Metrics = metricsserver.Options{
		BindAddress:    s.metricsAddress,
		SecureServing:  true,
		CertDir:        s.metricsCerts,
		FilterProvider: filters.WithAuthenticationAndAuthorization,
		TLSOpts:        []func(*tls.Config){func(c *tls.Config) { c.MinVersion = tls.VersionTLS12 }},
	}
	o.HealthProbeBindAddress = s.probeAddress
	o.LeaderElection = s.leaderElect
	o.LeaderElectionID = leaseName
	o.LeaderElectionNamespace = s.namespace
	o.LeaderElectionReleaseOnCancel = true
	grace := gracePeriod
	o.GracefulShutdownTimeout = &grace
	mgr, err := ctrl.NewManager(cfg, o)
	if err != nil {
		return nil, fmt.Errorf("cannot make the manager: %w", err)
	}
	return mgr, nil
}
