package refusal

import (
	"errors"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/fairlead/fairlead/internal/outcome"
)

// The protocols, as reports and metrics name them.
const (
	HTTP     = "http"
	TTN      = "ttn"
	MQTT     = "mqtt"
	CoAP     = "coap"
	Bridge   = "bridge"
	OPCUA    = "opcua"
	Presence = "presence" // events and wills of connections, which nobody waits for
	API      = "api"      // of the registry
	Consumer = "consumer" // users who consume events
	other    = "other"
)

// Protocols lists every value that Protocol has.
func Protocols() []string {
	return []string{HTTP, TTN, MQTT, CoAP, Bridge, OPCUA, Presence, API, Consumer, other}
}

// Protocol is a name as metrics may have it: one of a few, whatever was written.
func Protocol(name string) string {
	if slices.Contains(Protocols(), name) {
		return name
	}
	return other
}

// A Report is one refusal. Its texts may come from the sender: who shows them makes them printable.
type Report struct {
	Protocol    string
	Where       string // what was asked for: "POST /v1/temp", "PUBLISH temp", "CONNECT"
	Application string // as presented, or as admitted; "" if not known, as for the next three
	Device      string
	As          string // on whose behalf
	Remote      string
	Outcome     outcome.Outcome
	Answer      string // what the sender was told: "403", "PUBACK 0x87"; never ""
	Reason      string // for the operator
}

// maxText is the length in bytes to which the texts of a report are cut.
const maxText = 200

// bounded is the report in memory of its own, with texts that are not too long.
func (r Report) bounded() Report {
	for _, text := range []*string{&r.Where, &r.Application, &r.Device, &r.As, &r.Remote, &r.Answer, &r.Reason} {
		*text = Clip(*text, maxText)
	}
	return r
}

// Clip is a copy of a text that is cut to so many bytes. What is no UTF-8 in it is replaced.
func Clip(text string, most int) string {
	if len(text) <= most {
		return strings.Clone(strings.ToValidUTF8(text, "\uFFFD"))
	}
	cut := most
	for cut > most-utf8.UTFMax && !utf8.RuneStart(text[cut]) {
		cut--
	}
	return strings.ToValidUTF8(text[:cut], "\uFFFD") + "…"
}

// Who names the sender, as far as it is known: "device1@app", "gw@app for sensor1", "somebody at 192.0.2.1".
func (r Report) Who() string {
	who := r.Device
	if r.Application != "" {
		who += "@" + r.Application
	}
	if r.As != "" && r.As != r.Device {
		who += " for " + r.As
	}
	switch {
	case who != "":
		return who
	case r.Remote != "":
		return "somebody at " + r.Remote
	default:
		return "somebody"
	}
}

// Explain is why something is refused, for the operator: what the sender is told, and the cause behind it.
func Explain(r outcome.Result) string {
	reason, cause := r.Reason, causeOf(r.Err)
	switch {
	case reason != "" && cause != "":
		return reason + ": " + cause
	case reason != "" || cause != "":
		return reason + cause
	}
	switch r.Outcome {
	case outcome.Unauthenticated:
		return "the log-in is not accepted; who judged it has logged why"
	case outcome.Forbidden:
		return "the device may not act for the one it names"
	default:
		return r.Outcome.String()
	}
}

// causeOf is the cause that an error with an outcome has, or the error if it has none.
func causeOf(err error) string {
	if known, ok := errors.AsType[*outcome.Error](err); ok {
		err = known.Err
	}
	if err == nil {
		return ""
	}
	return err.Error()
}
