package devcloud

import (
	"context"
	"crypto/rand"
	"fmt"

	"github.com/fairlead/fairlead/gateways/http"
	"github.com/fairlead/fairlead/internal/assertion"
	"github.com/fairlead/fairlead/internal/auth"
	"github.com/fairlead/fairlead/internal/psk"
	"github.com/fairlead/fairlead/internal/tlspsk"
)

// newAssertion draws the key that the gateway for HTTP and the functions behind it share in this process.
func newAssertion() assertion.Config {
	return assertion.Config{Keys: []string{rand.Text() + rand.Text()}}
}

// listenHTTPS takes the address of the gateway for HTTP; nil for none. Keys are not looked up before it is served.
func (d *Dev) listenHTTPS() (*tlspsk.Listener, error) {
	const flag = "http-tls-address"
	address := d.config.HTTPS
	if address == "" {
		return nil, nil //nolint:nilnil // nil is none
	}
	files, err := d.authority(address)
	if err != nil {
		return nil, explain(flag, address, err)
	}
	c := http.DefaultConfig().TLS
	c.Address, c.CertificateFile, c.KeyFile = address, files.Certificate, files.Key
	keys := func(ctx context.Context, identity []byte) (psk.Key, error) {
		return auth.Keys(d.functions.Authenticator, http.DefaultConfig().AuthTimeout)(ctx, identity)
	}
	listener, err := http.Listen(c, keys, nil)
	if err != nil {
		return nil, explain(flag, address, err)
	}
	d.onClose(func(context.Context) error { _ = listener.Close(); return nil }) // again, if its gateway did
	return listener, nil
}

// serveHTTPS runs the gateway for devices over HTTP with TLS, before the functions of this process.
func (d *Dev) serveHTTPS(l *listeners) error {
	if l.https == nil {
		return nil
	}
	config := http.DefaultConfig()
	config.TelemetryURL = url(l.http) // which serves webhooks, too
	config.DrainTimeout = serverDrain
	signer, err := assertion.NewSigner(d.functions.assertion)
	if err != nil {
		return err
	}
	gateway, err := http.New(config, signer, d.functions.Refusals, d.functions.Log)
	if err != nil {
		return err
	}
	serving, stop := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() {
		err := gateway.Serve(serving, l.https)
		if err != nil {
			d.fail(fmt.Errorf("the HTTP gateway: %w", err))
		}
		ended <- err
	}()
	d.onClose(func(context.Context) error {
		stop()
		return <-ended
	})
	return nil
}
