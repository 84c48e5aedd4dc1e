package packet

import "strings"

// topicName reads a topic name (section 4.7): at least one character and no wildcards.
func (r *reader) topicName() string {
	name := r.text()
	if r.fault == nil && name == "" {
		r.fail(MalformedPacket, "a topic name is empty")
	}
	r.noWildcards(name)
	return name
}

func (r *reader) noWildcards(name string) {
	if strings.IndexByte(name, '#') >= 0 || strings.IndexByte(name, '+') >= 0 {
		r.fail(MalformedPacket, "a topic name has a wildcard")
	}
}

// topicFilter reads a topic filter and tells whether it is that of a shared subscription, which only version 5 has.
func (r *reader) topicFilter(v Version) (filter string, shared bool) {
	filter = r.text()
	if r.fault != nil {
		return "", false
	}
	levels := filter
	if v == V5 {
		if levels, shared = strings.CutPrefix(filter, "$share/"); shared {
			levels = r.afterShareName(levels)
		}
	}
	if !wellFormedFilter(levels) {
		r.fail(MalformedPacket, "a topic filter is empty or has a wildcard where none can be")
	}
	return filter, shared
}

// afterShareName is the topic filter that follows the name of a shared subscription (section 4.8.2).
func (r *reader) afterShareName(s string) string {
	name, levels, _ := strings.Cut(s, "/")
	if name == "" || strings.ContainsAny(name, "+#") {
		r.fail(MalformedPacket, "the name of a shared subscription is empty or has a wildcard")
	}
	return levels
}

// wellFormedFilter tells whether each wildcard of a filter is alone in its level, and # is in the last one (section 4.7.1).
func wellFormedFilter(filter string) bool {
	if filter == "" {
		return false
	}
	for level, rest, more := strings.Cut(filter, "/"); ; level, rest, more = strings.Cut(rest, "/") {
		switch {
		case level == "#" && more:
			return false
		case len(level) > 1 && strings.ContainsAny(level, "+#"):
			return false
		case !more:
			return true
		}
	}
}
