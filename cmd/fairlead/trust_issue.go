package main

import (
	"cmp"
	"context"
	"crypto/x509"
	"crypto/x509/pkix"
	"fmt"
	"path/filepath"
	"strings"
	"time"

	"github.com/fairlead/fairlead/internal/cloud"
	"github.com/fairlead/fairlead/internal/issuer"
	"github.com/fairlead/fairlead/internal/registry"
)

type trustIssue struct {
	ofDevice
	authorityFiles
	For     time.Duration `placeholder:"DURATION" help:"How long the certificate is valid, at most as long as the authority; a year by default."`
	Offline bool          `help:"Only make the files: for a device that is registered when it first connects, or that has got the name already."`
}

// Run makes a certificate of a device, writes its files, and gives the device the name and the label that go with it.
func (c *trustIssue) Run(ctx context.Context, t terminal) error {
	_, application, err := c.connect()
	if err != nil {
		return err
	}
	ca, err := c.authorityFiles.files(application).Read()
	if err != nil {
		return err
	}
	until, err := lifetime(c.For, deviceLifetime)
	if err != nil {
		return err
	}
	files := issuer.FilesOf(filepath.Join(c.Dir, fileName(c.Device)))
	if err := files.Exist(); err != nil {
		return err
	}
	subject := pkix.Name{Organization: []string{organization}, OrganizationalUnit: []string{application}, CommonName: c.Device}
	made, err := ca.Issue(subject, until)
	if err != nil {
		return fmt.Errorf("device %s: %w", printable(c.Device), err)
	}
	if !c.Offline {
		if err := c.register(ctx, t, made.Certificate, ca.Certificate); err != nil {
			return err
		}
	}
	if err := files.Write(made); err != nil {
		return err
	}
	fmt.Fprintf(t.err, "%s and %s written, valid until %s\n", files.Certificate, files.Key, made.Certificate.NotAfter.Local().Format(time.DateOnly))
	c.hint(ctx, t, certificateLines(files))
	return nil
}

// register has the device found by the subject of its certificate, and notes which authority issued that.
func (c *trustIssue) register(ctx context.Context, t terminal, certificate, ca *x509.Certificate) error {
	name, err := registry.DistinguishedName(certificate.RawSubject)
	if err != nil {
		return err
	}
	return c.change(ctx, t, func(device resource) error {
		spec, err := device.member("spec")
		if err != nil {
			return err
		}
		names, err := items(spec, registry.SectionAlias)
		if err != nil {
			return err
		}
		spec[registry.SectionAlias] = with(names, name, true)
		labels, err := device.member("metadata", "labels")
		if err != nil {
			return err
		}
		labels[registry.LabelTrustAnchor] = registry.Fingerprint(ca)
		return nil
	})
}

// fileName is a device's name as that of a file, without its ending.
func fileName(device string) string {
	name := strings.Map(func(r rune) rune {
		if r == '/' || r == '\\' || r == ':' {
			return '_'
		}
		return r
	}, strings.TrimLeft(device, ".-"))
	return cmp.Or(name, "device")
}

// serverAuthority stands for the file with the authority of the servers' certificates.
const serverAuthority = "server-ca.crt"

// certificateLines use a certificate over MQTT, CoAP and HTTP, where there is TLS.
func certificateLines(files issuer.Files) func(*cloud.Endpoints, string) []string {
	return func(e *cloud.Endpoints, _ string) (lines []string) {
		certificate, key := quoted(files.Certificate), quoted(files.Key)
		own := func(flag string) string {
			if e.LocalCerts {
				return " " + flag + " " + serverAuthority
			}
			return ""
		}
		if e.MQTT != nil && e.MQTT.Host != "" {
			host, port, trust := e.MQTT.Host, e.MQTT.Port, mqttTLS(e.MQTT)
			if trust == "" || e.LocalCerts {
				trust = " --cafile " + serverAuthority
			}
			if port == mqttPlainPort {
				port = mqttTLSPort
			}
			lines = append(lines, fmt.Sprintf("mosquitto_pub -h %s -p %d%s --cert %s --key %s -q 1 -t %s -m %s",
				quoted(host), port, trust, certificate, key, exampleChannel, quoted(exampleBody)))
		}
		if e.CoAP != nil && strings.HasPrefix(e.CoAP.URL, "coaps://") {
			lines = append(lines, fmt.Sprintf("%s -m post -c %s -j %s -R %s -t 50 -e %s %s", coapClient(), certificate, key, serverAuthority,
				quoted(exampleBody), quoted(strings.TrimRight(e.CoAP.URL, "/")+"/v1/"+exampleChannel)))
		}
		if e.HTTP != nil && strings.HasPrefix(e.HTTP.URL, "https://") {
			lines = append(lines, fmt.Sprintf("curl%s --cert %s --key %s -H 'Content-Type: application/json' -d %s %s", own("--cacert"), certificate, key,
				quoted(exampleBody), quoted(strings.TrimRight(e.HTTP.URL, "/")+"/v1/"+exampleChannel)))
		}
		return lines
	}
}
