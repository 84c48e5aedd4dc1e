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
func (s *Server) webServer() *http.Server {
	limit := &upgradeLimit{max: int64(s.config.MaxUnadmitted)}
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
	max int64
	now atomic.Int64
}

func (u *upgradeLimit) observe(c net.Conn, state http.ConnState) {
	switch state {
	case http.StateNew:
		if u.now.Add(1) > u.max {
			_ = c.Close()
		}
	case http.StateHijacked, http.StateClosed:
		u.now.Add(-1)
	}
}
