package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/fairlead/fairlead/internal/devcloud/authority"
	"github.com/fairlead/fairlead/test/functionbin"
	"github.com/fairlead/fairlead/test/neighbour"
)

// A gatewayProcess is the MQTT gateway as it is deployed.
type gatewayProcess struct {
	*neighbour.Process
	address, secure string // of TCP and of TLS
	authority       string // file of the certificate that clients over TLS have to trust
}

// gateway starts the MQTT gateway, and the authentication function that it asks, against the neighbours, and returns when
// it is ready. Both end with the scene.
func (s *scene) gateway(ctx context.Context) (*gatewayProcess, *neighbours, error) {
	n, err := s.servers(ctx)
	if err != nil {
		return nil, nil, err
	}
	binary, err := s.function(ctx)
	if err != nil {
		return nil, nil, err
	}
	judge, err := binary.Start(ctx, "auth", "FAIRLEAD_DATABASE_URL="+n.postgres.URL(), "FAIRLEAD_CACHE_URL="+n.redis.URL())
	if err != nil {
		return nil, nil, fmt.Errorf("starting the authentication function: %w", err)
	}
	s.atEnd(judge.Close)
	path, err := s.gatewayBinary(ctx)
	if err != nil {
		return nil, nil, err
	}
	g, err := startGateway(ctx, path, n, judge)
	if err != nil {
		return nil, nil, fmt.Errorf("starting the gateway: %w", err)
	}
	s.atEnd(g.Close)
	return g, n, nil
}

// gatewayBinary builds the gateways' program.
func (s *scene) gatewayBinary(ctx context.Context) (path string, err error) {
	dir, err := os.MkdirTemp("", "fairlead-bench-")
	if err != nil {
		return "", err
	}
	s.atEnd(func() error { return os.RemoveAll(dir) })
	path = filepath.Join(dir, "gateway")
	build := exec.CommandContext(ctx, "go", "build", "-trimpath", "-ldflags", "-s -w", "-o", path, "github.com/fairlead/fairlead/cmd/gateway")
	build.Env = append(os.Environ(), "CGO_ENABLED=0", "GOFLAGS=-buildvcs=false")
	if output, err := build.CombinedOutput(); err != nil {
		return "", fmt.Errorf("building the gateway: %w\n%s", err, output)
	}
	return path, nil
}

func startGateway(ctx context.Context, path string, n *neighbours, judge *functionbin.Function) (*gatewayProcess, error) {
	var addresses [3]string
	for i := range addresses {
		port, err := neighbour.FreePort()
		if err != nil {
			return nil, err
		}
		addresses[i] = net.JoinHostPort("127.0.0.1", strconv.Itoa(port))
	}
	files, err := authority.Ensure(filepath.Join(filepath.Dir(path), "tls"))
	if err != nil {
		return nil, err
	}
	g := &gatewayProcess{address: addresses[1], secure: addresses[2], authority: files.Authority}
	g.Process, err = neighbour.StartProcess(ctx, neighbour.Command{
		Name: "gateway-mqtt", Path: path, Args: []string{"mqtt"},
		Env: []string{
			"FAIRLEAD_HEALTH_ADDRESS=" + addresses[0],
			"FAIRLEAD_MQTT_TCP_ADDRESS=" + g.address,
			"FAIRLEAD_MQTT_TLS_ADDRESS=" + g.secure,
			"FAIRLEAD_MQTT_TLS_CERTIFICATE_FILE=" + files.Certificate,
			"FAIRLEAD_MQTT_TLS_KEY_FILE=" + files.Key,
			"FAIRLEAD_AUTH_CLIENT_URL=" + judge.URL(),
			"FAIRLEAD_CACHE_URL=" + n.redis.URL(),
			"FAIRLEAD_KAFKA_BROKERS=" + strings.Join(n.kafka.Brokers(), ","),
		},
		Ready: func(ctx context.Context) error { return probe(ctx, addresses[0]) },
	})
	if err != nil {
		return nil, err
	}
	return g, nil
}

// probe is nil if the readiness probe is answered with 200.
func probe(ctx context.Context, address string) error {
	client := &http.Client{Timeout: time.Second}
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+address+"/health/readiness", nil)
	if err != nil {
		return err
	}
	response, err := client.Do(request)
	if err != nil {
		return err
	}
	_ = response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return errors.New("not ready: " + response.Status)
	}
	return nil
}
