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

	tlsAuthorityFile   = "authority.crt"
	tlsCertificateFile = "client.crt" // which is also the server's
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

// mutualTLS makes an authority, and a certificate of it that server and clients both have, as devices have one of their application's
// trust anchor. It writes the certificates and the key for the clients.
func mutualTLS(dir string) (*tls.Config, error) {
	authority, pair, err := issueTLS()
	if err != nil {
		return nil, err
	}
	if dir != "" {
		if err := writeTLS(dir, pair, authority); err != nil {
			return nil, err
		}
	}
	trusted := x509.NewCertPool()
	trusted.AddCert(authority)
	return &tls.Config{
		Certificates: []tls.Certificate{pair}, ClientAuth: tls.RequireAndVerifyClientCert, ClientCAs: trusted, RootCAs: trusted, ServerName: "localhost",
		MinVersion: tls.VersionTLS13, CurvePreferences: []tls.CurveID{tls.X25519}, // which is also what is used beside a key
		SessionTicketsDisabled: true,
	}, nil
}

// issueTLS makes an authority and a certificate of it, both on P-256.
func issueTLS() (authority *x509.Certificate, pair tls.Certificate, err error) {
	root, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, pair, err
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, pair, err
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "bench authority"}, IsCA: true, BasicConstraintsValid: true,
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * time.Hour),
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, root.Public(), root)
	if err != nil {
		return nil, pair, err
	}
	if authority, err = x509.ParseCertificate(der); err != nil {
		return nil, pair, err
	}
	leaf := *template
	leaf.SerialNumber, leaf.Subject, leaf.DNSNames, leaf.IsCA = big.NewInt(2), pkix.Name{CommonName: "bench"}, []string{"localhost"}, false
	if der, err = x509.CreateCertificate(rand.Reader, &leaf, authority, key.Public(), root); err != nil {
		return nil, pair, err
	}
	return authority, tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, nil
}

// writeTLS writes what the clients need.
func writeTLS(dir string, pair tls.Certificate, authority *x509.Certificate) error {
	private, err := x509.MarshalPKCS8PrivateKey(pair.PrivateKey)
	if err != nil {
		return err
	}
	for name, block := range map[string]*pem.Block{
		tlsAuthorityFile:   {Type: "CERTIFICATE", Bytes: authority.Raw},
		tlsCertificateFile: {Type: "CERTIFICATE", Bytes: pair.Certificate[0]},
		tlsKeyFile:         {Type: "PRIVATE KEY", Bytes: private},
	} {
		if err := os.WriteFile(filepath.Join(dir, name), pem.EncodeToMemory(block), 0o600); err != nil {
			return err
		}
	}
	return nil
}
