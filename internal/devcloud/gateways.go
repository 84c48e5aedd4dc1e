package devcloud

import (
	"context"
	"crypto/tls"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/fairlead/fairlead/gateways/coap"
	"github.com/fairlead/fairlead/gateways/mqtt"
	"github.com/fairlead/fairlead/internal/assembly/gateways"
	"github.com/fairlead/fairlead/internal/auth"
	"github.com/fairlead/fairlead/internal/cache"
	"github.com/fairlead/fairlead/internal/datagram"
	"github.com/fairlead/fairlead/internal/devcloud/authority"
	protocol "github.com/fairlead/fairlead/internal/mqtt"
	"github.com/fairlead/fairlead/internal/presence"
	"github.com/fairlead/fairlead/internal/psk"
	"github.com/fairlead/fairlead/internal/transport"
)

// presenceDrain is how long the ends of sessions may take to be made known when everything ends.
const presenceDrain = 5 * time.Second

// listenSecurely takes an address for TLS with a certificate of the development authority. Keys are not looked up before there
// are the functions that know them.
func (d *Dev) listenSecurely(flag, address string, files authority.Files) (net.Listener, error) {
	c := transport.DefaultConfig()
	c.Address, c.CertificateFile, c.KeyFile = address, files.Certificate, files.Key
	keys := func(ctx context.Context, identity []byte) (psk.Key, error) {
		return auth.Keys(d.functions.Authenticator, mqtt.DefaultConfig().AuthTimeout)(ctx, identity)
	}
	listener, err := transport.ListenTLS(c, nil, keys, nil)
	if err != nil {
		return nil, explain(flag, address, err)
	}
	return listener, nil
}

// serveMQTT runs the gateway for devices over MQTT.
func (d *Dev) serveMQTT(tracker *presence.Tracker, l *listeners) {
	config := mqtt.DefaultConfig()
	f := d.functions
	gateway := mqtt.New(config, f.Authenticator, f.Pipeline, f.Commands, tracker, f.Log)
	serving, stop := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() {
		err := gateway.Serve(serving, protocol.Listeners{TCP: l.mqtt, TLS: l.mqtts, WebSocket: l.mqttWS, WebSocketTLS: l.mqttWSS})
		if err != nil {
			d.fail(fmt.Errorf("the MQTT gateway: %w", err))
		}
		ended <- err
	}()
	d.onClose(func(context.Context) error {
		stop()
		return <-ended
	})
}

// serveCoAP runs the gateway for devices over CoAP. Its sockets are opened here, since UDP has no listeners.
func (d *Dev) serveCoAP() error {
	config := coap.DefaultConfig()
	config.Address, config.SecureAddress = d.config.COAP, d.config.COAPS
	if config.Address == "" && config.SecureAddress == "" {
		return nil
	}
	certificate, err := d.certificate(config.SecureAddress)
	if err != nil {
		return err
	}
	f := d.functions
	gateway, err := coap.New(config, f.Authenticator, f.Pipeline, f.Commands, certificate, f.Log)
	if wanted := d.anyCoAP; err != nil && wanted != [2]string{config.Address, config.SecureAddress} {
		config.Address, config.SecureAddress = wanted[0], wanted[1] // somebody has taken a port that was free
		gateway, err = coap.New(config, f.Authenticator, f.Pipeline, f.Commands, certificate, f.Log)
	}
	if err != nil {
		return explain("coap-address or --coap-secure-address", joined(config.Address, config.SecureAddress), err)
	}
	d.note.COAP, d.note.COAPS = socket("coap", gateway.Address()), socket("coaps", gateway.SecureAddress())
	serving, stop := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() {
		err := gateway.Run(serving)
		if err != nil {
			d.fail(fmt.Errorf("the CoAP gateway: %w", err))
		}
		ended <- err
	}()
	d.onClose(func(context.Context) error {
		stop()
		return <-ended
	})
	return nil
}

// chooseCoAP chooses ports for CoAP where any free one will do. The sockets are opened later, but clients are told of them before.
func (d *Dev) chooseCoAP() {
	d.anyCoAP = [2]string{d.config.COAP, d.config.COAPS}
	for _, address := range []*string{&d.config.COAP, &d.config.COAPS} {
		host, port, err := net.SplitHostPort(*address)
		if err != nil || port != "0" {
			continue
		}
		socket, err := datagram.Listen(*address)
		if err != nil {
			continue // who opens it in earnest says what is wrong
		}
		defer func() { _ = socket.Close() }()
		*address = net.JoinHostPort(host, strconv.Itoa(int(socket.Address().Port())))
	}
}

// certificate is what the server shows over DTLS; nil without it.
func (d *Dev) certificate(address string) (func() (*tls.Certificate, error), error) {
	if address == "" {
		return nil, nil
	}
	files, err := d.authority(address)
	if err != nil {
		return nil, err
	}
	loaded, err := transport.LoadCertificate(files.Certificate, files.Key, nil)
	if err != nil {
		return nil, err
	}
	d.onClose(func(context.Context) error { loaded.Close(); return nil })
	return loaded.Get, nil
}

// socket is the address of a UDP socket as a URL; "" for none.
func socket(scheme string, address netip.AddrPort) string {
	if !address.IsValid() {
		return ""
	}
	return scheme + "://" + address.String()
}

// joined is what is there, for a message.
func joined(parts ...string) string {
	return strings.Join(slices.DeleteFunc(parts, func(part string) bool { return part == "" }), " or ")
}

// startPresence has the connections of devices known, until everything ends.
func (d *Dev) startPresence(n *Neighbours) (*presence.Tracker, error) {
	c := cache.DefaultConfig()
	c.URL = n.Redis
	var publisher presence.Publisher = d.functions.Pipeline
	if n.Save != nil {
		publisher = &savedPublisher{publisher, n.Save, d.fail}
	}
	tracker, closeTracker, err := gateways.StartPresence(context.Background(), presence.DefaultConfig(), c, publisher, d.functions.Log)
	if err != nil {
		return nil, err
	}
	d.onClose(func(ctx context.Context) error {
		ctx, cancel := context.WithTimeout(ctx, presenceDrain)
		defer cancel()
		return closeTracker(ctx)
	})
	return tracker, nil
}
