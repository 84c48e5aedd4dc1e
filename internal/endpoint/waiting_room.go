package endpoint

import (
	"context"
	"net/http"
	"sync"
	"time"

	"github.com/fairlead/fairlead/internal/fairshare"
)

// deadlineMargin is added to the connection's deadlines of a waiting request, for the response itself.
const deadlineMargin = 10 * time.Second

// A WaitingRoom holds requests that are answered late. It bounds their number, in which the devices of all applications share, and
// lets them go when the server shuts down.
type WaitingRoom struct {
	places   *fairshare.Room
	closing  chan struct{}
	shutdown sync.Once // registers the room with the server
	closed   sync.Once
}

// NewWaitingRoom makes a room for that many requests.
func NewWaitingRoom(places int) *WaitingRoom {
	return &WaitingRoom{places: fairshare.NewRoom(places), closing: make(chan struct{})}
}

// Enter takes a place for a request about a device that waits for at most d, if there is one, until leave. The context ends when the
// request has to give way, and with leave. Enter makes room for the wait beyond the read and write timeouts of the server; a
// server that cannot do so keeps its own.
func (room *WaitingRoom) Enter(w http.ResponseWriter, r *http.Request, d time.Duration, application, device string) (ctx context.Context, leave func(), ok bool) {
	ctx, giveWay := context.WithCancel(r.Context())
	place, ok := room.places.Enter(application, device, giveWay)
	if !ok {
		giveWay()
		return nil, nil, false
	}
	until := time.Now().Add(d + deadlineMargin)
	control := http.NewResponseController(w)
	_ = control.SetReadDeadline(until)
	_ = control.SetWriteDeadline(until)
	leave = func() {
		place.Leave()
		giveWay()
	}
	return ctx, leave, true
}

// Closing is closed when the server shuts down: who waits shall leave.
func (room *WaitingRoom) Closing() <-chan struct{} { return room.closing }

// Follow makes the room close when the server that serves r begins to shut down. It must be called before a request can
// take long: a server that has begun already tells nobody any more.
func (room *WaitingRoom) Follow(r *http.Request) {
	server, ok := r.Context().Value(http.ServerContextKey).(*http.Server)
	if !ok {
		return
	}
	room.shutdown.Do(func() {
		server.RegisterOnShutdown(func() { room.closed.Do(func() { close(room.closing) }) })
	})
}

// Len is the number of requests that wait.
func (room *WaitingRoom) Len() int { return room.places.Len() }
