package mqtt

import (
	"errors"
	"sync"
)

// recordOverhead is what a message takes in Kafka's client besides its body and topic: some twenty attributes.
const recordOverhead = 1 << 10

// minInFlightBytes is room for the largest message that a pipeline can be told to take.
const minInFlightBytes = 1 << 20

// A BudgetConfig says how many messages may wait for Kafka, and how much memory they may take.
type BudgetConfig struct {
	MaxInFlight      int `doc:"number of messages of all clients that may wait for Kafka at once, below kafka.maxRecords; beyond, nothing more is read from who publishes"`
	MaxInFlightBytes int `doc:"bytes of messages of all clients that may wait for Kafka at once, below kafka.maxBytes"`
}

// DefaultBudgetConfig stays below what Kafka's client takes.
func DefaultBudgetConfig() BudgetConfig {
	return BudgetConfig{MaxInFlight: 8_000, MaxInFlightBytes: 48 << 20}
}

// Validate names the first bad field.
func (c *BudgetConfig) Validate() error {
	switch {
	case c.MaxInFlight < 1:
		return errors.New("maxInFlight: must be at least 1")
	case c.MaxInFlightBytes < minInFlightBytes:
		return errors.New("maxInFlightBytes: must be at least 1048576")
	}
	return nil
}

// A Budget bounds the messages of all clients of a gateway that wait for Kafka. Who finds it spent waits, first come first
// served, and reads nothing from its client meanwhile. Every message gets its answer within Kafka's delivery timeout, so the
// wait ends by itself. It is safe for concurrent use.
type Budget struct {
	maxMessages, maxBytes int64
	waited                func()

	mu                        sync.Mutex
	spentMessages, spentBytes int64
	queue                     []*claimant
}

// A claimant waits for its part of a budget.
type claimant struct {
	bytes int64
	ready chan struct{}
}

// NewBudget makes a budget of a configuration that is valid.
func NewBudget(c BudgetConfig) *Budget {
	b := newBudget(c)
	b.waited = newBudgetMetrics(b.Spent).waited
	return b
}

func newBudget(c BudgetConfig) *Budget {
	return &Budget{maxMessages: int64(c.MaxInFlight), maxBytes: int64(c.MaxInFlightBytes), waited: func() {}}
}

// Take spends one message of that many bytes of topic and body, and tells the bytes to give back. It blocks while the budget
// is spent.
func (b *Budget) Take(size int) (bytes int64) {
	bytes = min(int64(size)+recordOverhead, b.maxBytes)
	b.mu.Lock()
	if len(b.queue) == 0 && b.spend(bytes) {
		b.mu.Unlock()
		return bytes
	}
	c := &claimant{bytes, make(chan struct{})}
	b.queue = append(b.queue, c)
	b.mu.Unlock()
	b.waited()
	<-c.ready
	return bytes
}

// Give gives back what Take spent: for each Take once, from any goroutine. It does not block.
func (b *Budget) Give(bytes int64) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.spentMessages--
	b.spentBytes -= bytes
	for len(b.queue) > 0 && b.spend(b.queue[0].bytes) {
		close(b.queue[0].ready)
		b.queue[0] = nil
		b.queue = b.queue[1:]
	}
}

func (b *Budget) spend(bytes int64) bool {
	if b.spentMessages == b.maxMessages || b.spentBytes+bytes > b.maxBytes {
		return false
	}
	b.spentMessages++
	b.spentBytes += bytes
	return true
}

// Spent is what is taken now.
func (b *Budget) Spent() (messages, bytes int64) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.spentMessages, b.spentBytes
}
