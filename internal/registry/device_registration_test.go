package registry

import (
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func sectionsOf(t *testing.T, text string) (s Sections) {
	t.Helper()
	if err := json.Unmarshal([]byte(text), &s); err != nil {
		t.Fatal(err)
	}
	return s
}

func TestDeviceRegistration(t *testing.T) {
	f := func(section, want string) {
		t.Helper()
		a, err := DecodeApplication([]byte(`{"metadata":{"name":"app"},"spec":{"deviceRegistration":` + section + `}}`))
		switch {
		case want == "" && err != nil, want != "" && (err == nil || !strings.HasPrefix(err.Error(), "spec.deviceRegistration"+want)):
			t.Errorf("%s: %v, want %q", section, err, want)
		case err == nil && len(CheckApplication(a)) > 0:
			t.Errorf("%s: %v", section, CheckApplication(a))
		}
	}
	f(`{}`, "")
	f(`{"enabled":true,"requireProof":true,"maxDevices":100000,"perMinute":600,"template":{"labels":{"a":"b"},"annotations":{"c":"d"},"spec":{"core":{"disabled":true},"x":1}}}`, "")
	f(`{"enable":true}`, `: json: unknown field "enable"`)
	f(`{"enabled":"yes"}`, ": json")
	f(`[]`, ": json")
	f(`{"maxDevices":-1}`, ".maxDevices: must lie between 1 and 100000")
	f(`{"maxDevices":100001}`, ".maxDevices: must")
	f(`{"perMinute":601}`, ".perMinute: must lie between 1 and 600")
	f(`{"template":{"name":"x"}}`, ": json: unknown field")
	f(`{"template":{"labels":{"":"x"}}}`, ".template.labels: a key is empty")
	f(`{"template":{"spec":{"core":{"disabled":1}}}}`, ".template.spec.core.disabled: ")
	f(`{"template":{"spec":{"authentication":{"credentials":[]}}}}`, ".template.spec.authentication: devices must not share credentials")
	f(`{"template":{"spec":{"credentials":{}}}}`, ".template.spec.credentials: devices must not share credentials")
	f(`{"template":{"spec":{"alias":["x"]}}}`, ".template.spec.alias: devices cannot share names")

	odd, err := DecodeApplication([]byte(`{"metadata":{"name":"app"},"spec":{"deviceRegistration":{"template":{"spec":{"core":{"disable":true}}}}}}`))
	if err != nil {
		t.Fatal(err)
	}
	if problems := CheckApplication(odd); len(problems) != 1 || problems[0].Path != "spec.deviceRegistration.template.spec.core.disable" {
		t.Errorf("problems of a template: %v", problems)
	}

	var a Application
	if r, err := a.DeviceRegistration(); err != nil || r.Enabled {
		t.Errorf("without a section: %v, %v", r, err)
	}
	a.Spec = sectionsOf(t, `{"deviceRegistration":{"enabled":true}}`)
	a.Metadata.Name = "app"
	if r, err := a.DeviceRegistration(); err != nil || !r.Enabled || r.MaxDevices != 1000 || r.PerMinute != 60 {
		t.Errorf("defaults: %v, %v", r, err)
	}
}

func TestRegisteredDevices(t *testing.T) {
	template := DeviceTemplate{Labels: map[string]string{"site": "attic"}, Annotations: map[string]string{"a": "b"}, Spec: sectionsOf(t, `{"core":{"disabled":true}}`)}
	anchor := &x509.Certificate{Raw: []byte("anchor")}
	f := func(want string, subject ...string) {
		t.Helper()
		var sequence pkix.RDNSequence
		for _, part := range subject {
			kind, value, _ := strings.Cut(part, "=")
			id := map[string]asn1.ObjectIdentifier{"CN": {2, 5, 4, 3}, "O": {2, 5, 4, 10}}[kind]
			sequence = append(sequence, pkix.RelativeDistinguishedNameSET{{Type: id, Value: value}})
		}
		raw, err := asn1.Marshal(sequence)
		if err != nil {
			t.Fatal(err)
		}
		leaf := &x509.Certificate{RawSubject: raw}
		leaf.Subject.FillFromRDNSequence(&sequence)
		d, err := template.Device("app", leaf, anchor)
		if want == "" {
			if err == nil {
				t.Errorf("%v is registered as %v", subject, d.Metadata.Name)
			}
			return
		}
		if err != nil {
			t.Errorf("%v: %v", subject, err)
			return
		}
		alias, _, _ := Decode[[]string](d.Spec, SectionAlias)
		if d.Metadata.Name != want || d.Spec.Enabled() || len(alias) != 1 || alias[0] != strings.Join(subject, ", ") {
			t.Errorf("%v is registered as %s, %v, enabled %v", subject, d.Metadata.Name, alias, d.Spec.Enabled())
		}
		labels := map[string]string{"site": "attic", LabelTrustAnchor: Fingerprint(anchor)}
		if diff := cmp.Diff(labels, d.Metadata.Labels); diff != "" || d.Metadata.Annotations["a"] != "b" {
			t.Errorf("%v: %s", subject, diff)
		}
	}
	f("pump", "O=Plant", "CN=pump")
	f("pump 1@ä", "CN=pump 1@ä")
	f("O=Plant", "O=Plant")
	f("CN=a, CN=b", "CN=a", "CN=b")
	f("O=Plant, CN=", "O=Plant", "CN=")
	f("", "CN="+strings.Repeat("x", 256))
	f("", "CN=a\x01b")
	f("")
	if len(template.Labels) != 1 || len(template.Spec) != 1 {
		t.Errorf("the template has changed: %v", template)
	}
}

// FuzzDeviceRegistration has every section that is read bound what is registered.
func FuzzDeviceRegistration(f *testing.F) {
	f.Add([]byte(`{"enabled":true,"template":{"spec":{"core":{}}}}`))
	f.Add([]byte(`{"maxDevices":0}`))
	f.Add([]byte(`null`))
	f.Fuzz(func(t *testing.T, section []byte) {
		a := Application{Metadata: Metadata{Name: "app"}, Spec: Sections{SectionDeviceRegistration: section}}
		r, err := a.DeviceRegistration()
		if err != nil {
			return
		}
		if r.MaxDevices < 1 || r.MaxDevices > MaxRegisteredDevices || r.PerMinute < 1 || r.PerMinute > MaxRegisteredPerMinute {
			t.Errorf("%s: %v", section, r)
		}
	})
}
