package main

import (
	"cmp"
	"context"
	"crypto/x509"
	"crypto/x509/pkix"
	"fmt"
	"os"
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
	c.hint(ctx, t, certificateLines(files, func(e *cloud.Endpoints) string { return trustedFile(c.Dir, e) }))
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

// serverAuthority is the name of the file with the authority of the servers' certificates.
const serverAuthority = "server-ca.crt"

// trustedFile is the file with the authority of the servers' certificates: in a folder, where it is written if the installation tells it and
// no other file has its name; else a name for somebody to replace.
func trustedFile(dir string, e *cloud.Endpoints) string {
	if _, err := registry.ParseCertificate([]byte(e.Authority)); err != nil {
		return serverAuthority
	}
	name := filepath.Join(dir, serverAuthority)
	if present, err := os.ReadFile(name); err == nil && string(present) == e.Authority {
		return name
	}
	if issuer.WriteNew(name, []byte(e.Authority)) != nil {
		return serverAuthority
	}
	return name
}

// certificateLines use a certificate over MQTT, CoAP and HTTP, where there is TLS. The file says whom servers are trusted by.
func certificateLines(files issuer.Files, trusted func(*cloud.Endpoints) string) func(*cloud.Endpoints, string) []string {
	return func(e *cloud.Endpoints, _ string) (lines []string) {
		file := quoted(trusted(e))
		certificate, key := quoted(files.Certificate), quoted(files.Key)
		if address, trust := overTLS(e, file); address != nil {
			lines = append(lines, mosquittoLine(address, trust+" --cert "+certificate+" --key "+key))
		}
		if e.CoAP != nil && strings.HasPrefix(e.CoAP.URL, "coaps://") {
			lines = append(lines, coapLine("-c "+certificate+" -j "+key+" -R "+file, e.CoAP.URL))
		}
		for _, place := range []*cloud.Place{e.SecureHTTP, e.HTTP} {
			if place == nil || !strings.HasPrefix(place.URL, "https://") {
				continue
			}
			trust := ""
			if e.LocalCerts {
				trust = "--cacert " + file + " "
			}
			return append(lines, curlLine(trust+"--cert "+certificate+" --key "+key, exampleURL(place.URL)))
		}
		return lines
	}
}

// overTLS is where MQTT is spoken over TLS, and how mosquitto_pub is told whom to trust; nil is nowhere.
func overTLS(e *cloud.Endpoints, file string) (address *cloud.Address, trust string) {
	switch {
	case e.SecureMQTT != nil && e.SecureMQTT.Host != "":
		address, trust = e.SecureMQTT, " --tls-use-os-certs"
	case e.MQTT != nil && e.MQTT.Host != "" && mqttTLS(e.MQTT) != "":
		address, trust = e.MQTT, mqttTLS(e.MQTT)
	default:
		return nil, ""
	}
	if e.LocalCerts {
		trust = " --cafile " + file
	}
	return address, trust
}
