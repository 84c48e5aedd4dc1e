package devcloud

import (
	"crypto/x509/pkix"
	_ "embed" // for the example
	"encoding/hex"
	"encoding/json"
	"fmt"
	"os"

	"github.com/fairlead/fairlead/internal/devcloud/authority"
	"github.com/fairlead/fairlead/internal/devcloud/registryfile"
	"github.com/fairlead/fairlead/internal/issuer"
	"github.com/fairlead/fairlead/internal/registry"
)

//go:embed example.yaml
var exampleRegistry []byte

// The device of the example that can log in with everything.
const (
	exampleApplication = "example-app"
	exampleDevice      = "device1"
)

// certifyExample makes a certificate of the example's device in the data folder.
func (d *Dev) certifyExample() (*authority.Files, error) {
	subject := pkix.Name{Organization: []string{"Fairlead"}, OrganizationalUnit: []string{exampleApplication}, CommonName: exampleDevice}
	files, err := authority.EnsureDevice(d.folder.File("example"), subject)
	return &files, err
}

// exampleContents is the example, whose application trusts the authority of the device's certificate.
func exampleContents(files authority.Files) (contents registryfile.Contents, err error) {
	if contents, err = registryfile.Decode("example", exampleRegistry); err != nil {
		return contents, err
	}
	ca, err := os.ReadFile(files.Authority)
	if err != nil {
		return contents, err
	}
	certificate, err := issuer.ReadCertificate(files.Certificate)
	if err != nil {
		return contents, err
	}
	name, err := registry.DistinguishedName(certificate.RawSubject)
	if err != nil {
		return contents, err
	}
	alias, err := json.Marshal([]string{name})
	if err != nil {
		return contents, err
	}
	for _, device := range contents.Devices {
		if device.Metadata.Name == exampleDevice {
			device.Spec[registry.SectionAlias] = alias
		}
	}
	return contents, contents.Trust(exampleApplication, ca)
}

// An Example is a log-in that works and what to do with it.
type Example struct {
	Application string `json:"application"`
	Device      string `json:"device"`
	Username    string `json:"username"` // for HTTP Basic authentication
	Password    string `json:"password"`
	Curl        string `json:"curl"`
	Key         string `json:"key,omitempty"` // of the device's pre-shared key, in hexadecimal digits

	Certificate    string `json:"certificate,omitempty"`    // file with the device's certificate
	CertificateKey string `json:"certificateKey,omitempty"` // file with its key
}

// newExample finds a device that can log in with a plain password. There may be none.
func newExample(contents registryfile.Contents, url string) *Example {
	for _, d := range contents.Devices {
		credentials, err := d.Credentials()
		if err != nil || !d.Spec.Enabled() {
			continue
		}
		for _, c := range credentials {
			if c.Password != nil && c.Password.Kind == registry.PlainPassword {
				e := exampleOf(d, c.Password.Value, url)
				e.Key = keyOf(credentials)
				return e
			}
		}
	}
	return nil
}

func exampleOf(d *registry.Device, password, url string) *Example {
	e := &Example{Application: d.Metadata.Application, Device: d.Metadata.Name, Password: password}
	e.Username = percentEncode(e.Device) + "@" + e.Application
	e.Curl = e.CurlWith(password, url)
	return e
}

// CurlWith is a command line that posts in the device's name, with that password.
func (e *Example) CurlWith(password, url string) string {
	return fmt.Sprintf(`curl -u %s -H 'Content-Type: application/json' -d '{"temperature": 21.5}' %s/v1/telemetry`,
		quote(e.Username+":"+password), url)
}

// keyOf is the first pre-shared key, in hexadecimal digits.
func keyOf(credentials []registry.Credential) string {
	for _, c := range credentials {
		if c.PreSharedKey != nil {
			return hex.EncodeToString(c.PreSharedKey.Key)
		}
	}
	return ""
}
