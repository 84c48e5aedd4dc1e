package mqtt

import "github.com/fairlead/fairlead/internal/mqtt/packet"

// deliveries are the messages that wait for a client, encoded, the oldest first. There is no memory in them while none
// waits.
type deliveries struct {
	queue [][]byte
	head  int // of the oldest in queue
	bytes int // of the memory that all take
}

func (d *deliveries) len() int { return len(d.queue) - d.head }

func (d *deliveries) push(b []byte) {
	if d.head > 0 && len(d.queue) == cap(d.queue) {
		d.queue = d.queue[:copy(d.queue, d.queue[d.head:])]
		d.head = 0
	}
	d.queue = append(d.queue, b)
	d.bytes += cap(b)
}

// oldest is the one that comes next; nil if there is none.
func (d *deliveries) oldest() []byte {
	if d.len() == 0 {
		return nil
	}
	return d.queue[d.head]
}

// pop takes the oldest out.
func (d *deliveries) pop() []byte {
	b := d.queue[d.head]
	d.queue[d.head] = nil
	d.head++
	d.bytes -= cap(b)
	if d.len() == 0 {
		*d = deliveries{}
	}
	return b
}

// deliver queues a message for the client.
func (c *Conn) deliver(p *packet.Publish) (taken bool) {
	message := *p
	message.QoS, message.Dup, message.PacketID, message.TopicAlias = 0, false, 0, 0
	s := c.server
	b := message.Append(s.deliveryBuffer(sizeOf(&message)), c.version)
	if c.exceeds(len(b)) || cap(b) > s.config.DeliveryBytes {
		s.buffers.put(b)
		s.metrics.droppedTooLarge.Add(1)
		return false
	}
	c.mu.Lock()
	defer c.release()
	if c.out.sealed {
		s.buffers.put(b)
		s.metrics.droppedClosed.Add(1)
		return false
	}
	waiting := &c.out.deliveries
	waiting.push(b)
	for waiting.len() > s.config.DeliveryQueue || waiting.bytes > s.config.DeliveryBytes {
		s.buffers.put(waiting.pop())
		s.metrics.droppedSlow.Add(1)
	}
	return true
}

// deliveryBuffer is pooled if it is small. A large one is made to measure, so that those that wait take no more memory than
// they need.
func (s *Server) deliveryBuffer(n int) []byte {
	if n > pageBuffer {
		return make([]byte, 0, n)
	}
	return s.buffers.get(n)[:0]
}

// sizeOf is at least what a message takes when it is encoded, in bytes.
func sizeOf(p *packet.Publish) int {
	const properties = 32 // with their identifiers and lengths, and the fixed header
	return properties + len(p.Topic) + len(p.Payload) + len(p.ContentType) + len(p.ResponseTopic) +
		len(p.CorrelationData) + len(p.UserProperties) + 5*len(p.SubscriptionIDs)
}
