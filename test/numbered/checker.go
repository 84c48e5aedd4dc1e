package numbered

import "sync"

// An Answer is what a sender was told about a message.
type Answer int

// The answers.
const (
	// Unknown is no decision: an answer of the class 5xx, or none.
	Unknown Answer = iota
	// Acknowledged is a promise that the message is stored.
	Acknowledged
	// Refused is a promise that the message is not stored.
	Refused
)

// AnswerOf reads an HTTP answer; status is 0 if there was none.
func AnswerOf(status int) Answer {
	switch {
	case status >= 200 && status < 300:
		return Acknowledged
	case status >= 400 && status < 500:
		return Refused
	default:
		return Unknown
	}
}

// A Checker remembers which numbers were sent and how each was answered. It may be used by any number of goroutines,
// though the messages of one device are only in order if one goroutine sends them.
type Checker struct {
	mu      sync.Mutex
	devices map[string][]fate // by number, from 1
	counts  Counts
}

// A fate is how often a number was sent, and what was said about it.
type fate struct {
	sent                           int
	acknowledged, refused, unknown bool
}

// Counts says how many sendings were answered how.
type Counts struct{ Acknowledged, Refused, Unknown int }

// New makes a Checker that knows of no message.
func New() *Checker { return &Checker{devices: make(map[string][]fate)} }

// Next is a message with the next number of a device. It counts as sent for the first time.
func (c *Checker) Next(device string) Message {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.devices[device] = append(c.devices[device], fate{sent: 1})
	return Message{Device: device, Number: uint64(len(c.devices[device]))}
}

// Again counts that a message is sent once more.
func (c *Checker) Again(m Message) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if f := c.fate(m); f != nil {
		f.sent++
	}
}

// Answered notes the answer to one sending of a message.
func (c *Checker) Answered(m Message, a Answer) {
	c.mu.Lock()
	defer c.mu.Unlock()
	f := c.fate(m)
	if f == nil {
		return
	}
	switch a {
	case Acknowledged:
		f.acknowledged = true
		c.counts.Acknowledged++
	case Refused:
		f.refused = true
		c.counts.Refused++
	default:
		f.unknown = true
		c.counts.Unknown++
	}
}

// Counts tells how many answers of each sort there were so far.
func (c *Checker) Counts() Counts {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.counts
}

// fate is nil for a message that Next did not make.
func (c *Checker) fate(m Message) *fate {
	numbers := c.devices[m.Device]
	if m.Number == 0 || m.Number > uint64(len(numbers)) {
		return nil
	}
	return &numbers[m.Number-1]
}

// mustBeStored tells whether somebody was promised that the number is there.
func (f *fate) mustBeStored() bool { return f.acknowledged }

// mustNotBeStored tells whether every sending was refused, each with an answer.
func (f *fate) mustNotBeStored() bool { return f.refused && !f.acknowledged && !f.unknown }

// Acknowledged tells whether a message was acknowledged.
func (c *Checker) Acknowledged(m Message) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	f := c.fate(m)
	return f != nil && f.acknowledged
}
