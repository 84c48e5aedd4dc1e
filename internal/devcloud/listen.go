package devcloud

import (
	"errors"
	"fmt"
	"net"
	"syscall"
)

// listen takes an address, and says what to do if it cannot be had.
func listen(flag, address string) (net.Listener, error) {
	listener, err := net.Listen("tcp", address)
	switch {
	case err == nil:
		return listener, nil
	case errors.Is(err, syscall.EADDRINUSE):
		return nil, fmt.Errorf("address %s is in use by another program (perhaps another fairlead dev): stop that one, or give another address with --%s", address, flag)
	case errors.Is(err, syscall.EACCES):
		return nil, fmt.Errorf("address %s is not open to this user: ports below 1024 belong to root; give another address with --%s", address, flag)
	case errors.Is(err, syscall.EADDRNOTAVAIL):
		return nil, fmt.Errorf("address %s is not one of this machine: give another address with --%s", address, flag)
	default:
		return nil, fmt.Errorf("listening for --%s: %w", flag, err)
	}
}
