package registry

import (
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"strings"
)

// MaxDocument is the size limit of one document in bytes.
const MaxDocument = 64 << 10

// DecodeApplication reads a JSON document. Unknown members of the document and of its metadata are refused, unknown
// sections are kept. It validates what Validate validates.
func DecodeApplication(document []byte) (*Application, error) {
	var a Application
	if err := decodeDocument(document, &a); err != nil {
		return nil, fmt.Errorf("application document: %w", err)
	}
	return &a, a.Validate()
}

// DecodeDevice reads a JSON document, as strictly as DecodeApplication.
func DecodeDevice(document []byte) (*Device, error) {
	var d Device
	if err := decodeDocument(document, &d); err != nil {
		return nil, fmt.Errorf("device document: %w", err)
	}
	return &d, d.Validate()
}

func decodeDocument(document []byte, into any) error {
	if len(document) > MaxDocument {
		return fmt.Errorf("larger than %d bytes", MaxDocument)
	}
	err := DecodeStrict(document, into)
	var kind *json.UnmarshalTypeError
	if !errors.As(err, &kind) || kind.Field == "" {
		return err
	}
	if kind.Type.Kind() == reflect.String {
		return fmt.Errorf("%s: must be %s, in quotes", kind.Field, isText)
	}
	return fmt.Errorf("%s: must not be a %s", kind.Field, kind.Value)
}

// explain has an error about a section that does not parse name what in it is wrong.
func explain(err error, problems func() []Problem) error {
	var unread *sectionError
	if !errors.As(err, &unread) {
		return err
	}
	for _, p := range problems() {
		if strings.HasPrefix(p.Path, "spec."+unread.name) {
			return errors.New(p.String())
		}
	}
	return err
}

// Validate checks the name and every section that the data plane reads. The error names the path of the bad field.
func (a *Application) Validate() error {
	return explain(a.validate(), func() []Problem { return CheckApplication(a) })
}

func (a *Application) validate() error {
	if err := ValidateApplicationName(a.Metadata.Name); err != nil {
		return fmt.Errorf("metadata.name: %w", err)
	}
	if a.Metadata.Application != "" {
		return errors.New("metadata.application: an application belongs to no application")
	}
	if err := validateParts(&a.Metadata, a.Spec, a.Status); err != nil {
		return err
	}
	if _, _, err := Decode[Core](a.Spec, SectionCore); err != nil {
		return fmt.Errorf("spec.%s: %w", SectionCore, err)
	}
	if _, err := a.DeviceRegistration(); err != nil {
		return err
	}
	if _, err := a.Aliases(); err != nil {
		return fmt.Errorf("status: %w", err)
	}
	return nil
}

// Validate checks the names and every section that the data plane reads. The error names the path of the bad field.
func (d *Device) Validate() error {
	return explain(d.validate(), func() []Problem { return CheckDevice(d) })
}

func (d *Device) validate() error {
	if err := ValidateDeviceName(d.Metadata.Name); err != nil {
		return fmt.Errorf("metadata.name: %w", err)
	}
	if err := ValidateApplicationName(d.Metadata.Application); err != nil {
		return fmt.Errorf("metadata.application: %w", err)
	}
	if err := validateParts(&d.Metadata, d.Spec, d.Status); err != nil {
		return err
	}
	if _, err := d.Aliases(); err != nil {
		return err
	}
	checks := []struct {
		section string
		check   func() error
	}{
		{SectionCore, func() error { _, _, err := Decode[Core](d.Spec, SectionCore); return err }},
		{SectionGatewaySelector, func() error { _, _, err := Decode[GatewaySelector](d.Spec, SectionGatewaySelector); return err }},
		{SectionLoRaWAN, func() error { _, _, err := Decode[LoRaWAN](d.Spec, SectionLoRaWAN); return err }},
	}
	for _, c := range checks {
		if err := c.check(); err != nil {
			return fmt.Errorf("spec.%s: %w", c.section, err)
		}
	}
	return nil
}

// validateParts checks what applications and devices have in common, besides the names.
func validateParts(m *Metadata, spec, status Sections) error {
	if err := m.validate(); err != nil {
		return err
	}
	if err := validateSections("spec", spec); err != nil {
		return err
	}
	return validateSections("status", status)
}
