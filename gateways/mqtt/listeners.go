package mqtt

import (
	"errors"
	"fmt"
	"net"

	"go.uber.org/zap"

	"github.com/fairlead/fairlead/internal/transport"
)

// Listeners are where a gateway listens; nil is nowhere. Those of TLS yield connections with TLS.
type Listeners struct {
	TCP          net.Listener
	TLS          net.Listener
	WebSocket    net.Listener
	WebSocketTLS net.Listener
}

// Listen opens the listeners of a valid configuration: all of them, or none and an error.
func Listen(c Config, log *zap.Logger) (Listeners, error) {
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
		opened, err := transport.Listen(t.config, log)
		if err != nil {
			return Listeners{}, errors.Join(fmt.Errorf("opening %s: %w", t.name, err), l.Close())
		}
		*t.into = opened
	}
	return l, nil
}

// Close closes what is still open.
func (l Listeners) Close() error {
	var problems []error
	for _, opened := range []net.Listener{l.TCP, l.TLS, l.WebSocket, l.WebSocketTLS} {
		if opened == nil {
			continue
		}
		if err := opened.Close(); err != nil && !errors.Is(err, net.ErrClosed) {
			problems = append(problems, fmt.Errorf("closing a listener: %w", err))
		}
	}
	return errors.Join(problems...)
}
