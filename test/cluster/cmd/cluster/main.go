// Command cluster runs a one-node Kubernetes on this machine, for tests and for
// trying things. See test/cluster/README.md.
package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"runtime"
	"strings"
	"syscall"

	"github.com/meteor-zone/meteor-operator/test/cluster"
	"github.com/meteor-zone/meteor-operator/test/cluster/internal/build"
	"github.com/meteor-zone/meteor-operator/test/cluster/internal/lifecycle"
)

const usage = `usage: go run ./test/cluster/cmd/cluster COMMAND

  up              bring the cluster up, or what is missing of it
  olm             put the Operator Lifecycle Manager onto it
  remove tekton   take Tekton Pipelines away; up brings it back
  down            end it; what was built and pushed is kept
  status          say how it fares
  env             print shell commands that set KUBECONFIG and PATH
  assets          build what envtest needs and print its directory
  stop PROGRAM    end one of the node's programs, for tests of an outage
  start PROGRAM   start it again
  logs PROGRAM    print a program's log; "node" is the node's own
  enter [COMMAND] run a command inside the node
`

// The supervisor's child dies with the thread that started it, which therefore
// must be one that lives as long as the process.
func init() { runtime.LockOSThread() }

func main() {
	if len(os.Args) < 2 {
		fmt.Fprint(os.Stderr, usage)
		os.Exit(2)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, os.Args[1], os.Args[2:])
	stop()
	if err != nil {
		fmt.Fprintf(os.Stderr, "cluster %s: %v\n", os.Args[1], err)
		os.Exit(1)
	}
}

func run(ctx context.Context, command string, args []string) error {
	cache, err := cluster.CacheDir()
	if err != nil {
		return err
	}
	c := lifecycle.New(cache, "", os.Stdout)
	switch {
	case command == "up":
		if c.Checkout, err = checkout(); err != nil {
			return err
		}
		return c.Up(ctx)
	case command == "olm":
		if c.Checkout, err = checkout(); err != nil {
			return err
		}
		return c.OLM(ctx)
	case command == "remove" && len(args) == 1 && args[0] == "tekton":
		if c.Checkout, err = checkout(); err != nil {
			return err
		}
		return c.RemoveTekton(ctx)
	case command == "assets":
		return assets(ctx, cache)
	case command == "down":
		return c.Down(ctx)
	case command == "status":
		return c.Status(ctx)
	case command == "env":
		return env(cache)
	case command == "enter":
		return enter(c, args)
	case command == "stop" && len(args) == 1:
		return c.Stop(ctx, args[0])
	case command == "start" && len(args) == 1:
		return c.Start(ctx, args[0])
	case command == "logs" && len(args) == 1:
		return logs(c, args[0])
	case command == "supervise":
		return c.Supervise()
	case command == "node":
		return c.RunNode()
	}
	return fmt.Errorf("unknown command, or wrong number of arguments\n%s", strings.TrimRight(usage, ".\n"))
}

func checkout() (string, error) {
	dir, err := os.Getwd()
	if err != nil {
		return "", fmt.Errorf("cannot tell the working directory: %w", err)
	}
	return build.Checkout(dir)
}

func assets(ctx context.Context, cache string) error {
	root, err := checkout()
	if err != nil {
		return err
	}
	dir, err := (&build.Builder{Checkout: root, Cache: cache, Log: os.Stderr}).Kube(ctx)
	if err != nil {
		return err
	}
	fmt.Println(dir)
	return nil
}

func env(cache string) error {
	info, err := cluster.ReadInfo()
	if err != nil {
		return err
	}
	root, err := checkout()
	if err != nil {
		return err
	}
	kube, err := (&build.Builder{Checkout: root, Cache: cache, Log: os.Stderr}).Kube(context.Background())
	if err != nil {
		return err
	}
	fmt.Printf("export KUBECONFIG=%q\nexport METEOR_CLUSTER_INFO=%q\nexport PATH=%q:\"$PATH\"\n",
		info.Kubeconfig, cluster.InfoFile(cache), kube)
	return nil
}

func logs(c *lifecycle.Cluster, program string) error {
	log, err := c.Log(program)
	if err != nil {
		return err
	}
	defer log.Close()
	_, err = io.Copy(os.Stdout, log)
	return err
}

func enter(c *lifecycle.Cluster, args []string) error {
	command, err := c.Enter(args)
	if err != nil {
		return err
	}
	program, err := exec.LookPath(command[0])
	if err != nil {
		return err
	}
	vars := []string{"HOME=/root", "PATH=/opt/kube:/usr/local/sbin:/usr/sbin:/usr/bin:/sbin:/bin", "TERM=" + os.Getenv("TERM"), "KUBECONFIG=/etc/kubernetes/admin.conf"}
	return syscall.Exec(program, command, vars)
}
