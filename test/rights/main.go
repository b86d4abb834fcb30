// Command rights compares what the manager may do, as config/rbac says, with what it has asked of the local cluster, as
// the audit log says: a right that was never used and a request that was refused are both faults. It is of use after all
// end-to-end tests have run, since these have the manager do everything that it does.
package main

import (
	"bufio"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/meteor-zone/meteor-operator/test/cluster"
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
	granted, err := readRoles(folder)
	if err != nil {
		return nil, err
	}
	file, err := os.Open(log)
	if err != nil {
		return nil, fmt.Errorf("cannot open the audit log: %w", err)
	}
	defer file.Close()
	asked, err := readLog(file)
	if err != nil {
		return nil, err
	}
	return compare(granted, asked, excuses), nil
}

// readLog reads what the manager has asked for.
func readLog(log io.Reader) ([]request, error) {
	var all []request
	for lines := bufio.NewReader(log); ; {
		line, err := lines.ReadBytes('\n')
		if errors.Is(err, io.EOF) {
			return all, nil // a line without its end is being written
		}
		if err != nil {
			return nil, fmt.Errorf("cannot read the audit log: %w", err)
		}
		r, ok, err := parse(line)
		if err != nil {
			return nil, err
		}
		if ok {
			all = append(all, r...)
		}
	}
}
