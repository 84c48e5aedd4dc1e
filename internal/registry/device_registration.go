package registry

import (
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
)

// SectionDeviceRegistration is the section of an application's specification that has devices registered when they first connect.
const SectionDeviceRegistration = "deviceRegistration"

// Bounds of the registration of devices.
const (
	MaxRegisteredDevices   = 100_000
	MaxRegisteredPerMinute = 600

	defaultRegisteredDevices   = 1000
	defaultRegisteredPerMinute = 60
)

// A DeviceRegistration says whether, and as what, a device is created that is not known and whose certificate leads to a trust anchor
// of the application. The zero value creates none.
type DeviceRegistration struct {
	Enabled      bool           `json:"enabled"`
	RequireProof bool           `json:"requireProof,omitempty"` // only by anchors whose key is proven
	MaxDevices   int            `json:"maxDevices,omitempty"`   // of the application, however they came about; 1000 by default
	PerMinute    int            `json:"perMinute,omitempty"`    // devices of the application that are created, in any way; 60 by default
	Template     DeviceTemplate `json:"template,omitzero"`
}

// A DeviceTemplate is what every registered device has.
type DeviceTemplate struct {
	Labels      map[string]string `json:"labels,omitempty"`
	Annotations map[string]string `json:"annotations,omitempty"`
	Spec        Sections          `json:"spec,omitempty"`
}

// DeviceRegistration reads the section of that name, with the defaults filled in. What is not known in it is an error.
func (a *Application) DeviceRegistration() (r DeviceRegistration, err error) {
	raw, ok := a.Spec[SectionDeviceRegistration]
	if !ok {
		return r, nil
	}
	if err := DecodeStrict(raw, &r); err != nil {
		return DeviceRegistration{}, fmt.Errorf("spec.%s: %w", SectionDeviceRegistration, err)
	}
	if r.MaxDevices == 0 {
		r.MaxDevices = defaultRegisteredDevices
	}
	if r.PerMinute == 0 {
		r.PerMinute = defaultRegisteredPerMinute
	}
	if err := r.validate(a.Metadata.Name); err != nil {
		return DeviceRegistration{}, fmt.Errorf("spec.%s.%w", SectionDeviceRegistration, err)
	}
	return r, nil
}

func (r *DeviceRegistration) validate(application string) error {
	if r.MaxDevices < 1 || r.MaxDevices > MaxRegisteredDevices {
		return fmt.Errorf("maxDevices: must lie between 1 and %d", MaxRegisteredDevices)
	}
	if r.PerMinute < 1 || r.PerMinute > MaxRegisteredPerMinute {
		return fmt.Errorf("perMinute: must lie between 1 and %d", MaxRegisteredPerMinute)
	}
	for _, name := range []string{SectionAuthentication, SectionCredentials} {
		if _, ok := r.Template.Spec[name]; ok {
			return fmt.Errorf("template.spec.%s: devices must not share credentials", name)
		}
	}
	if _, ok := r.Template.Spec[SectionAlias]; ok {
		return fmt.Errorf("template.spec.%s: devices cannot share names", SectionAlias)
	}
	if err := r.Template.device(application, "x").Validate(); err != nil {
		return errors.New("template." + strings.TrimPrefix(err.Error(), "metadata.")) // where labels and annotations stand elsewhere
	}
	return nil
}

func (t *DeviceTemplate) device(application, name string) *Device {
	return &Device{Metadata: Metadata{Name: name, Application: application, Labels: t.Labels, Annotations: t.Annotations}, Spec: t.Spec}
}

// Device makes the device that a certificate is registered as. Its name is the common name of the certificate, or the whole subject
// where there is none or several; the subject is an alias of it, and the trust anchor is noted in a label.
func (t *DeviceTemplate) Device(application string, certificate, anchor *x509.Certificate) (*Device, error) {
	subject, err := DistinguishedName(certificate.RawSubject)
	if err != nil {
		return nil, err
	}
	alias, err := json.Marshal([]string{subject})
	if err != nil {
		return nil, err
	}
	name := onlyCommonName(certificate)
	if name == "" {
		name = subject
	}
	d := t.device(application, name)
	d.Spec = d.Spec.Without()
	d.Spec[SectionAlias] = alias
	labels := map[string]string{}
	for key, value := range t.Labels {
		labels[key] = value
	}
	labels[LabelTrustAnchor] = Fingerprint(anchor)
	d.Metadata.Labels = labels
	if err := d.Validate(); err != nil {
		return nil, errors.New("the subject of the certificate cannot be the name of a device")
	}
	return d, nil
}

// onlyCommonName is the common name of a certificate that has one; else "".
func onlyCommonName(c *x509.Certificate) (name string) {
	for _, attribute := range c.Subject.Names {
		if attribute.Type.String() != "2.5.4.3" {
			continue
		}
		text, _ := attribute.Value.(string)
		if name != "" || text == "" {
			return ""
		}
		name = text
	}
	return name
}
