package mqtt

import "sync"

// recordOverhead is what a message takes in Kafka's client besides its body and topic: some twenty attributes.
const recordOverhead = 1 << 10

// A budget bounds the messages of all clients that wait for Kafka. Who finds it spent waits, first come first served, and
// reads nothing from its client meanwhile. Every message gets its answer within Kafka's delivery timeout, so the wait
// ends by itself.
type budget struct {
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

func newBudget(messages, bytes int, waited func()) *budget {
	return &budget{maxMessages: int64(messages), maxBytes: int64(bytes), waited: waited}
}

// take spends one message of that many bytes of topic and body, and tells the bytes to give back.
func (b *budget) take(size int) (bytes int64) {
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

// give gives back what take spent. It does not block.
func (b *budget) give(bytes int64) {
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

func (b *budget) spend(bytes int64) bool {
	if b.spentMessages == b.maxMessages || b.spentBytes+bytes > b.maxBytes {
		return false
	}
	b.spentMessages++
	b.spentBytes += bytes
	return true
}

// spent is what is taken now.
func (b *budget) spent() (messages, bytes int64) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.spentMessages, b.spentBytes
}
