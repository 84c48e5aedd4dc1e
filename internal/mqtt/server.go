package mqtt

import (
	"context"
	"net"
	"net/http"

	"go.uber.org/zap"
)

// A Server serves the connections of one gateway, whatever they come over.
type Server struct{}

// NewServer makes a server. Its log may be nil.
func NewServer(c Config, h Handler, log *zap.Logger) *Server { return &Server{} }

// Serve serves the connections of a listener, TCP or TLS, until that fails. It returns net.ErrClosed after Shutdown.
func (s *Server) Serve(l net.Listener) error { return net.ErrClosed }

// WebSocket serves MQTT over WebSocket on every path.
func (s *Server) WebSocket() http.Handler { return http.NotFoundHandler() }

// Shutdown accepts nothing more, reads nothing more, waits until what clients have published is answered, tells clients of
// version 5 that the server shuts down, and closes their connections. When ctx ends it closes them at once.
func (s *Server) Shutdown(ctx context.Context) error { return nil }
