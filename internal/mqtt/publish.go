package mqtt

import "github.com/fairlead/fairlead/internal/mqtt/packet"

// publish hands a message to the session.
//
// The retain flag is taken for what it says to a server that retains nothing, which is nothing at all. Version 5 would have
// a server advertise that retained messages are not available, and refuse them. But many devices set the flag, and common
// client libraries then refuse to publish (mosquitto, paho.golang) or are refused when they connect with a will that is to
// be retained. Nothing is lost to them when the flag is ignored: nobody can tell that a message was not retained.
func (c *Conn) publish(flags byte, body []byte, s *scratch) error {
	p := &s.publish
	if err := p.Decode(flags, body, c.version); err != nil {
		return err
	}
	if p.QoS > 1 {
		return &packet.Error{Reason: packet.QoSNotSupported, What: "the server supports no QoS above 1"}
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
