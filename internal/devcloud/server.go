package devcloud

import (
	"context"
	"errors"
	"net"
	"net/http"
	"strings"
	"time"
)

// serverDrain is how long requests on their way may take to end.
const serverDrain = 5 * time.Second

// newServer has the bounds that Knative's function middleware has, so that a laptop is no more patient than a cluster.
func newServer(handler http.Handler) *http.Server {
	return &http.Server{
		Handler:           handler,
		ReadHeaderTimeout: 2 * time.Second,
		ReadTimeout:       30 * time.Second,
		WriteTimeout:      30 * time.Second,
		IdleTimeout:       30 * time.Second,
		MaxHeaderBytes:    64 << 10,
	}
}

// serve runs a server on a listener until it is closed with the result. What is not answered within serverDrain, such as
// a long poll, is cut off.
func serve(server *http.Server, listener net.Listener, failed func(error)) (closer func(context.Context) error) {
	go func() {
		if err := server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
			failed(err)
		}
	}()
	return func(ctx context.Context) error {
		ctx, cancel := context.WithTimeout(ctx, serverDrain)
		defer cancel()
		if server.Shutdown(ctx) != nil {
			return server.Close()
		}
		return nil
	}
}

// frontDoor is the public port of the devices. As on a cluster, nobody cleans paths before the functions see them.
func frontDoor(f *Functions) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		path := r.URL.EscapedPath()
		asks := r.Method == http.MethodGet || r.Method == http.MethodHead
		switch {
		case asks && (path == "/" || path == "/health/liveness"):
		case asks && path == "/health/readiness":
			if err := f.Health.Ready(r.Context()); err != nil {
				http.Error(w, err.Error(), http.StatusServiceUnavailable)
			}
		case strings.HasPrefix(path, "/ttn/"):
			f.TTN.ServeHTTP(w, r)
		default:
			f.Telemetry.ServeHTTP(w, r)
		}
	})
}
