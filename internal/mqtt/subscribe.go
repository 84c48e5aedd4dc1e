package mqtt

import "github.com/fairlead/fairlead/internal/mqtt/packet"

// subscribe asks the session about each subscription of a SUBSCRIBE.
func (c *Conn) subscribe(body []byte, s *scratch) error {
	p := &s.subscribe
	if err := p.Decode(body, c.version); err != nil {
		return err
	}
	s.reasons = s.reasons[:0]
	for _, subscription := range p.Subscriptions {
		s.reasons = append(s.reasons, c.session.Subscribe(subscription, p.SubscriptionID, p.UserProperties))
	}
	c.answer(func(b []byte, _ string) []byte {
		return (&packet.Suback{PacketID: p.PacketID, Reasons: s.reasons}).Append(b, c.version)
	})
	return nil
}

// unsubscribe ends each subscription of an UNSUBSCRIBE.
func (c *Conn) unsubscribe(body []byte, s *scratch) error {
	p := &s.unsubscribe
	if err := p.Decode(body, c.version); err != nil {
		return err
	}
	s.reasons = s.reasons[:0]
	for _, filter := range p.Filters {
		s.reasons = append(s.reasons, c.session.Unsubscribe(filter))
	}
	c.answer(func(b []byte, _ string) []byte {
		return (&packet.Unsuback{PacketID: p.PacketID, Reasons: s.reasons}).Append(b, c.version)
	})
	return nil
}
