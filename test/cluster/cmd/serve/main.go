// Command serve is a server of the local cluster's node: a package index, or git.
package main

import (
	"errors"
	"flag"
	"fmt"
	"log"
	"os"

	"golang.org/x/crypto/ssh"

	"github.com/meteor-zone/meteor-operator/test/cluster/internal/serve"
)

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "serve:", err)
		os.Exit(1)
	}
}

func run(args []string) error {
	if len(args) > 0 && args[0] == "index" {
		return index(args[1:])
	}
	if len(args) > 0 && args[0] == "git" {
		return git(args[1:])
	}
	return errors.New("usage: serve index|git FLAGS")
}

func logger() *log.Logger { return log.New(os.Stdout, "", log.LstdFlags) }

func index(args []string) error {
	i := serve.Index{Log: logger()}
	flags := flag.NewFlagSet("index", flag.ContinueOnError)
	flags.StringVar(&i.Dir, "dir", "", "directory of the index")
	flags.StringVar(&i.Open, "open", "", "address for everyone")
	flags.StringVar(&i.Private, "private", "", "address that asks for a password")
	flags.StringVar(&i.Cert, "cert", "", "certificate")
	flags.StringVar(&i.Key, "key", "", "its key")
	login := flags.String("login", "", "file with USER:PASSWORD")
	err := flags.Parse(args)
	if err != nil {
		return err
	}
	if i.Login, err = serve.ReadLogin(*login); err != nil {
		return err
	}
	return i.Serve()
}

func git(args []string) error {
	g := serve.Git{Log: logger()}
	flags := flag.NewFlagSet("git", flag.ContinueOnError)
	flags.StringVar(&g.Dir, "dir", "", "directory of the repositories")
	flags.StringVar(&g.HTTPS, "https", "", "address for HTTPS")
	flags.StringVar(&g.SSH, "ssh", "", "address for SSH")
	flags.StringVar(&g.Cert, "cert", "", "certificate")
	flags.StringVar(&g.Key, "key", "", "its key")
	login := flags.String("login", "", "file with USER:PASSWORD")
	hostKey := flags.String("host-key", "", "SSH's host key")
	authorized := flags.String("authorized-key", "", "SSH's only client")
	err := flags.Parse(args)
	if err != nil {
		return err
	}
	if g.Login, err = serve.ReadLogin(*login); err != nil {
		return err
	}
	content, err := os.ReadFile(*hostKey)
	if err != nil {
		return err
	}
	if g.HostKey, err = ssh.ParsePrivateKey(content); err != nil {
		return fmt.Errorf("cannot read %s: %w", *hostKey, err)
	}
	if content, err = os.ReadFile(*authorized); err != nil {
		return err
	}
	if g.Authorized, _, _, _, err = ssh.ParseAuthorizedKey(content); err != nil {
		return fmt.Errorf("cannot read %s: %w", *authorized, err)
	}
	return g.Serve()
}
