package mqtt

import "github.com/fairlead/fairlead/internal/mqtt/packet"

// A flight is a message between PUBLISH and its answer. Flights are pooled, with the callback that the handler is given.
type flight struct {
	conn     *Conn
	next     *flight // which was published after this one
	id       uint16  // packet identifier; 0 with QoS 0
	answered bool
	answer   Answer
	done     func(Answer) // is land
}

// flights are the messages of one connection that are in flight. Those of QoS 1 are acknowledged in the order in which they
// were published (section 4.6), so they form a queue; those of QoS 0 are only counted.
type flights struct {
	head, tail *flight
	confirmed  int // of QoS 1, the length of the queue
	loose      int // of QoS 0
}

func (f *flights) push(n *flight) {
	if f.tail == nil {
		f.head = n
	} else {
		f.tail.next = n
	}
	f.tail = n
	f.confirmed++
}

// pop takes the oldest message out if it has its answer.
func (f *flights) pop() *flight {
	first := f.head
	if first == nil || !first.answered {
		return nil
	}
	f.head = first.next
	if f.head == nil {
		f.tail = nil
	}
	f.confirmed--
	return first
}

func (f *flights) empty() bool { return f.confirmed == 0 && f.loose == 0 }

// depart puts a message in flight, when there is room for it. A client of version 5 was told how much room there is for
// QoS 1, and breaks the protocol if it exceeds that (section 3.3.4); every other waits.
func (c *Conn) depart(p *packet.Publish) (*flight, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for c.ended == nil && !c.roomFor(p) {
		if p.QoS > 0 && c.version == packet.V5 && c.flights.confirmed >= c.server.config.ReceiveMaximum {
			return nil, &packet.Error{Reason: packet.ReceiveMaximumExceeded, What: "more messages are in flight than the server allows"}
		}
		c.changed.Wait()
	}
	if c.ended != nil {
		return nil, c.ended
	}
	f := c.server.flight()
	f.conn, f.id = c, p.PacketID
	if p.QoS > 0 {
		c.flights.push(f)
	} else {
		c.flights.loose++
	}
	return f, nil
}

func (c *Conn) roomFor(p *packet.Publish) bool {
	inFlight := c.flights.loose
	if p.QoS > 0 {
		inFlight = c.flights.confirmed
	}
	return inFlight < c.server.config.ReceiveMaximum && !c.out.crowded()
}

// land takes the answer to a message, and acknowledges what is next in line.
func (f *flight) land(a Answer) {
	c := f.conn
	c.mu.Lock()
	if f.id == 0 {
		c.flights.loose--
		c.server.arrived(f)
	} else {
		f.answer, f.answered = a, true
		for first := c.flights.pop(); first != nil; first = c.flights.pop() {
			c.acknowledge(first.id, first.answer)
			c.server.arrived(first)
		}
	}
	c.changed.Signal()
	c.release()
}

// ends tells whether an answer to a message of QoS 1 ends the connection.
func (c *Conn) ends(a Answer) bool {
	return a.Reason.Refuses() && c.version != packet.V5 && (!a.Final || c.server.config.CloseOnRefusal)
}

// acknowledge tells the client what became of a message of QoS 1. c.mu is held.
func (c *Conn) acknowledge(id uint16, a Answer) {
	if c.ends(a) {
		c.endLocked(&ending{End: End{Reason: a.Reason}, text: a.Text})
		return
	}
	c.say(a.Text, func(b []byte, text string) []byte {
		return packet.AppendPuback(b, c.version, id, a.Reason, text)
	})
}
