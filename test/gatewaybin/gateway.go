package gatewaybin

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/fairlead/fairlead/test/neighbour"
)

// A Binary is the built program. One program is every gateway; see [Binary.Start].
type Binary struct {
	Path string
}

// Build compiles the program stripped, as for an image, into a folder, with pre-shared keys for TLS.
func Build(ctx context.Context, dir string) (Binary, error) { return BuildFrom(ctx, "", dir) }

// BuildFrom compiles the program of the repository in the folder root; "" is that of the working directory.
func BuildFrom(ctx context.Context, root, dir string) (Binary, error) {
	path, err := filepath.Abs(filepath.Join(dir, "gateway"))
	if err != nil {
		return Binary{}, fmt.Errorf("building the gateway: %w", err)
	}
	build := exec.CommandContext(ctx, "go", "build", "-buildvcs=false", "-trimpath", "-tags", "psk", "-ldflags", "-s -w", "-o", path,
		"github.com/fairlead/fairlead/cmd/gateway")
	build.Env, build.Dir = append(os.Environ(), "CGO_ENABLED=1", "GOFLAGS="), root
	if output, err := build.CombinedOutput(); err != nil {
		return Binary{}, fmt.Errorf("building the gateway: %w\n%s", err, output)
	}
	return Binary{Path: path}, nil
}

// A Gateway is a process of the program. Kill, Stop (SIGTERM, then the gateway drains), Start, CPUTime and Resident are those of
// the process; it listens at the same addresses in each of its lives.
type Gateway struct {
	*neighbour.Process
	probes string
}

// Start runs the program as the gateway called name (mqtt, coap, http, bridge or integration) and returns when it says that it is ready. Settings are
// of the form FAIRLEAD_…=value. The context bounds the start only.
func (b Binary) Start(ctx context.Context, name string, settings ...string) (*Gateway, error) {
	probes, err := FreeAddress()
	if err != nil {
		return nil, fmt.Errorf("starting the gateway %s: %w", name, err)
	}
	g := &Gateway{probes: probes}
	g.Process, err = neighbour.StartProcess(ctx, neighbour.Command{
		Name:  "gateway-" + name,
		Path:  b.Path,
		Args:  []string{name},
		Env:   append([]string{"FAIRLEAD_HEALTH_ADDRESS=" + probes}, settings...),
		Ready: g.Ready,
	})
	if err != nil {
		return nil, err
	}
	return g, nil
}

// FreeAddress is an address of the loopback interface at which nobody listens now.
func FreeAddress() (string, error) {
	port, err := neighbour.FreePort()
	if err != nil {
		return "", err
	}
	return net.JoinHostPort("127.0.0.1", strconv.Itoa(port)), nil
}

// Ready is nil if the readiness probe is answered with 200. Its error holds the answer.
func (g *Gateway) Ready(ctx context.Context) error {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+g.probes+"/health/readiness", nil)
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
		return errors.New("readiness is answered with " + response.Status + ": " + strings.TrimSpace(string(text)))
	}
	return nil
}
