package ttn

import (
	"github.com/fairlead/fairlead/internal/event"
	"github.com/fairlead/fairlead/internal/ingest"
	"github.com/fairlead/fairlead/internal/registry"
)

// message is what the pipeline gets: device is the one that the message is about, schema that of the query or "", and
// body the whole webhook.
func (u *Upstream) message(device *registry.Device, schema string, body []byte) ingest.Message {
	m := ingest.Message{
		Type:       u.Type(),
		Channel:    u.Subject(),
		DataSchema: schema,
		Extensions: u.Extensions,
		Body:       body,
	}
	if schema == "" {
		m.DataSchema = u.portSchema(device)
	}
	if !u.framed() {
		return m
	}
	switch device.Payload() {
	case registry.TTNRaw:
		m.ContentType, m.Body = event.OctetStream, u.Payload
	case registry.TTNFields:
		m.ContentType, m.Body = event.JSON, u.fields()
	}
	return m
}

// portSchema is the schema that the device declares for the port of an uplink. The fields of a normalized uplink follow
// the network's schema, not the device's. A declaration that is no absolute URI is passed over: it is not the network's
// fault, and refusing the message would lose it.
func (u *Upstream) portSchema(device *registry.Device) string {
	if u.Kind != Uplink {
		return ""
	}
	schema := device.DataSchema(u.Port)
	if event.ValidateDataSchema(schema) != nil {
		return ""
	}
	return schema
}

// fields is what the network decoded, as JSON.
func (u *Upstream) fields() []byte {
	if u.Fields == nil {
		return []byte("null")
	}
	return u.Fields
}
