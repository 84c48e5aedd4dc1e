package transport

import (
	"context"
	"net"
	"time"

	"github.com/fairlead/fairlead/internal/pace"
)

const (
	// paceBurst is for how much time without handshakes can be made up.
	paceBurst = 10 * time.Millisecond

	// toleratedLateness is by how much the process may be late before fewer handshakes are begun. With half of it they come at about half the
	// rate, and messages hardly sooner (docs/performance.md).
	toleratedLateness = 10 * time.Millisecond
)

// A pacedListener accepts no more connections than there may be handshakes, each of which costs as much as hundreds of messages, and
// fewer while the process is late. Clients wait in the kernel's queue meanwhile, where they cost nothing; when that is full, the kernel
// does not answer them, and they ask again.
type pacedListener struct {
	net.Listener
	turns *pace.Pace
	life  context.Context // ends when the listener is closed
	end   context.CancelFunc
}

func newPacedListener(l net.Listener, handshakes int) *pacedListener {
	burst := int(time.Duration(handshakes) * paceBurst / time.Second)
	life, end := context.WithCancel(context.Background())
	return &pacedListener{l, pace.New(handshakes, burst, toleratedLateness), life, end}
}

// Accept waits for a turn, and for the next connection.
func (l *pacedListener) Accept() (net.Conn, error) {
	if l.turns.Wait(l.life) != nil {
		return nil, net.ErrClosed
	}
	return l.Listener.Accept()
}

// Close stops accepting, also while Accept waits for a turn.
func (l *pacedListener) Close() error {
	l.end()
	return l.Listener.Close()
}
