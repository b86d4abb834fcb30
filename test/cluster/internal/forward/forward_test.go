package forward

import (
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"testing"
	"time"
)

func TestServe(t *testing.T) {
	echo := func(string) (net.Conn, error) {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			return nil, err
		}
		go func() {
			defer l.Close()
			conn, err := l.Accept()
			if err != nil {
				return
			}
			defer conn.Close()
			said, _ := io.ReadAll(conn)
			fmt.Fprintf(conn, "you said %s", said)
		}()
		return net.Dial("tcp", l.Addr().String())
	}
	cases := map[string]struct {
		reason string
		dial   Dial
		want   string
		failed bool
	}{
		"Carried": {
			reason: "What a client says arrives, its end of speech too, and so does the answer.",
			dial:   echo,
			want:   "you said hello",
		},
		"NobodyListens": {
			reason: "A client whose connection leads nowhere is told at once.",
			dial:   func(string) (net.Conn, error) { return nil, errors.New("refused") },
			failed: true,
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			f, err := Listen([]Route{{From: "127.0.0.1:0", To: "inside"}})
			if err != nil {
				t.Fatal(err)
			}
			defer f.Close()
			go f.Serve(tc.dial)
			got, err := say(f.listeners[0].Addr().String(), "hello")
			if (err != nil) != tc.failed {
				t.Fatalf("%s\nerror: %v", tc.reason, err)
			}
			if got != tc.want {
				t.Errorf("%s\ngot %q, want %q", tc.reason, got, tc.want)
			}
		})
	}
}

func TestListenTaken(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	_, err = Listen([]Route{{From: l.Addr().String()}})
	if err == nil || !strings.Contains(err.Error(), "is taken by another program") {
		t.Errorf("a taken port must be named as such, got: %v", err)
	}
}

func say(address, text string) (string, error) {
	conn, err := net.Dial("tcp", address)
	if err != nil {
		return "", err
	}
	defer conn.Close()
	if err := conn.SetDeadline(time.Now().Add(5 * time.Second)); err != nil {
		return "", err
	}
	if _, err := io.WriteString(conn, text); err != nil {
		return "", err
	}
	if err := conn.(*net.TCPConn).CloseWrite(); err != nil {
		return "", err
	}
	answer, err := io.ReadAll(conn)
	return string(answer), err
}
