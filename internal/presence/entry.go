package presence

import (
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/fairlead/fairlead/internal/auth"
	"github.com/fairlead/fairlead/internal/event"
	"github.com/fairlead/fairlead/internal/ingest"
	"github.com/fairlead/fairlead/internal/refusal"
	"github.com/fairlead/fairlead/internal/registry"
)

// entryFormat is the version of what stands in outboxes.
const entryFormat = "1"

// A kind is one of the three events of a session, as it stands in an outbox.
type kind byte

const (
	connected    kind = 't'
	disconnected kind = 'f'
	testament    kind = 'w' // the will
)

// An epoch names one session of one device, for ever. It is a random UUID (version 4) whose last digit is 0; the ids of the
// session's events are the same UUID with a digit that stands for the kind. Whoever emits an event twice, after a crash or
// a lost answer, therefore emits it with the same id.
type epoch uuid.UUID

const (
	uuidText  = 36           // characters of a UUID
	epochText = uuidText - 1 // all but the last digit
)

func newEpoch() epoch {
	e := epoch(uuid.New())
	e[len(e)-1] &= 0xf0
	return e
}

// String is the UUID without its last digit, the form in Redis.
func (e epoch) String() string { return uuid.UUID(e).String()[:epochText] }

// parseEpoch reads what String wrote.
func parseEpoch(text string) (epoch, error) {
	if len(text) != epochText {
		return epoch{}, errors.New("an epoch has 35 characters")
	}
	id, err := uuid.Parse(text + "0")
	if err != nil {
		return epoch{}, errors.New("an epoch is a UUID without its last digit")
	}
	return epoch(id), nil
}

// id is that of one of the session's events.
func (e epoch) id(k kind) string {
	switch k {
	case testament:
		return e.String() + "1"
	case disconnected:
		return e.String() + "2"
	default:
		return e.String() + "0"
	}
}

// An origin is what the events of a session say about where they come from.
type origin struct {
	Application    string `json:"application"`
	ApplicationUID string `json:"applicationUid"`
	Device         string `json:"device"`
	DeviceUID      string `json:"deviceUid"`
}

// A Will is a message that is published when a session ends without the device's leave.
type Will struct {
	Topic       string `json:"topic"`                 // becomes the subject
	ContentType string `json:"contentType,omitempty"` // "" detects JSON
	Payload     []byte `json:"payload"`
}

// encode is JSON on one line. It cannot fail: there is nothing but texts and bytes.
func encode[T origin | Will](v T) string {
	text, _ := json.Marshal(v)
	return string(text)
}

// An entry is one event in an outbox: a line with format, kind, epoch and time in microseconds, a line with the origin, and
// for a will a line with the will. Scripts write entries from parts that were encoded here.
type entry struct {
	kind   kind
	epoch  epoch
	time   time.Time
	origin origin
	will   Will
}

var errEntry = errors.New("an event in an outbox does not parse")

// header is the first line of an entry, which no other event has.
func header(text string) string {
	line, _, _ := strings.Cut(text, "\n")
	return line
}

// decodeEntry reads an entry. The error holds nothing of it.
func decodeEntry(text string) (e entry, err error) {
	first, rest, found := strings.Cut(text, "\n")
	if !found {
		return entry{}, errEntry
	}
	if err := e.decodeHeader(first); err != nil {
		return entry{}, err
	}
	from, will, found := strings.Cut(rest, "\n")
	if json.Unmarshal([]byte(from), &e.origin) != nil || found != (e.kind == testament) {
		return entry{}, errEntry
	}
	if found && json.Unmarshal([]byte(will), &e.will) != nil {
		return entry{}, errEntry
	}
	return e, nil
}

func (e *entry) decodeHeader(line string) error {
	fields := strings.Split(line, " ")
	if len(fields) != 4 || fields[0] != entryFormat || len(fields[1]) != 1 {
		return errEntry
	}
	e.kind = kind(fields[1][0])
	if e.kind != connected && e.kind != disconnected && e.kind != testament {
		return errEntry
	}
	var err error
	if e.epoch, err = parseEpoch(fields[2]); err != nil {
		return fmt.Errorf("%w: %w", errEntry, err)
	}
	micros, err := strconv.ParseInt(fields[3], 10, 64)
	if err != nil {
		return errEntry
	}
	e.time = time.UnixMicro(micros)
	return nil
}

// message is the event for the pipeline.
func (e *entry) message() ingest.Message {
	m := ingest.Message{ID: e.epoch.id(e.kind), Time: e.time, Protocol: refusal.Presence}
	switch e.kind {
	case testament:
		m.Channel, m.ContentType, m.Body = e.will.Topic, e.will.ContentType, e.will.Payload
	case connected:
		m.Type, m.Channel, m.ContentType, m.Body = event.TypeConnection, connectionChannel, event.JSON, []byte(`{"connected":true}`)
	default:
		m.Type, m.Channel, m.ContentType, m.Body = event.TypeConnection, connectionChannel, event.JSON, []byte(`{"connected":false}`)
	}
	return m
}

// connectionChannel is the subject of connection events.
const connectionChannel = "connection"

// session is as much of the device's session as an event shows. All events are made from it, those of live sessions too,
// so that nobody can tell who emitted them.
func (e *entry) session() *auth.Session {
	return &auth.Session{
		Application: &registry.Application{Metadata: registry.Metadata{Name: e.origin.Application, UID: e.origin.ApplicationUID}},
		Device: &registry.Device{Metadata: registry.Metadata{
			Name: e.origin.Device, Application: e.origin.Application, UID: e.origin.DeviceUID,
		}},
	}
}
