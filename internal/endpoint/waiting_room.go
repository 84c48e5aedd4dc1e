package endpoint

import (
	"net/http"
	"sync"
	"time"
)

// deadlineMargin is added to the connection's deadlines of a waiting request, for the response itself.
const deadlineMargin = 10 * time.Second

// A WaitingRoom holds requests that are answered late. It bounds their number and lets them go when the server shuts down.
type WaitingRoom struct {
	places   chan struct{}
	closing  chan struct{}
	shutdown sync.Once // registers the room with the server
	closed   sync.Once
}

// NewWaitingRoom makes a room for that many requests.
func NewWaitingRoom(places int) *WaitingRoom {
	return &WaitingRoom{places: make(chan struct{}, places), closing: make(chan struct{})}
}

// Enter takes a place for a request that waits for at most d, if there is one, until leave. It makes room for the wait beyond the read
// and write timeouts of the server; a server that cannot do so keeps its own.
func (room *WaitingRoom) Enter(w http.ResponseWriter, d time.Duration) (leave func(), ok bool) {
	select {
	case room.places <- struct{}{}:
	default:
		return nil, false
	}
	until := time.Now().Add(d + deadlineMargin)
	control := http.NewResponseController(w)
	_ = control.SetReadDeadline(until)
	_ = control.SetWriteDeadline(until)
	return func() { <-room.places }, true
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
func (room *WaitingRoom) Len() int { return len(room.places) }
