package transport

import (
	"errors"
	"net"
	"testing"
	"testing/synctest"
	"time"
)

// A crowd is a listener at which there is always somebody.
type crowd struct{ net.Listener }

func (crowd) Accept() (net.Conn, error) {
	conn, other := net.Pipe()
	return conn, other.Close()
}

func (crowd) Close() error { return nil }

func TestConnectionsAreAcceptedInTurn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newPacedListener(crowd{}, 2)
		began := time.Now()
		for i := range 4 {
			accept(t, l)
			if after, want := time.Since(began), time.Duration(i)*time.Second/2; after.Round(time.Millisecond) != want {
				t.Errorf("connection %d is accepted after %v, want %v", i, after, want)
			}
		}
	})
}

func TestCloseEndsTheWaitForATurn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newPacedListener(crowd{}, 1)
		accept(t, l)
		ended := make(chan error)
		go func() {
			_, err := l.Accept()
			ended <- err
		}()
		synctest.Wait()
		began := time.Now()
		if err := l.Close(); err != nil {
			t.Fatal(err)
		}
		if err := <-ended; !errors.Is(err, net.ErrClosed) {
			t.Errorf("Accept returned %v", err)
		}
		if waited := time.Since(began); waited > 0 {
			t.Errorf("Accept went on for %v", waited)
		}
	})
}
