package mqtt

import (
	"net"
	"net/http"
	"sync/atomic"

	"go.uber.org/zap"
)

// maxWebHeader is the size limit in bytes of the request that asks for a WebSocket.
const maxWebHeader = 8 << 10

// webServer takes the requests that ask for a WebSocket. Each connection has one request, and the time of a CONNECT for it. Those
// that ask at the same time are bounded as those are that have sent no CONNECT; what comes on top is closed unheard.
func (g *Gateway) webServer() *http.Server {
	asking := newAsking(g.config.Connection.MaxUnadmitted)
	log, _ := zap.NewStdLogAt(g.log, zap.DebugLevel) // fails for no level that exists
	s := &http.Server{
		Handler:           g.server.WebSocket(),
		ReadHeaderTimeout: g.config.Connection.ConnectTimeout,
		WriteTimeout:      g.config.Connection.ConnectTimeout,
		MaxHeaderBytes:    maxWebHeader,
		ConnState:         asking.observe,
		ErrorLog:          log,
	}
	s.SetKeepAlivesEnabled(false)
	return s
}

// asking bounds the connections that have not become a WebSocket yet.
type asking struct {
	max int64
	now atomic.Int64
}

func newAsking(most int) *asking { return &asking{max: int64(most)} }

func (a *asking) observe(c net.Conn, state http.ConnState) {
	switch state {
	case http.StateNew:
		if a.now.Add(1) > a.max {
			_ = c.Close()
		}
	case http.StateHijacked, http.StateClosed:
		a.now.Add(-1)
	}
}
