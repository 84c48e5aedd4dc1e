package telemetry

import (
	"net/http"
	"sync"
	"time"
)

// deadlineMargin is added to the connection's deadlines of a waiting request, for the response itself.
const deadlineMargin = 10 * time.Second

// A waitingRoom holds requests that wait for a command after their message was stored. It bounds their number and lets
// them go when the server shuts down.
type waitingRoom struct {
	places   chan struct{}
	closing  chan struct{}
	shutdown sync.Once // registers the room with the server
	closed   sync.Once
}

func newWaitingRoom(places int) *waitingRoom {
	return &waitingRoom{places: make(chan struct{}, places), closing: make(chan struct{})}
}

// wait returns when the time is over, when the client is gone, when the device's admission is taken back, or when the
// server shuts down; at once if every place is taken.
func (room *waitingRoom) wait(w http.ResponseWriter, r *http.Request, d time.Duration, revoked <-chan struct{}) {
	if d <= 0 {
		return
	}
	select {
	case room.places <- struct{}{}:
		defer func() { <-room.places }()
	default:
		return
	}
	extendDeadlines(w, d)
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-r.Context().Done():
	case <-revoked:
	case <-room.closing:
	}
}

// follow makes the room close when the server that serves r begins to shut down. It must be called before a request can
// take long: a server that has begun already tells nobody any more.
func (room *waitingRoom) follow(r *http.Request) {
	server, ok := r.Context().Value(http.ServerContextKey).(*http.Server)
	if !ok {
		return
	}
	room.shutdown.Do(func() {
		server.RegisterOnShutdown(func() { room.closed.Do(func() { close(room.closing) }) })
	})
}

// extendDeadlines makes room for a wait beyond the read and write timeouts of the server. A server that cannot do so
// keeps its own.
func extendDeadlines(w http.ResponseWriter, d time.Duration) {
	until := time.Now().Add(d + deadlineMargin)
	control := http.NewResponseController(w)
	_ = control.SetReadDeadline(until)
	_ = control.SetWriteDeadline(until)
}
