package transport

import (
	"fmt"
	"net"

	"go.uber.org/zap"
)

// Listen opens the listener of a configuration that is valid and has an address. Closing it releases all that it uses.
func Listen(c Config, log *zap.Logger) (net.Listener, error) {
	l, err := net.Listen("tcp", c.Address)
	if err != nil {
		return nil, fmt.Errorf("listening: %w", err)
	}
	return l, nil
}
