package mqtt

import (
	"errors"
	"net"
	"net/http"
	"os"
	"sync/atomic"

	"go.uber.org/zap"

	"github.com/fairlead/fairlead/internal/psk"
)

// maxWebHeader is the size limit in bytes of the request that asks for a WebSocket.
const maxWebHeader = 8 << 10

// webServer takes the requests that ask for a WebSocket. Each connection has one request, and the time of a CONNECT for it. Those
// that ask at the same time are bounded as those are that have sent no CONNECT; what comes on top is closed unheard.
func (s *Server) webServer() *http.Server {
	limit := &upgradeLimit{max: int64(s.config.MaxUnadmitted), closed: s.tellHandshake}
	log, _ := zap.NewStdLogAt(s.log, zap.DebugLevel) // fails for no level that exists
	web := &http.Server{
		Handler:           s.WebSocket(),
		ReadHeaderTimeout: s.config.ConnectTimeout,
		WriteTimeout:      s.config.ConnectTimeout,
		MaxHeaderBytes:    maxWebHeader,
		ConnState:         limit.observe,
		ErrorLog:          log,
	}
	web.SetKeepAlivesEnabled(false)
	return web
}

// An upgradeLimit bounds the connections that have not become a WebSocket yet.
type upgradeLimit struct {
	max    int64
	closed func(net.Conn) // is told of a connection that has ended before
	now    atomic.Int64
}

func (u *upgradeLimit) observe(c net.Conn, state http.ConnState) {
	switch state {
	case http.StateNew:
		if u.now.Add(1) > u.max {
			_ = c.Close()
		}
	case http.StateHijacked:
		u.now.Add(-1)
	case http.StateClosed:
		u.now.Add(-1)
		u.closed(c)
	}
}

// tellHandshake tells of a connection that has ended if that was in the TLS handshake, of which its HTTP server says nothing. As with MQTT
// over TLS, a client that took too long has broken nothing.
func (s *Server) tellHandshake(c net.Conn) {
	secured, ok := c.(interface{ Failure() *psk.Failure })
	if !ok {
		return
	}
	failure := secured.Failure()
	if failure == nil {
		return
	}
	s.metrics.connected(noHandshake)
	if !errors.Is(failure, os.ErrDeadlineExceeded) && !errors.Is(failure, net.ErrClosed) {
		b := brokenHandshake(failure)
		b.Remote = remoteOf(c)
		s.tell(b)
	}
}
