package mqtt

import "github.com/fairlead/fairlead/internal/mqtt/packet"

// publish hands a message to the session.
//
// The retain flag is ignored: nothing is retained here, and CONNACK says so in version 5. A client that sets it all the same,
// or has a will that is to be retained, is not refused, although version 5 asks for that (section 3.2.2.3.5): many devices
// set the flag whatever the server says, and their messages would be lost.
func (c *Conn) publish(flags byte, body []byte, s *scratch) error {
	p := &s.publish
	if err := p.Decode(flags, body, c.version); err != nil {
		return err
	}
	if p.QoS > 1 {
		return noQoS2()
	}
	if err := c.aliases.resolve(p, &c.server.config); err != nil {
		return err
	}
	f, err := c.depart(p)
	if err != nil {
		return err
	}
	c.session.Publish(p, f.done)
	return nil
}

// noQoS2 is the error of a message of QoS 2.
func noQoS2() error {
	return &packet.Error{Reason: packet.QoSNotSupported, What: "the server supports no QoS above 1"}
}
