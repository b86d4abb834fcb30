package serve

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"os/exec"
	"strings"

	"golang.org/x/crypto/ssh"
)

func (g Git) serveSSH() error {
	l, err := net.Listen("tcp", g.SSH)
	if err != nil {
		return fmt.Errorf("cannot listen for SSH: %w", err)
	}
	return g.acceptSSH(l)
}

func (g Git) acceptSSH(l net.Listener) error {
	config := &ssh.ServerConfig{
		PublicKeyCallback: func(c ssh.ConnMetadata, key ssh.PublicKey) (*ssh.Permissions, error) {
			if !bytes.Equal(key.Marshal(), g.Authorized.Marshal()) {
				return nil, fmt.Errorf("an unknown key of %s", c.User())
			}
			return nil, nil
		},
	}
	config.AddHostKey(g.HostKey)
	for {
		conn, err := l.Accept()
		if err != nil {
			return fmt.Errorf("cannot accept a connection: %w", err)
		}
		go g.converse(conn, config)
	}
}

func (g Git) converse(conn net.Conn, config *ssh.ServerConfig) {
	defer conn.Close()
	_, channels, requests, err := ssh.NewServerConn(conn, config)
	if err != nil {
		g.Log.Printf("SSH refused: %v", err)
		return
	}
	go ssh.DiscardRequests(requests)
	for offered := range channels {
		if offered.ChannelType() != "session" {
			// A client that is gone by now needs no answer.
			_ = offered.Reject(ssh.UnknownChannelType, "only sessions")
			continue
		}
		channel, requests, err := offered.Accept()
		if err != nil {
			g.Log.Printf("SSH session refused: %v", err)
			return
		}
		go g.session(channel, requests)
	}
}

// session runs the one command that a client asks for.
func (g Git) session(channel ssh.Channel, requests <-chan *ssh.Request) {
	defer channel.Close()
	env := gitEnvironment()
	for r := range requests {
		switch r.Type {
		case "env":
			var v struct{ Name, Value string }
			ok := ssh.Unmarshal(r.Payload, &v) == nil && v.Name == "GIT_PROTOCOL"
			if ok {
				env = append(env, v.Name+"="+v.Value)
			}
			reply(r, ok)
		case "exec":
			var v struct{ Command string }
			ok := ssh.Unmarshal(r.Payload, &v) == nil
			reply(r, ok)
			if ok {
				go ssh.DiscardRequests(requests)
				g.finish(channel, v.Command, g.run(channel, v.Command, env))
				return
			}
		default:
			reply(r, false)
		}
	}
}

func reply(r *ssh.Request, ok bool) {
	if r.WantReply {
		// A client that is gone by now needs no answer.
		_ = r.Reply(ok, nil)
	}
}

func (g Git) run(channel ssh.Channel, command string, env []string) error {
	name, ok := asksToUpload(command)
	if !ok {
		return errors.New("this server only serves git-upload-pack")
	}
	dir, err := g.repository(name)
	if err != nil {
		return err
	}
	cmd := exec.Command(gitUploadPack, "--strict", dir)
	cmd.Env, cmd.Stdout, cmd.Stderr = env, channel, channel.Stderr()
	stdin, err := cmd.StdinPipe()
	if err != nil {
		return err
	}
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("cannot start git: %w", err)
	}
	go func() {
		// Not waited for: a client keeps its side open for as long as it likes.
		_, _ = io.Copy(stdin, channel)
		_ = stdin.Close()
	}()
	return cmd.Wait()
}

// finish tells the client how its command ended.
func (g Git) finish(channel ssh.Channel, command string, err error) {
	status := struct{ Status uint32 }{}
	var exit *exec.ExitError
	switch {
	case errors.As(err, &exit):
		status.Status = uint32(exit.ExitCode())
	case err != nil:
		status.Status = 128
		fmt.Fprintln(channel.Stderr(), "fatal:", err)
	}
	g.Log.Printf("SSH %s: %d", command, status.Status)
	// A client that is gone by now needs no answer.
	_, _ = channel.SendRequest("exit-status", false, ssh.Marshal(status))
}

// asksToUpload takes a command apart as git clients spell it, with the path in
// single quotes.
func asksToUpload(command string) (string, bool) {
	name, ok := strings.CutPrefix(command, "git-upload-pack ")
	if !ok {
		name, ok = strings.CutPrefix(command, "git upload-pack ")
	}
	name = strings.TrimSuffix(strings.TrimPrefix(strings.TrimSpace(name), "'"), "'")
	return name, ok && name != "" && !strings.ContainsAny(name, "'\\\n")
}
