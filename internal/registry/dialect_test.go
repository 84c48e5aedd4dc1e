package registry

import (
	"encoding/json"
	"testing"
)

func TestDialectOf(t *testing.T) {
	f := func(application, device string, want Dialect, ok bool) {
		t.Helper()
		a, d := &Application{Spec: Sections{}}, &Device{Spec: Sections{}}
		if application != "" {
			a.Spec[SectionMQTT] = json.RawMessage(application)
		}
		if device != "" {
			d.Spec[SectionMQTT] = json.RawMessage(device)
		}
		got, err := DialectOf(a, d)
		if (err == nil) != ok || (ok && got != want) {
			t.Errorf("DialectOf(%s, %s) = %v, %v", application, device, got, err)
		}
	}
	const (
		drogue = `{"dialect":{"type":"drogue/v1"}}`
		plain  = `{"dialect":{"type":"plainTopic"}}`
		bare   = `{"dialect":{"type":"plainTopic","devicePrefix":false}}`
		device = `{"dialect":{"type":"plainTopic","devicePrefix":true}}`
	)
	f("", "", DrogueV1, true)
	f(drogue, "", DrogueV1, true)
	f(plain, "", PlainTopic, true)
	f(bare, "", PlainTopic, true)
	f(device, "", PlainTopicWithDevice, true)

	// The device's section counts as a whole.
	f(plain, device, PlainTopicWithDevice, true)
	f(device, drogue, DrogueV1, true)
	f(device, "{}", DrogueV1, true)
	f(device, "null", PlainTopicWithDevice, true)
	f("7", plain, PlainTopic, true)

	f("", `{"dialect":{"type":"azure"}}`, 0, false)
	f("", `{"dialect":{"devicePrefix":true}}`, 0, false)
	f("", `{"dialect":{"type":"plainTopic","devicePrefix":"yes"}}`, 0, false)
	f("", `{"dialect":"plainTopic"}`, 0, false)
	f("", `{"dialect":null}`, 0, false)
	f("", `"x"`, 0, false)
	f(`{"dialect":{"type":"wot"}}`, "", 0, false)
	f(`[]`, "", 0, false)
}
