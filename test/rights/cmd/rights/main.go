// Command rights compares what the manager may do with what it has asked of the local cluster, or of the one that an
// audit log is from. The end-to-end tests do the same at their end.
package main

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/meteor-zone/meteor-operator/test/cluster"
	"github.com/meteor-zone/meteor-operator/test/rights"
)

func main() {
	log := flag.String("log", "", "the audit log; the local cluster's without it")
	folder := flag.String("rbac", filepath.Join("config", "rbac"), "the folder with the manager's roles")
	flag.Parse()
	faults, err := run(*log, *folder)
	if err != nil {
		fmt.Fprintln(os.Stderr, "rights:", err)
		os.Exit(2)
	}
	for _, f := range faults {
		fmt.Println(f)
	}
	if len(faults) > 0 {
		os.Exit(1)
	}
	fmt.Println("The manager's rights are those that it uses")
}

func run(log, folder string) ([]string, error) {
	if log == "" {
		info, err := cluster.ReadInfo()
		if err != nil {
			return nil, err
		}
		log = info.AuditLog
	}
	return rights.Compare(log, folder, time.Time{})
}
