package numbered

import (
	"encoding/json"
	"errors"
	"fmt"
)

// A Message is one number of one device.
type Message struct {
	Device string `json:"device"`
	Number uint64 `json:"number"` // counts from 1 for each device
}

// Body is the message as a device sends it, in JSON.
func (m Message) Body() []byte {
	body, err := json.Marshal(m)
	if err != nil {
		panic(err) // a string and a number always marshal
	}
	return body
}

// ParseMessage reads a body that Body made.
func ParseMessage(body []byte) (Message, error) {
	var m Message
	if err := json.Unmarshal(body, &m); err != nil {
		return m, fmt.Errorf("reading a numbered message: %w", err)
	}
	if m.Device == "" || m.Number == 0 {
		return m, errors.New("reading a numbered message: device or number is missing")
	}
	return m, nil
}

// A Stored message is one that was found in Kafka.
type Stored struct {
	Message
	Partition int32
	Offset    int64
}
