package command

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
)

// What processes send each other is a version, the length of a header, the header in JSON, and a body as it is. Fields of a header that
// are not known are left alone, so that processes of two releases understand each other.
const (
	envelopeVersion = 1
	maxHeader       = 16 << 10
	maxEnvelope     = 1 + binary.MaxVarintLen64 + maxHeader + MaxPayload
)

// An envelope is what is sent to the channel of a device: a command and how to answer.
type envelope struct {
	Sender string `json:"from"` // whose reply channel takes receipt and answer
	ID     string `json:"id"`   // of the receipt

	Application string `json:"application"`
	Gateway     string `json:"gateway"`
	Device      string `json:"device"`
	Name        string `json:"name"`
	ContentType string `json:"type,omitempty"`
	Respond     bool   `json:"respond,omitempty"`
	Correlation string `json:"correlation,omitempty"`
}

// command is what the envelope holds, with its payload.
func (e *envelope) command(payload []byte) Command {
	return Command{
		Application: e.Application, Gateway: e.Gateway, Device: e.Device, Name: e.Name, ContentType: e.ContentType, Payload: payload,
		Respond: e.Respond, Correlation: e.Correlation,
	}
}

// enclose puts a command into an envelope.
func enclose(sender, id string, c *Command) ([]byte, error) {
	return encode(&envelope{
		Sender: sender, ID: id, Application: c.Application, Gateway: c.Gateway, Device: c.Device, Name: c.Name, ContentType: c.ContentType,
		Respond: c.Respond, Correlation: c.Correlation,
	}, c.Payload)
}

// A reply is what is sent to the reply channel of a sender.
type reply struct {
	ID    string `json:"id"`
	Reach Reach  `json:"reach,omitempty"`

	Answer *answerHeader `json:"answer,omitempty"` // nil: it is a receipt
}

// An answerHeader is an Answer without its payload.
type answerHeader struct {
	Application string `json:"application"`
	Device      string `json:"device"`
	ContentType string `json:"type,omitempty"`
}

var (
	errTooLong  = errors.New("a message between processes is too long")
	errBroken   = errors.New("a message between processes is broken")
	errReleases = errors.New("a message between processes is of a release that is not known")
)

func encode(header any, body []byte) ([]byte, error) {
	text, err := json.Marshal(header)
	if err != nil {
		return nil, fmt.Errorf("writing a message between processes: %w", err)
	}
	if len(text) > maxHeader || len(body) > MaxPayload {
		return nil, errTooLong
	}
	b := make([]byte, 0, 1+binary.MaxVarintLen64+len(text)+len(body))
	b = append(b, envelopeVersion)
	b = binary.AppendUvarint(b, uint64(len(text)))
	b = append(b, text...)
	return append(b, body...), nil
}

// decode reads a header into a pointer to a struct, and gives the body, which shares memory with the message.
func decode(message []byte, header any) (body []byte, err error) {
	switch {
	case len(message) > maxEnvelope:
		return nil, errTooLong
	case len(message) == 0:
		return nil, errBroken
	case message[0] != envelopeVersion:
		return nil, errReleases
	}
	length, n := binary.Uvarint(message[1:])
	rest := message[1+max(n, 0):]
	if n <= 0 || length > maxHeader || length > uint64(len(rest)) {
		return nil, errBroken
	}
	if body = rest[length:]; len(body) > MaxPayload {
		return nil, errTooLong
	}
	if json.Unmarshal(rest[:length], header) != nil {
		return nil, errBroken
	}
	return body, nil
}
