package bridge

import (
	"errors"
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/fairlead/fairlead/internal/outcome"
	"github.com/fairlead/fairlead/internal/registry"
)

// maxPattern is the length of a pattern in bytes.
const maxPattern = 1024

// A role is what a level of a topic means.
type role uint8

const (
	roleLiteral role = iota // must be there as it is
	roleIgnored             // may be anything
	roleDevice              // names the device
	roleChannel             // is the channel
	roleRest                // is the channel, with everything that follows
)

// roleOf is the role of one level of a pattern.
func roleOf(text string) role {
	switch text {
	case "+":
		return roleIgnored
	case "{device}":
		return roleDevice
	case "{channel}":
		return roleChannel
	case "{channel...}":
		return roleRest
	default:
		return roleLiteral
	}
}

// A Pattern says what the levels of a topic mean.
type Pattern struct {
	levels []level
	named  bool // has {device}
}

type level struct {
	role role
	text string // of a literal
}

// ParsePattern reads a pattern such as site/{device}/{channel...}. Its levels are literals or one of
//
//	{device}      names the device; at most once
//	{channel}     is the channel
//	{channel...}  is the channel, together with all levels that follow; only at the end, and there is at least one level
//	+             may be anything
//
// A pattern has exactly one channel. Literals may be empty, as topics have it.
func ParsePattern(text string) (Pattern, error) {
	if text == "" || len(text) > maxPattern || !isText(text) {
		return Pattern{}, fmt.Errorf("a pattern is a text of 1 to %d bytes", maxPattern)
	}
	var p Pattern
	count := map[role]int{}
	for part := range strings.SplitSeq(text, "/") {
		if count[roleRest] > 0 {
			return Pattern{}, errors.New("nothing follows {channel...}")
		}
		l := level{role: roleOf(part), text: part}
		if l.role == roleLiteral && strings.ContainsAny(part, "+#{}") {
			return Pattern{}, fmt.Errorf("the level %q is neither a literal nor {device}, {channel}, {channel...} or +", part)
		}
		count[l.role]++
		p.levels = append(p.levels, l)
	}
	p.named = count[roleDevice] > 0
	switch {
	case p.levels[0].text == "$share":
		return Pattern{}, errors.New("a shared subscription is asked for with its own setting")
	case count[roleDevice] > 1:
		return Pattern{}, errors.New("{device} is there more than once")
	case count[roleChannel]+count[roleRest] != 1:
		return Pattern{}, errors.New("there must be one {channel} or {channel...}")
	}
	return p, nil
}

// isText tells whether a text may stand in a packet of MQTT (5.0 section 1.5.4) and in a log.
func isText(s string) bool { return utf8.ValidString(s) && !strings.ContainsFunc(s, unicode.IsControl) }

// Filter is the topic filter (MQTT 5.0 section 4.7) of the topics that the pattern matches, and of no others.
func (p Pattern) Filter() string {
	parts := make([]string, len(p.levels))
	for i, l := range p.levels {
		switch l.role {
		case roleLiteral:
			parts[i] = l.text
		case roleRest:
			parts[i] = "+/#" // # alone would match without a level, too
		default:
			parts[i] = "+"
		}
	}
	return strings.Join(parts, "/")
}

// A destination is what a topic says about its message.
type destination struct {
	device  string // "" is the gateway itself
	channel string
}

// match takes a topic apart. As in filters, a topic that begins with $ is not matched by a level that may be anything.
func (p Pattern) match(topic string) (d destination, ok bool) {
	if p.levels[0].role != roleLiteral && strings.HasPrefix(topic, "$") {
		return destination{}, false
	}
	left, more := topic, true
	for _, l := range p.levels {
		if !more {
			return destination{}, false
		}
		if l.role == roleRest {
			d.channel = left
			return d, true
		}
		var text string
		text, left, more = strings.Cut(left, "/")
		switch l.role {
		case roleDevice:
			d.device = text
		case roleChannel:
			d.channel = text
		case roleLiteral:
			if text != l.text {
				return destination{}, false
			}
		}
	}
	return d, !more
}

// routes are the patterns in the order in which they are tried.
type routes []Pattern

func parseRoutes(texts []string) (routes, error) {
	if len(texts) == 0 || len(texts) > maxPatterns {
		return nil, fmt.Errorf("1 to %d patterns are needed", maxPatterns)
	}
	var r routes
	filters := map[string]bool{}
	for _, text := range texts {
		p, err := ParsePattern(text)
		if err != nil {
			return nil, fmt.Errorf("%q: %w", text, err)
		}
		if filters[p.Filter()] {
			return nil, fmt.Errorf("%q: an earlier pattern matches the same topics", text)
		}
		filters[p.Filter()] = true
		r = append(r, p)
	}
	return r, nil
}

// find is the destination of a topic by the first pattern that matches. What has none is outcome.Invalid.
func (r routes) find(topic string) (destination, error) {
	for _, p := range r {
		d, ok := p.match(topic)
		if !ok {
			continue
		}
		if !p.named {
			return d, nil
		}
		if err := registry.ValidateDeviceName(d.device); err != nil {
			return destination{}, outcome.New(outcome.Invalid, err.Error())
		}
		return d, nil
	}
	return destination{}, outcome.New(outcome.Invalid, "no pattern matches the topic")
}
