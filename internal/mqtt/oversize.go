package mqtt

import (
	"encoding/binary"
	"errors"

	"github.com/fairlead/fairlead/internal/mqtt/packet"
)

// mostPassedOver is the largest packet in bytes, fixed header excluded, that is passed over. Who announces a larger one is hardly a
// device.
const mostPassedOver = 16 << 20

// passOver leaves out a message of version 3.1.1 that is larger than the server reads. That version knows no largest packet, and has no
// words for a refusal: a client whose connection is closed would send the message again for ever, and nothing after it. Of the packet
// only the beginning is read, which has the topic and the packet identifier. passed is false if that is not all there; every other packet
// gives back its error.
func (c *Conn) passOver(h packet.Header, tooLarge error) (passed bool, err error) {
	limit, broken := c.server.config.MaxPacket, (*packet.Error)(nil)
	if c.version != packet.V311 || c.server.config.CloseOnRefusal || h.Type != packet.PUBLISH ||
		h.Length > mostPassedOver || !errors.As(tooLarge, &broken) || broken.Reason != packet.PacketTooLarge {
		return false, tooLarge
	}
	const prefix, identifier = 2, 2
	length, ok := c.in.peek(prefix)
	if !ok {
		return false, nil
	}
	size := prefix + int(binary.BigEndian.Uint16(length)) + identifier
	if size > limit || size > h.Length {
		return false, tooLarge
	}
	beginning, ok := c.in.peek(size)
	if !ok {
		return false, nil
	}
	return true, c.refuseOversized(h, beginning)
}

// refuseOversized answers a message of which there is the beginning, and has the rest of it passed over.
func (c *Conn) refuseOversized(h packet.Header, beginning []byte) error {
	var p packet.Publish
	if err := p.Decode(h.Flags, beginning, c.version); err != nil {
		return err
	}
	if p.QoS > 1 {
		return noQoS2()
	}
	f, err := c.depart(&p)
	if err != nil {
		return err
	}
	answer := Answer{Reason: packet.PacketTooLarge, Final: true}
	c.server.metrics.packets[h.Type].Add(1)
	c.server.metrics.malformed(&packet.Error{Reason: answer.Reason})
	c.tell(Broken{
		Session: c.session, Where: "PUBLISH " + p.Topic, Reason: answer.Reason, Text: tooLargeText,
		Answer: c.server.config.PublishText(c.version, p.QoS, answer),
	})
	c.in.pass(h)
	f.done(answer)
	return nil
}
