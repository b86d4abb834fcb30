// Package forward carries connections from this machine's loopback into the
// network namespace of the cluster, which has no other door.
package forward

import (
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"runtime"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

const dialTimeout = 5 * time.Second

// Route is one listener and where its connections go.
type Route struct{ From, To string }

// Dial opens a connection to an address.
type Dial func(address string) (net.Conn, error)

// Forwarder holds listeners open.
type Forwarder struct {
	routes    []Route
	listeners []net.Listener
}

// Listen opens a listener for each route, or none.
func Listen(routes []Route) (*Forwarder, error) {
	f := &Forwarder{routes: routes}
	for _, route := range routes {
		l, err := net.Listen("tcp", route.From)
		if err != nil {
			f.Close()
			if errors.Is(err, unix.EADDRINUSE) {
				return nil, fmt.Errorf("%s of this machine is taken by another program, and the cluster needs it: see ss -ltnp", route.From)
			}
			return nil, fmt.Errorf("cannot listen at %s: %w", route.From, err)
		}
		f.listeners = append(f.listeners, l)
	}
	return f, nil
}

// Close closes the listeners.
func (f *Forwarder) Close() {
	for _, l := range f.listeners {
		_ = l.Close()
	}
}

// Serve carries connections until the listeners are closed.
func (f *Forwarder) Serve(dial Dial) {
	var all sync.WaitGroup
	for i, l := range f.listeners {
		all.Go(func() {
			for {
				conn, err := l.Accept()
				if errors.Is(err, net.ErrClosed) {
					return
				}
				if err != nil {
					time.Sleep(50 * time.Millisecond)
					continue
				}
				go carry(conn.(*net.TCPConn), f.routes[i].To, dial)
			}
		})
	}
	all.Wait()
}

func carry(from *net.TCPConn, address string, dial Dial) {
	defer from.Close()
	to, err := dial(address)
	if err != nil {
		// A reset, so that a client takes it for what it is: nobody listens.
		_ = from.SetLinger(0)
		return
	}
	defer to.Close()
	var both sync.WaitGroup
	both.Go(func() { stream(to, from) })
	both.Go(func() { stream(from, to) })
	both.Wait()
}

// stream copies until one end is done and passes that on.
func stream(to, from net.Conn) {
	if _, err := io.Copy(to, from); err != nil {
		_ = to.Close()
		_ = from.Close()
		return
	}
	if half, ok := to.(interface{ CloseWrite() error }); ok {
		_ = half.CloseWrite()
	}
}

// Inside returns a Dial whose connections start in a network namespace.
func Inside(netns *os.File) Dial {
	return func(address string) (net.Conn, error) {
		type result struct {
			conn net.Conn
			err  error
		}
		done := make(chan result, 1)
		go func() {
			// Never unlocked: the thread has left the machine's network and ends
			// with this goroutine. The socket stays where it was made.
			runtime.LockOSThread()
			if err := unix.Setns(int(netns.Fd()), unix.CLONE_NEWNET); err != nil {
				done <- result{err: fmt.Errorf("cannot enter the cluster's network: %w", err)}
				return
			}
			conn, err := net.DialTimeout("tcp4", address, dialTimeout)
			done <- result{conn, err}
		}()
		r := <-done
		return r.conn, r.err
	}
}
