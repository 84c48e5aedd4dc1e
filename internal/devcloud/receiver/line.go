package receiver

import (
	"fmt"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	cloudevents "github.com/cloudevents/sdk-go/v2/event"
)

const maxData = 200 // characters of the data in a line

// Line is an event in one line: time, device, subject, data and, unless it is a device message, the type. What devices
// sent cannot move the cursor: everything that does not print is replaced.
func Line(event cloudevents.Event) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s  %-12s  %-14s  %s", Clock(event.Time()), Printable(Attribute(event, "device"), 40), Printable(event.Subject(), 40), Data(event, maxData))
	if reason := failure(event); reason != "" {
		fmt.Fprintf(&b, "  [%s]", reason)
	}
	if event.Type() != "io.drogue.event.v1" {
		fmt.Fprintf(&b, "  (%s)", Printable(event.Type(), 60))
	}
	return b.String()
}

// failure says why a dead letter could not be delivered; "" for other events.
func failure(event cloudevents.Event) string {
	destination := Attribute(event, "knativeerrordest")
	if destination == "" {
		return ""
	}
	code := Attribute(event, "knativeerrorcode")
	if code == "" {
		code = "no usable response"
	}
	return "dead letter: " + Printable(code, 20) + " from " + Printable(destination, 60)
}

// Clock is the time of day in the local zone.
func Clock(t time.Time) string {
	if t.IsZero() {
		return "--:--:--"
	}
	return t.Local().Format(time.TimeOnly)
}

// Attribute is an extension attribute as text, "" if it is not there.
func Attribute(event cloudevents.Event, name string) string {
	value, ok := event.Extensions()[name]
	if !ok {
		return ""
	}
	return fmt.Sprint(value)
}

// Data is the data of an event in at most so many characters. Data that is not text is only measured.
func Data(event cloudevents.Event, most int) string {
	data := event.Data()
	if len(data) == 0 {
		return "(no data)"
	}
	if !utf8.Valid(data) {
		return fmt.Sprintf("(%d bytes)", len(data))
	}
	return Printable(strings.Join(strings.Fields(string(data)), " "), most)
}

// Printable is a text in at most so many characters, each of which takes the cursor forward and does nothing else.
func Printable(text string, most int) string {
	clean := strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) {
			return '·'
		}
		return r
	}, text)
	if utf8.RuneCountInString(clean) <= most {
		return clean
	}
	return string([]rune(clean)[:max(0, most-1)]) + "…"
}
