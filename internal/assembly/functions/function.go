package functions

import (
	"cmp"
	"context"
	"fmt"
	"net"
	"net/http"
	"os"
	"strconv"
	"sync/atomic"

	"go.uber.org/zap"

	"github.com/fairlead/fairlead/internal/assembly"
	"github.com/fairlead/fairlead/internal/outcome"
	"github.com/fairlead/fairlead/internal/process"
)

// A Function is what Knative's function middleware drives: Start, then requests to Handle, then Stop. Requests and
// probes that come before Start is done are told to come back.
type Function struct {
	running atomic.Pointer[instance]
}

// New makes a function that is not assembled yet, and has the middleware log as the function does.
func New() *Function {
	process.FormatMiddlewareLog(os.Getenv(assembly.Prefix + "_PROCESS_LOG_LEVEL"))
	return &Function{}
}

// Start assembles the function from its environment. An error ends the process.
func (f *Function) Start(ctx context.Context, environment map[string]string) error {
	variables := make([]string, 0, len(environment))
	for name, value := range environment {
		variables = append(variables, name+"="+value)
	}
	c, err := LoadConfig(variables)
	if err != nil {
		return fmt.Errorf("reading the configuration: %w", err)
	}
	running, err := start(ctx, &c)
	if err != nil {
		return fmt.Errorf("starting the function %s: %w", c.Function, err)
	}
	running.Listening("http", listens(environment), false)
	f.running.Store(running)
	return nil
}

// Handle serves one request.
func (f *Function) Handle(w http.ResponseWriter, r *http.Request) {
	running := f.running.Load()
	if running == nil {
		w.Header().Set("Retry-After", strconv.Itoa(outcome.RetryAfter))
		w.WriteHeader(http.StatusServiceUnavailable)
		return
	}
	running.handler.ServeHTTP(w, r)
}

// Ready tells whether the function is assembled and its neighbours can be reached.
func (f *Function) Ready(ctx context.Context) (bool, error) {
	running := f.running.Load()
	if running == nil {
		return false, nil
	}
	if err := running.Health.Ready(ctx); err != nil {
		running.Log.Warn("not ready", zap.Error(err))
		return false, nil
	}
	return true, nil
}

// Alive is true while the process runs: what the function waits for are its neighbours, and a restart brings none back.
func (f *Function) Alive(context.Context) (bool, error) { return true, nil }

// Stop waits for the last acknowledgements and lets go of the neighbours. The middleware calls it after the last request.
func (f *Function) Stop(ctx context.Context) error {
	running := f.running.Load()
	if running == nil {
		return nil
	}
	return running.Close(ctx)
}

// listens is where the middleware listens, by its own rules: it tells nobody.
func listens(environment map[string]string) string {
	if a := environment["LISTEN_ADDRESS"]; a != "" {
		return a
	}
	host, port := environment["ADDRESS"], environment["PORT"]
	if host == "" && port == "" {
		return "[::]:8080"
	}
	return net.JoinHostPort(cmp.Or(host, "127.0.0.1"), cmp.Or(port, "8080"))
}
