package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"time"

	"github.com/pion/dtls/v3"
	coapdtls "github.com/plgd-dev/go-coap/v3/dtls/server"
	"github.com/plgd-dev/go-coap/v3/message"
	"github.com/plgd-dev/go-coap/v3/message/codes"
	"github.com/plgd-dev/go-coap/v3/message/pool"
	coapnet "github.com/plgd-dev/go-coap/v3/net"
	"github.com/plgd-dev/go-coap/v3/net/responsewriter"
	coapoptions "github.com/plgd-dev/go-coap/v3/options"
	"github.com/plgd-dev/go-coap/v3/udp/client"
	"go.uber.org/zap"

	"github.com/fairlead/fairlead/gateways/coap"
	"github.com/fairlead/fairlead/internal/assembly"
	"github.com/fairlead/fairlead/internal/assembly/functions"
	"github.com/fairlead/fairlead/internal/process"
)

const (
	coapBareCommand    = "coap-bare"
	coapGatewayCommand = "coap-gateway"
)

// coapAnswers does a handshake with a server.
func coapAnswers(ctx context.Context, address string) error {
	d, err := newCoAPDevice(ctx, address, benchUser(0))
	if err != nil {
		return err
	}
	return d.conn.Close()
}

func addressOf(command string, arguments []string) (string, error) {
	flags := flag.NewFlagSet(command, flag.ContinueOnError)
	address := flags.String("address", "127.0.0.1:0", "where to listen")
	err := flags.Parse(arguments)
	return *address, err
}

// serveBareCoAP serves what the gateway is compared with: go-coap's own DTLS server with its defaults, except that it keeps
// idle sessions, which gives back what it gets.
func serveBareCoAP(ctx context.Context, arguments []string) error {
	address, err := addressOf(coapBareCommand, arguments)
	if err != nil {
		return err
	}
	listener, err := coapnet.NewDTLSListener("udp", address, coapnet.NewDTLSServerOptions(
		dtls.WithPSK(func([]byte) ([]byte, error) { return []byte(benchPassword), nil }),
		dtls.WithCipherSuites(dtls.TLS_PSK_WITH_AES_128_GCM_SHA256)))
	if err != nil {
		return fmt.Errorf("listening: %w", err)
	}
	server := coapdtls.New(coapoptions.WithErrors(func(error) {}), coapoptions.WithKeepAlive(1, time.Hour, func(*client.Conn) {}),
		coapoptions.WithHandlerFunc(func(w *responsewriter.ResponseWriter[*client.Conn], r *pool.Message) {
			_ = w.SetResponse(codes.Changed, message.AppOctets, r.Body())
		}))
	context.AfterFunc(ctx, server.Stop)
	return server.Serve(listener)
}

// serveCoAPGateway serves the gateway, which judges credentials itself, against the neighbours that the environment names.
func serveCoAPGateway(ctx context.Context, arguments []string) (err error) {
	address, err := addressOf(coapGatewayCommand, arguments)
	if err != nil {
		return err
	}
	process.TuneMemory(process.GatewayGC) // as the program gateway does
	process.SpareCollections(ctx)
	go process.ReturnMemory(ctx)
	config, err := functions.LoadConfig(os.Environ())
	if err != nil {
		return err
	}
	database, err := config.Database.Open(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, database.Close()) }()
	gatewayThatJudges := assembly.Process{Name: assembly.CoAP, Kind: assembly.Gateway, Groups: []string{"kafka", "ingest"}, Access: assembly.Judges}
	parts, err := assembly.Open(ctx, gatewayThatJudges, config.Config, config.Auth, assembly.Neighbours{Log: zap.NewNop(), Registry: database})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, parts.Close(context.WithoutCancel(ctx))) }()
	settings := coap.DefaultConfig()
	settings.SecureAddress = address
	gateway, err := coap.New(settings, parts.Authenticator, parts.Pipeline, parts.Commands, nil, parts.Log)
	if err != nil {
		return err
	}
	return gateway.Run(ctx)
}
