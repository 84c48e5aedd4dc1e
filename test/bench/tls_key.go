//go:build psk

package main

import (
	"net"

	"github.com/fairlead/fairlead/test/pskclient"
)

// keyDialer is for clients with a key.
func keyDialer(address string) tlsDial {
	d := pskclient.NewDialer(pskclient.Options{Identity: tlsIdentity, Key: tlsSecret, Version: 0x0304})
	return func() (net.Conn, error) {
		conn, err := d.Dial(address)
		if err != nil {
			return nil, err
		}
		return conn, nil
	}
}
