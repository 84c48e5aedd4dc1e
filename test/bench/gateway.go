package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/fairlead/fairlead/internal/devcloud/authority"
	"github.com/fairlead/fairlead/test/functionbin"
	"github.com/fairlead/fairlead/test/gatewaybin"
)

// A gatewayProcess is the MQTT gateway as it is deployed.
type gatewayProcess struct {
	*gatewaybin.Gateway
	address, secure string // of TCP and of TLS
	authority       string // file of the certificate that clients over TLS have to trust
	judge           *functionbin.Function
}

// judge starts the authentication function, which ends with the measurement.
func (s *scene) judge(ctx context.Context, n *neighbours) (*functionbin.Function, error) {
	binary, err := s.function(ctx)
	if err != nil {
		return nil, err
	}
	judge, err := binary.Start(ctx, "auth", "FAIRLEAD_DATABASE_URL="+n.postgres.URL(), "FAIRLEAD_CACHE_URL="+n.redis.URL())
	if err != nil {
		return nil, fmt.Errorf("starting the authentication function: %w", err)
	}
	s.afterwards(judge.Close)
	return judge, nil
}

// gateway starts the MQTT gateway, and the authentication function that it asks, against the neighbours, and returns when
// it is ready. Both end with the measurement.
func (s *scene) gateway(ctx context.Context) (*gatewayProcess, *neighbours, error) {
	n, err := s.servers(ctx)
	if err != nil {
		return nil, nil, err
	}
	judge, err := s.judge(ctx, n)
	if err != nil {
		return nil, nil, err
	}
	gateways, err := s.gatewayBinary(ctx)
	if err != nil {
		return nil, nil, err
	}
	g, err := startGateway(ctx, gateways, n, judge)
	if err != nil {
		return nil, nil, fmt.Errorf("starting the gateway: %w", err)
	}
	s.afterwards(g.Close)
	return g, n, nil
}

// gatewayBinary builds the gateways' program, once.
func (s *scene) gatewayBinary(ctx context.Context) (gatewaybin.Binary, error) {
	if s.gateways != nil {
		return *s.gateways, nil
	}
	dir, err := os.MkdirTemp("", "fairlead-bench-")
	if err != nil {
		return gatewaybin.Binary{}, err
	}
	s.atEnd(func() error { return os.RemoveAll(dir) })
	binary, err := gatewaybin.Build(ctx, dir)
	if err != nil {
		return gatewaybin.Binary{}, err
	}
	s.gateways = &binary
	return binary, nil
}

func startGateway(ctx context.Context, binary gatewaybin.Binary, n *neighbours, judge *functionbin.Function) (*gatewayProcess, error) {
	return startGatewayAt(ctx, binary, n, judge, n.redis.URL())
}

// startGatewayAt starts one that is told another address of Redis.
func startGatewayAt(ctx context.Context, binary gatewaybin.Binary, n *neighbours, judge *functionbin.Function, redis string) (*gatewayProcess, error) {
	g := &gatewayProcess{judge: judge}
	for _, address := range []*string{&g.address, &g.secure} {
		free, err := gatewaybin.FreeAddress()
		if err != nil {
			return nil, err
		}
		*address = free
	}
	files, err := authority.Ensure(filepath.Join(filepath.Dir(binary.Path), "tls"))
	if err != nil {
		return nil, err
	}
	g.authority = files.Authority
	g.Gateway, err = binary.Start(ctx, "mqtt",
		"FAIRLEAD_MQTT_TCP_ADDRESS="+g.address,
		"FAIRLEAD_MQTT_TLS_ADDRESS="+g.secure,
		"FAIRLEAD_MQTT_TLS_CERTIFICATE_FILE="+files.Certificate,
		"FAIRLEAD_MQTT_TLS_KEY_FILE="+files.Key,
		"FAIRLEAD_AUTH_CLIENT_URL="+judge.URL(),
		"FAIRLEAD_CACHE_URL="+redis,
		"FAIRLEAD_KAFKA_BROKERS="+strings.Join(n.kafka.Brokers(), ","))
	if err != nil {
		return nil, err
	}
	return g, nil
}
