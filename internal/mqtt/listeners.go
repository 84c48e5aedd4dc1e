package mqtt

import (
	"errors"
	"fmt"
	"net"

	"go.uber.org/zap"

	"github.com/fairlead/fairlead/internal/psk"
	"github.com/fairlead/fairlead/internal/transport"
)

// A ListenConfig says where a gateway listens. A transport without an address is off.
type ListenConfig struct {
	TCP          transport.Config
	TLS          transport.Config
	WebSocket    transport.Config
	WebSocketTLS transport.Config
}

// DefaultListenConfig listens nowhere.
func DefaultListenConfig() ListenConfig {
	return ListenConfig{
		TCP:          transport.DefaultConfig(),
		TLS:          transport.DefaultConfig(),
		WebSocket:    transport.DefaultConfig(),
		WebSocketTLS: transport.DefaultConfig(),
	}
}

// Validate names the first bad field. What concerns one transport alone is left to that one's Validate.
func (c *ListenConfig) Validate() error {
	switch {
	case c.TCP.CertificateFile != "":
		return errors.New("tcp.certificateFile: TLS has settings of its own")
	case c.WebSocket.CertificateFile != "":
		return errors.New("webSocket.certificateFile: TLS has settings of its own")
	case c.TLS.Address != "" && c.TLS.CertificateFile == "":
		return errors.New("tls.certificateFile: is missing, but there is an address")
	case c.WebSocketTLS.Address != "" && c.WebSocketTLS.CertificateFile == "":
		return errors.New("webSocketTLS.certificateFile: is missing, but there is an address")
	case c.TCP.Address == "" && c.TLS.Address == "" && c.WebSocket.Address == "" && c.WebSocketTLS.Address == "":
		return errors.New("tcp.address: at least one transport needs an address")
	}
	return nil
}

// Listeners are where a gateway listens; nil is nowhere. Those of TLS yield connections with TLS.
type Listeners struct {
	TCP          net.Listener
	TLS          net.Listener
	WebSocket    net.Listener
	WebSocketTLS net.Listener
}

// Listen opens the listeners of a valid configuration: all of them, or none and an error. With TLS, clients may have the
// pre-shared keys that keys finds; nil is none. The log may be nil.
func Listen(c ListenConfig, keys psk.Lookup, log *zap.Logger) (Listeners, error) {
	var l Listeners
	for _, t := range []struct {
		name   string
		config transport.Config
		into   *net.Listener
	}{
		{"tcp", c.TCP, &l.TCP},
		{"tls", c.TLS, &l.TLS},
		{"webSocket", c.WebSocket, &l.WebSocket},
		{"webSocketTLS", c.WebSocketTLS, &l.WebSocketTLS},
	} {
		if t.config.Address == "" {
			continue
		}
		opened, err := listen(t.config, keys, log)
		if err != nil {
			return Listeners{}, errors.Join(fmt.Errorf("opening %s: %w", t.name, err), l.Close())
		}
		*t.into = opened
	}
	return l, nil
}

func listen(c transport.Config, keys psk.Lookup, log *zap.Logger) (net.Listener, error) {
	if c.CertificateFile == "" {
		return transport.Listen(c, log)
	}
	return transport.ListenTLS(c, nil, keys, log)
}

// An Endpoint is one listener, and what is spoken there.
type Endpoint struct {
	Protocol string // "mqtt" or "mqtt over websocket"
	Secure   bool   // with TLS
	Listener net.Listener
}

// Endpoints lists the listeners that there are.
func (l Listeners) Endpoints() (list []Endpoint) {
	for _, e := range []Endpoint{
		{"mqtt", false, l.TCP},
		{"mqtt", true, l.TLS},
		{"mqtt over websocket", false, l.WebSocket},
		{"mqtt over websocket", true, l.WebSocketTLS},
	} {
		if e.Listener != nil {
			list = append(list, e)
		}
	}
	return list
}

// Close closes what is still open.
func (l Listeners) Close() error {
	var problems []error
	for _, e := range l.Endpoints() {
		if err := e.Listener.Close(); err != nil && !errors.Is(err, net.ErrClosed) {
			problems = append(problems, fmt.Errorf("closing a listener: %w", err))
		}
	}
	return errors.Join(problems...)
}
