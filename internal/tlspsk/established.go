package tlspsk

import (
	"context"
	"errors"
	"net"
	"sync"

	"github.com/fairlead/fairlead/internal/psk"
)

// Established makes of a listener one that yields connections whose handshake is done, for net/http, which speaks HTTP/2 with
// what is a *tls.Conn: a client without a pre-shared key comes as one, any other as another net.Conn. At most so many
// handshakes run at once; what comes on top is closed unheard. failed, which may be nil, is told of each that does not
// succeed. It must return soon. Closing the listener ends handshakes.
func Established(l *Listener, most int, failed func(psk.Failure)) net.Listener {
	if failed == nil {
		failed = func(psk.Failure) {}
	}
	e := &established{Listener: l, failed: failed, places: make(chan struct{}, most), ready: make(chan net.Conn), done: make(chan struct{})}
	e.life, e.end = context.WithCancel(context.Background())
	go e.run()
	return e
}

type established struct {
	*Listener
	failed func(psk.Failure)
	places chan struct{}
	ready  chan net.Conn
	life   context.Context
	end    context.CancelFunc

	done chan struct{} // closed when nothing is accepted any more
	err  error         // why
}

// run accepts until the listener below fails.
func (e *established) run() {
	defer close(e.done)
	var shaking sync.WaitGroup
	defer shaking.Wait()
	for {
		conn, err := e.Listener.Accept()
		if err != nil {
			e.err = err
			e.end()
			return
		}
		select {
		case e.places <- struct{}{}:
			shaking.Go(func() { e.shake(conn.(*Conn)) }) //nolint:forcetypeassert // see Listener.Accept
		default:
			_ = conn.Close()
		}
	}
}

// shake hands a connection on when its handshake is done.
func (e *established) shake(c *Conn) {
	conn, err := c.shake(e.life)
	if err != nil {
		<-e.places
		if f, ok := errors.AsType[*psk.Failure](err); ok && e.life.Err() == nil {
			e.failed(*f)
		}
		return
	}
	defer func() { <-e.places }()
	select {
	case e.ready <- conn:
	case <-e.life.Done():
		_ = conn.Close()
	}
}

// Accept waits for the next connection whose handshake is done.
func (e *established) Accept() (net.Conn, error) {
	select {
	case conn := <-e.ready:
		return conn, nil
	case <-e.done:
		return nil, e.err
	}
}

// Close stops accepting, and ends the handshakes that are under way.
func (e *established) Close() error {
	e.end()
	err := e.Listener.Close()
	<-e.done
	return err
}
