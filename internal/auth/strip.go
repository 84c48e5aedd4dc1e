package auth

import (
	"bytes"
	"encoding/json"
	"net/url"

	"github.com/fairlead/fairlead/internal/registry"
)

// Names of sections that only this file selects.
const (
	sectionPublish = "publish"
	sectionCommand = "command"

	sectionCommands = "commands"
)

// stripApplication is the application as adapters may see it: an allow-list of what the data plane needs, so that a
// section that somebody adds later stays hidden until somebody decides otherwise. The status is left out as a whole.
// Rules keep their steps but lose the credentials of the endpoints that they call.
func stripApplication(a *registry.Application) *registry.Application {
	stripped := &registry.Application{Metadata: a.Metadata, Spec: only(a.Spec, registry.SectionCore, registry.SectionMQTT, sectionPublish, sectionCommand)}
	for _, name := range []string{sectionPublish, sectionCommand} {
		if raw, ok := stripped.Spec[name]; ok {
			stripped.Spec[name] = withoutEndpointCredentials(raw)
		}
	}
	return stripped
}

// stripDevice is the device as adapters may see it: without its credentials, and without the endpoints of its commands,
// whose headers hold tokens. Of the section "ttn" only the choice of payload stays: the rest belongs to the network
// server, keys among it. Sections that nobody here knows stay, as the wire contract has it.
func stripDevice(d *registry.Device) *registry.Device {
	stripped := &registry.Device{Metadata: d.Metadata, Status: d.Status, Spec: d.Spec.Without(
		registry.SectionAuthentication, registry.SectionCredentials, sectionCommands, registry.SectionTTN)}
	if payload := d.Payload(); payload != registry.TTNFull {
		section, _ := json.Marshal(registry.TTN{Payload: payload}) // never fails
		stripped.Spec[registry.SectionTTN] = section
	}
	return stripped
}

func only(s registry.Sections, names ...string) registry.Sections {
	var kept registry.Sections
	for _, name := range names {
		raw, ok := s[name]
		if !ok {
			continue
		}
		if kept == nil {
			kept = registry.Sections{}
		}
		kept[name] = raw
	}
	return kept
}

// withoutEndpointCredentials removes what authenticates us to the endpoints that rules call: all of an endpoint but its
// URL, without the user in it, its method and its timeout.
func withoutEndpointCredentials(raw json.RawMessage) json.RawMessage {
	decoder := json.NewDecoder(bytes.NewReader(raw))
	decoder.UseNumber()
	var content any
	if decoder.Decode(&content) != nil {
		return json.RawMessage("null")
	}
	clean, err := json.Marshal(cleanEndpoints(content))
	if err != nil {
		return json.RawMessage("null")
	}
	return clean
}

func cleanEndpoints(content any) any {
	switch value := content.(type) {
	case []any:
		for i := range value {
			value[i] = cleanEndpoints(value[i])
		}
	case map[string]any:
		for name, member := range value {
			if endpoint, ok := member.(map[string]any); ok && name == "endpoint" {
				value[name] = cleanEndpoint(endpoint)
				continue
			}
			value[name] = cleanEndpoints(member)
		}
	}
	return content
}

// cleanEndpoint keeps what says where and how an endpoint is called.
func cleanEndpoint(endpoint map[string]any) map[string]any {
	kept := map[string]any{}
	for _, name := range []string{"method", "timeout"} {
		if value, ok := endpoint[name].(string); ok {
			kept[name] = value
		}
	}
	if text, ok := endpoint["url"].(string); ok {
		if u, err := url.Parse(text); err == nil {
			u.User = nil
			kept["url"] = u.String()
		}
	}
	return kept
}
