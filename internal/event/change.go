package event

import (
	"encoding/json"
	"net/url"
	"strconv"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

// Types of the events that tell of changes in the registry.
const (
	// ChangeTypes begins the types of all events that tell of changes.
	ChangeTypes           = "io.drogue.registry.change."
	TypeApplicationChange = "io.drogue.registry.change.application"
	TypeDeviceChange      = "io.drogue.registry.change.device"
)

// A Change is the CloudEvent that tells that a part of a registry document changed. The same change always makes the
// same event, so that whoever hears of it twice can tell by its id.
type Change struct {
	Instance    string
	Application string
	Device      string // "" for the application itself
	UID         string // of the document
	Revision    uint64 // of the document after the change
	Path        string // ".", ".metadata", ".spec.<section>" or ".status.<section>"; the subject
	Time        time.Time
}

// path is the resource as a path: instance/application, and for a device /device, each part percent-encoded where a URI
// asks for it (RFC 3986 section 3.3).
func (c *Change) path() string {
	path := url.PathEscape(c.Instance) + "/" + url.PathEscape(c.Application)
	if c.Device != "" {
		path += "/" + url.PathEscape(c.Device)
	}
	return path
}

// PartitionKey orders the changes of one resource. It is the key of the Kafka record and the extension "partitionkey".
func (c *Change) PartitionKey() string { return c.path() }

// id names one path of one revision.
func (c *Change) id() string {
	return c.UID + "-" + strconv.FormatUint(c.Revision, 10) + "-" + url.PathEscape(c.Path)
}

// changeData is the data of the event.
type changeData struct {
	Revision uint64 `json:"revision"`
	UID      string `json:"uid"`
}

// Record makes the Kafka record of the event for a topic, in binary content mode.
func (c *Change) Record(topic string) *kgo.Record {
	kind := TypeApplicationChange
	if c.Device != "" {
		kind = TypeDeviceChange
	}
	data, _ := json.Marshal(changeData{c.Revision, c.UID}) // a number and a string never fail
	key := c.PartitionKey()
	record := &kgo.Record{Topic: topic, Key: []byte(key), Value: data}
	add := func(name, value string) {
		record.Headers = append(record.Headers, kgo.RecordHeader{Key: name, Value: []byte(value)})
	}
	add("ce_specversion", "1.0")
	add("ce_id", c.id())
	add("ce_type", kind)
	add("ce_source", "drogue:/"+c.path())
	add("ce_subject", c.Path)
	add("ce_time", c.Time.UTC().Format(time.RFC3339Nano))
	add("content-type", JSON)
	add("ce_instance", c.Instance)
	add("ce_application", c.Application)
	if c.Device != "" {
		add("ce_device", c.Device)
	}
	add("ce_partitionkey", key)
	return record
}
