package main

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"flag"
	"fmt"
	"io"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"time"

	"github.com/fairlead/fairlead/internal/process"
	"github.com/fairlead/fairlead/internal/psk"
	"github.com/fairlead/fairlead/internal/tlspsk"
)

const (
	tlsIdentity = "device@bench"
	tlsSecret   = "0123456789abcdef"

	tlsCertificateFile = "client.crt" // which is also its authority's, and the server's
	tlsKeyFile         = "client.key"
)

// serveTLS accepts clients with a key and clients with a certificate. It says a byte to each whose handshake is done, and waits
// for its end.
func serveTLS(ctx context.Context, arguments []string) error {
	flags := flag.NewFlagSet(tlsServerCommand, flag.ContinueOnError)
	address := flags.String("address", "", "where to listen")
	dir := flags.String("folder", "", "for the certificate of clients")
	if err := flags.Parse(arguments); err != nil {
		return err
	}
	config, err := mutualTLS(*dir)
	if err != nil {
		return err
	}
	listener, err := listenTLS(*address, config)
	if err != nil {
		return err
	}
	go process.ReturnMemory(ctx)
	context.AfterFunc(ctx, func() { _ = listener.Close() })
	for {
		conn, err := listener.Accept()
		if errors.Is(err, net.ErrClosed) {
			return nil
		}
		if err != nil {
			return err
		}
		go greetTLS(conn)
	}
}

func listenTLS(address string, config *tls.Config) (*tlspsk.Listener, error) {
	tcp, err := net.Listen("tcp", address)
	if err != nil {
		return nil, fmt.Errorf("listening: %w", err)
	}
	return tlspsk.NewListener(tcp, tlspsk.Config{TLS: config, Keys: func(_ context.Context, identity []byte) (psk.Key, error) {
		if string(identity) != tlsIdentity {
			return psk.Key{}, nil
		}
		return psk.Key{Secret: []byte(tlsSecret)}, nil
	}})
}

func greetTLS(conn net.Conn) {
	defer conn.Close()
	if _, err := io.WriteString(conn, "!"); err != nil {
		return
	}
	_, _ = conn.Read(make([]byte, 1))
}

// mutualTLS makes a certificate that server and clients both have, and trust, and writes it for the clients.
func mutualTLS(dir string) (*tls.Config, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "bench"}, DNSNames: []string{"localhost"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * time.Hour), IsCA: true, BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		return nil, err
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return nil, err
	}
	certificate := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
	secret := pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: private})
	if dir != "" {
		err = errors.Join(os.WriteFile(filepath.Join(dir, tlsCertificateFile), certificate, 0o600), os.WriteFile(filepath.Join(dir, tlsKeyFile), secret, 0o600))
	}
	pair, problem := tls.X509KeyPair(certificate, secret)
	if err := errors.Join(err, problem); err != nil {
		return nil, err
	}
	trusted := x509.NewCertPool()
	trusted.AppendCertsFromPEM(certificate)
	return &tls.Config{
		Certificates: []tls.Certificate{pair}, ClientAuth: tls.RequireAndVerifyClientCert, ClientCAs: trusted, RootCAs: trusted, ServerName: "localhost",
		MinVersion: tls.VersionTLS13, CurvePreferences: []tls.CurveID{tls.X25519}, // which is also what is used beside a key
		SessionTicketsDisabled: true,
	}, nil
}
