package mqtt

import (
	"errors"

	"github.com/fairlead/fairlead/internal/mqtt/packet"
)

// An ending is why a connection ends, as an error on its way up.
type ending struct {
	End
	text  string // reason string for version 5
	quiet bool   // the client is not told: it left, or cannot be reached
}

func (e *ending) Error() string { return e.Reason.String() }

// lost is the ending of a connection that broke.
func lost() *ending { return &ending{End: End{Reason: packet.UnspecifiedError}, quiet: true} }

// endingOf turns what went wrong into an ending.
func endingOf(err error) *ending {
	var known *ending
	if errors.As(err, &known) {
		return known
	}
	var broken *packet.Error
	if errors.As(err, &broken) {
		return &ending{End: End{Reason: broken.Reason}, text: broken.What}
	}
	return lost()
}

// brief cuts a text to what a reason string should not exceed.
func brief(text string) string {
	const most = 256
	if len(text) <= most {
		return text
	}
	cut := most
	for cut > 0 && text[cut]&0xC0 == 0x80 {
		cut--
	}
	return text[:cut]
}
