package integration

import (
	"net/url"
	"strings"

	"github.com/fairlead/fairlead/internal/feed"
	"github.com/fairlead/fairlead/internal/mqtt/packet"
	"github.com/fairlead/fairlead/internal/registry"
)

// A topicFilter is what a client subscribes to:
//
//	[$share/GROUP/]app/APPLICATION[/CHANNEL[/DEVICE]]
//
// where + stands for any channel or device. In place of app there may be a or application, and $shared in place of $share. A slash,
// a plus, a number sign and a percent sign in a channel or device are written as in URLs.
type topicFilter struct {
	shared      bool
	group       string
	base        string // app/APPLICATION as the client wrote it
	application string
	levels      int // of channel and device
	feed.Filter
}

// parseFilter reads a filter, or says what is wrong with it.
func parseFilter(text string) (topicFilter, packet.Reason) {
	var f topicFilter
	rest := text
	for _, prefix := range []string{"$share/", "$shared/"} {
		after, ok := strings.CutPrefix(text, prefix)
		if !ok {
			continue
		}
		if f.group, rest, ok = strings.Cut(after, "/"); !ok || feed.ValidateGroup(f.group) != nil {
			return f, packet.TopicFilterInvalid
		}
		f.shared = true
	}
	parts := strings.Split(rest, "/")
	if len(parts) < 2 || len(parts) > 4 || !isApplication(parts[0]) {
		return f, invalidOr(rest)
	}
	f.application, f.base, f.levels = parts[1], parts[0]+"/"+parts[1], len(parts)-2
	if strings.Contains(rest, "#") || strings.Contains(f.base, "+") {
		return f, packet.WildcardNotSupported
	}
	if registry.ValidateApplicationName(f.application) != nil {
		return f, packet.NotAuthorized // as one that does not exist
	}
	for i, into := range []*string{&f.Channel, &f.Device}[:f.levels] {
		part, err := url.PathUnescape(parts[2+i])
		switch {
		case err != nil || part == "":
			return f, packet.TopicFilterInvalid
		case parts[2+i] != "+":
			*into = part
		}
	}
	return f, packet.Success
}

func isApplication(level string) bool {
	return level == "app" || level == "a" || level == "application"
}

// invalidOr says what is wrong with a filter that does not have the form.
func invalidOr(filter string) packet.Reason {
	if strings.ContainsAny(filter, "+#") {
		return packet.WildcardNotSupported
	}
	return packet.TopicFilterInvalid
}

// appendTopic writes the topic of an event: what the client subscribed to, with the channel and the device of the event where the
// filter has them.
func (f *topicFilter) appendTopic(b []byte, e *feed.Event) []byte {
	b = append(b, f.base...)
	for _, level := range [][]byte{e.Channel(), e.Device()}[:f.levels] {
		b = append(b, '/')
		b = appendLevel(b, level)
	}
	return b
}

// appendLevel writes one level of a topic.
func appendLevel(b, text []byte) []byte {
	const hex = "0123456789ABCDEF"
	for _, c := range text {
		switch c {
		case '/', '+', '#', '%', 0:
			b = append(b, '%', hex[c>>4], hex[c&15])
		default:
			b = append(b, c)
		}
	}
	return b
}
