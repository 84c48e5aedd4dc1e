package main

import (
	"context"
	"crypto/tls"
	"errors"
	"flag"
	"fmt"
	"net/http"
	"net/http/httputil"
	"net/url"
	"os"
	"path/filepath"

	"github.com/fairlead/fairlead/internal/devcloud/authority"
	"github.com/fairlead/fairlead/test/gatewaybin"
	"github.com/fairlead/fairlead/test/neighbour"
)

// minFrontRatio is the target of the HTTP gateway against the bare proxy, in requests per processor second.
const minFrontRatio = 0.6

const bareProxyCommand = "bare-proxy"

// bareProxy serves what the HTTP gateway is compared with: net/http with TLS, and httputil's proxy, which says nothing of the client.
func bareProxy(ctx context.Context, arguments []string) error {
	flags := flag.NewFlagSet(bareProxyCommand, flag.ContinueOnError)
	address := flags.String("address", "127.0.0.1:0", "where to listen")
	to := flags.String("to", "", "URL to forward to")
	certificate := flags.String("certificate", "", "file of the server's certificate")
	key := flags.String("key", "", "file of its key")
	if err := flags.Parse(arguments); err != nil {
		return err
	}
	target, err := url.Parse(*to)
	if err != nil {
		return err
	}
	transport := &http.Transport{MaxIdleConnsPerHost: connections}
	server := &http.Server{
		Addr: *address, TLSConfig: &tls.Config{ClientAuth: tls.RequestClientCert},
		Handler: &httputil.ReverseProxy{Transport: transport, Rewrite: func(r *httputil.ProxyRequest) { r.SetURL(target) }},
	}
	context.AfterFunc(ctx, func() { _ = server.Close() })
	if err := server.ListenAndServeTLS(*certificate, *key); !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("serving: %w", err)
	}
	return nil
}

// measureFront puts the same load on the HTTP gateway and on the bare proxy, both before a bare server, in turns. Clients show a
// certificate, which the gateway hands on, signed.
func measureFront(ctx context.Context, s *scene) (rows []row, err error) {
	upstream, upstreamAddress, err := startBare(ctx)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, upstream.Close()) }()
	gateways, err := s.gatewayBinary(ctx)
	if err != nil {
		return nil, err
	}
	files, err := authority.Ensure(filepath.Join(filepath.Dir(gateways.Path), "tls"))
	if err != nil {
		return nil, err
	}
	to := "http://" + upstreamAddress
	proxy, proxyAddress, err := startSelf(ctx, bareProxyCommand, "--to", to, "--certificate", files.Certificate, "--key", files.Key)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, proxy.Close()) }()
	frontAddress, err := gatewaybin.FreeAddress()
	if err != nil {
		return nil, err
	}
	front, err := gateways.Start(ctx, "http", "FAIRLEAD_HTTP_TLS_ADDRESS="+frontAddress, "FAIRLEAD_HTTP_TELEMETRY_URL="+to,
		"FAIRLEAD_HTTP_TLS_CERTIFICATE_FILE="+files.Certificate, "FAIRLEAD_HTTP_TLS_KEY_FILE="+files.Key,
		"FAIRLEAD_ASSERTION_KEYS=a key that only this measurement has", "FAIRLEAD_AUTH_CLIENT_URL="+to) // nobody asks it
	if err != nil {
		return nil, fmt.Errorf("starting the HTTP gateway: %w", err)
	}
	defer func() { err = errors.Join(err, front.Close()) }()
	shown := []string{"--certificate", files.Certificate, "--key", files.Key}
	sides := []*side{
		{process: proxy, address: proxyAddress, broker: upstream, loadArguments: shown},
		{process: front.Process, address: frontAddress, broker: upstream, loadArguments: shown},
	}
	for _, side := range sides {
		if _, err := side.load(ctx, s.size.round); err != nil {
			return nil, err
		}
	}
	if err := s.rounds(ctx, sides); err != nil {
		return nil, err
	}
	return compareFronts(sides[0].bursts, sides[1].bursts), nil
}

func compareFronts(bare, front []burst) []row {
	var perCPU sample[float64]
	for i := range bare {
		perCPU = append(perCPU, float64(bare[i].perMillion)/float64(front[i].perMillion))
	}
	rows := append(describe("bare proxy", bare), describe("gateway http", front)...)
	return append(rows, ratioRow("requests per processor second, gateway http to bare proxy", perCPU, atLeast(minFrontRatio)))
}

// startSelf runs this program as a server at a free address.
func startSelf(ctx context.Context, name string, arguments ...string) (*neighbour.Process, string, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, "", fmt.Errorf("looking for this program: %w", err)
	}
	address, err := gatewaybin.FreeAddress()
	if err != nil {
		return nil, "", err
	}
	process, err := neighbour.StartProcess(ctx, neighbour.Command{
		Name: name, Path: self, Args: append([]string{name, "--address", address}, arguments...), Ready: accepts(address),
	})
	return process, address, err
}
