package transport

import (
	"errors"
	"net"
	"time"
)

// A Config says where a gateway listens, and how.
type Config struct {
	Address            string        `doc:"host:port to listen at; empty: not at all"`
	CertificateFile    string        `doc:"PEM file with the certificate of the server, followed by those of intermediate authorities; read again when it changes; empty: no TLS"`
	KeyFile            string        `doc:"PEM file with the private key of the certificate"`
	ClientCertificates bool          `doc:"whether clients are asked for a certificate; browsers cope badly with that"`
	HandshakeRate      int           `doc:"number of TLS connections in a second that are accepted, down to a fifth of that while the process is late for want of cores; further clients wait in the kernel's queue, so that those that are connected are served meanwhile"`
	ProxyProtocol      bool          `doc:"whether a proxy in front begins every connection with a header of the PROXY protocol, version 1 or 2; connections without one are refused, and nobody but the proxy may be able to connect"`
	ProxyTimeout       time.Duration `doc:"duration within which the header of the PROXY protocol has to arrive; 100ms to 30s"`
}

// DefaultConfig listens nowhere.
func DefaultConfig() Config {
	return Config{ClientCertificates: true, HandshakeRate: 500, ProxyTimeout: 5 * time.Second}
}

// Validate names the first bad field.
func (c *Config) Validate() error {
	if c.Address != "" {
		if _, _, err := net.SplitHostPort(c.Address); err != nil {
			return errors.New("address: must have the form host:port")
		}
	}
	switch {
	case c.CertificateFile != "" && c.KeyFile == "":
		return errors.New("keyFile: is missing, but there is a certificate")
	case c.CertificateFile == "" && c.KeyFile != "":
		return errors.New("certificateFile: is missing, but there is a key")
	case c.HandshakeRate < 1:
		return errors.New("handshakeRate: must be at least 1")
	case c.ProxyTimeout < 100*time.Millisecond || c.ProxyTimeout > 30*time.Second:
		return errors.New("proxyTimeout: must lie between 100ms and 30s")
	}
	return nil
}
