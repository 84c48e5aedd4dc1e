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
	if err != nil {
		return nil, explain(flag, address, err)
	}
	return listener, nil
}

// explain says what to do about an address that cannot be had.
func explain(flag, address string, err error) error {
	switch {
	case errors.Is(err, syscall.EADDRINUSE):
		return fmt.Errorf("address %s is in use by another program (perhaps another fairlead dev): stop that one, give another address with --%s, or move all ports with --ports-from N or --random-ports", address, flag)
	case errors.Is(err, syscall.EACCES):
		return fmt.Errorf("address %s is not open to this user: ports below 1024 belong to root; give another address with --%s", address, flag)
	case errors.Is(err, syscall.EADDRNOTAVAIL):
		return fmt.Errorf("address %s is not one of this machine: give another address with --%s", address, flag)
	default:
		return fmt.Errorf("listening for --%s: %w", flag, err)
	}
}
