package main

import (
	"context"
	"fmt"
	"os"

	"github.com/meteor-zone/meteor-operator/test/cluster/internal/build"
)

func main() {
	wd, _ := os.Getwd()
	root, err := build.Checkout(wd)
	if err == nil && len(os.Args) == 2 && os.Args[1] == "assets" {
		home, _ := os.UserHomeDir()
		b := &build.Builder{Checkout: root, Cache: home + "/.cache/meteor-operator", Log: os.Stderr}
		var dir string
		if dir, err = b.Kube(context.Background()); err == nil {
			fmt.Println(dir)
		}
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
