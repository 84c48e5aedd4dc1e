package devcloud

import (
	"context"
	"errors"
	"net"
	"net/http"
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

// frontDoor is the public port of the devices.
func frontDoor(f *Functions) http.Handler {
	mux := http.NewServeMux()
	mux.Handle("/", f.Telemetry)
	mux.Handle("/ttn/", f.TTN)
	mux.HandleFunc("GET /{$}", func(http.ResponseWriter, *http.Request) {})
	mux.HandleFunc("GET /health/liveness", func(http.ResponseWriter, *http.Request) {})
	mux.HandleFunc("GET /health/readiness", func(w http.ResponseWriter, r *http.Request) {
		if err := f.Health.Ready(r.Context()); err != nil {
			http.Error(w, err.Error(), http.StatusServiceUnavailable)
		}
	})
	return mux
}
