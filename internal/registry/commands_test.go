package registry

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func withCommands(section string) *Device {
	d := &Device{Metadata: Metadata{Application: "app", Name: "gw"}}
	if section != "" {
		d.Spec = Sections{SectionCommands: json.RawMessage(section)}
	}
	return d
}

func TestCommandEndpoint(t *testing.T) {
	f := func(section string, want CommandEndpoint) {
		t.Helper()
		d := withCommands(section)
		got, err := d.CommandEndpoint()
		if err != nil {
			t.Errorf("%s: %v", section, err)
			return
		}
		if diff := cmp.Diff(&want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", section, diff)
		}
		if said := CheckDevice(d); len(said) > 0 {
			t.Errorf("%s: %v", section, said)
		}
	}
	const url = "https://example.com/api"
	f(`{"commands":[{"external":{"url":"`+url+`"}}]}`, CommandEndpoint{ExternalEndpoint: ExternalEndpoint{URL: url}})
	f(`{"commands":[{"external":{"url":"https://other.example"}},{"external":{"type":"ttnv3","url":"`+url+`","method":"PUT","headers":{"X-B":"2","Authorization":"Bearer t"}}}]}`,
		CommandEndpoint{TTNv3Commands, ExternalEndpoint{URL: url, Method: "PUT", Headers: EndpointHeaders{{"Authorization", "Bearer t"}, {"X-B", "2"}}}})
	f(`{"commands":[{"external":{"type":"ttn","url":"`+url+`","headers":[{"name":"X-A","value":"1"}],"auth":{"bearer":{"token":"t"}}}}]}`,
		CommandEndpoint{TTNCommands, ExternalEndpoint{URL: url, Headers: EndpointHeaders{{"X-A", "1"}}, Auth: EndpointAuth{Bearer: &BearerAuth{"t"}}}})
}

func TestCommandEndpointRefuses(t *testing.T) {
	f := func(section, want string) {
		t.Helper()
		got, err := withCommands(section).CommandEndpoint()
		if got != nil || err == nil || !strings.HasPrefix(err.Error(), want) || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%s: %v, %v, want %s", section, got, err, want)
		}
	}
	for _, none := range []string{"", `{}`, `{"commands":[]}`} {
		if got, err := withCommands(none).CommandEndpoint(); !errors.Is(err, ErrNoCommandEndpoint) {
			t.Errorf("%s: %v, %v", none, got, err)
		}
	}
	f(`{"commands":{"hunter2":1}}`, "spec.commands: ")
	f(`{"commands":[{"external":{"url":7}}]}`, "spec.commands: ")
	f(`{"commands":[{"internal":{}}]}`, "spec.commands.commands[0]: lacks external")
	f(`{"commands":[{"external":{"url":"https://a.example"}},{"external":{"type":"hunter2","url":"https://a.example"}}]}`, "spec.commands.commands[1].external.type: ")
	f(`{"commands":[{"external":{"url":"ftp://hunter2"}}]}`, "spec.commands.commands[0].external.url: ")
	f(`{"commands":[{"external":{"url":"https://a.example","headers":{"X":1}}}]}`, "spec.commands: ")
}

func TestCheckCommandsWarns(t *testing.T) {
	f := func(external, want string) {
		t.Helper()
		said := CheckDevice(withCommands(`{"commands":[{"external":` + external + `}]}`))
		if len(said) != 1 || !strings.HasPrefix(said[0].String(), "spec.commands.commands[0].external"+want) {
			t.Errorf("%s: %v, want %s", external, said, want)
		}
	}
	f(`{"type":"ttnv4","url":"https://a.example"}`, ".type: ")
	f(`{"type":"ttnv3"}`, ": lacks url")
	f(`{"url":"https://a.example","headers":{"Host":"x"}}`, ".headers: Host belongs to the connection")
	f(`{"url":"https://a.example","headers":{"X":1}}`, ".headers.X: ")
	f(`{"url":"https://a.example","headers":7}`, ".headers: must be")
	f(`{"url":"https://a.example","tpye":"ttnv3"}`, ".tpye: ")
}
