package coap

import (
	"encoding/binary"

	"github.com/plgd-dev/go-coap/v3/message"
	"github.com/plgd-dev/go-coap/v3/message/codes"
)

// Sizes of RFC 7252 section 3, in bytes.
const (
	headerSize = 4
	maxToken   = 8
)

// electiveOptions are the options that are passed over where their length is illegal (RFC 7252 section 5.4.3). go-coap's own
// table has the critical ones, too, which must be seen to be refused (section 5.4.1).
func electiveOptions() map[message.OptionID]message.OptionDef {
	elective := map[message.OptionID]message.OptionDef{}
	for id, definition := range message.CoapOptionDefs {
		if id%2 == 0 {
			elective[id] = definition
		}
	}
	return elective
}

// elective is read only.
var elective = electiveOptions()

// decodeMessage reads a datagram (RFC 7252 section 3). The message lies in it. Errors other than message.ErrOptionsTooSmall mean
// that it is no CoAP message.
func decodeMessage(datagram []byte, m *message.Message) error {
	if len(datagram) < headerSize || datagram[0]>>6 != 1 {
		return errMalformed
	}
	token := int(datagram[0] & 0x0f)
	rest := datagram[headerSize:]
	if token > maxToken || token > len(rest) {
		return errMalformed
	}
	m.Type = message.Type(datagram[0] >> 4 & 0x03)
	m.Code = codes.Code(datagram[1])
	m.MessageID = int32(binary.BigEndian.Uint16(datagram[2:headerSize]))
	m.Token, m.Payload = nil, nil
	if token > 0 {
		m.Token = rest[:token]
	}
	rest = rest[token:]
	read, err := m.Options.Unmarshal(rest, elective)
	if err != nil {
		return err
	}
	if read < len(rest) {
		m.Payload = rest[read:]
		return nil
	}
	if endsWithMarker(rest) {
		return errMalformed // a marker without a payload (section 3)
	}
	return nil
}

// endsWithMarker tells whether options that were read to the end of a datagram have the marker of a payload as their last byte,
// and not a value that ends with the same byte: without a marker the rest is whole.
func endsWithMarker(options []byte) bool {
	const marker = 0xff
	last := len(options) - 1
	if last < 0 || options[last] != marker {
		return false
	}
	scratch := make(message.Options, 0, len(options))
	read, err := scratch.Unmarshal(options[:last], nil)
	return err == nil && read == last
}
