package functionbin

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"

	"github.com/fairlead/fairlead/test/neighbour"
)

// A Function is a process of the binary. Kill, Stop (SIGTERM, then the function drains), Start and CPUTime are those of
// the process; it listens on the same address in each of its lives.
type Function struct {
	*neighbour.Process
	address string
}

// Start runs the binary as the function called name (telemetry, ttn, auth, registry, push or provision) on a free port of 127.0.0.1 and returns
// when it says that it is ready. Settings are of the form FAIRLEAD_…=value. The context bounds the start only.
func (b Binary) Start(ctx context.Context, name string, settings ...string) (*Function, error) {
	port, err := neighbour.FreePort()
	if err != nil {
		return nil, fmt.Errorf("starting the function %s: %w", name, err)
	}
	f := &Function{address: net.JoinHostPort("127.0.0.1", strconv.Itoa(port))}
	f.Process, err = neighbour.StartProcess(ctx, neighbour.Command{
		Name:  "function-" + name,
		Path:  b.Path,
		Env:   append([]string{"FAIRLEAD_FUNCTION=" + name, "LISTEN_ADDRESS=" + f.address}, settings...),
		Ready: f.Ready,
	})
	if err != nil {
		return nil, err
	}
	return f, nil
}

// Address is host and port.
func (f *Function) Address() string { return f.address }

// URL is the address as a URL without a slash at its end.
func (f *Function) URL() string { return "http://" + f.address }

// Ready is nil if the readiness probe that a cluster would ask is answered with 200. Its error holds the answer.
func (f *Function) Ready(ctx context.Context) error {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, f.URL()+"/health/readiness", nil)
	if err != nil {
		return err
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	const enough = 1 << 10
	text, _ := io.ReadAll(io.LimitReader(response.Body, enough))
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("readiness is answered with %d: %s", response.StatusCode, strings.TrimSpace(string(text)))
	}
	return nil
}
