package mqtt

import (
	"strings"

	"github.com/fairlead/fairlead/internal/mqtt/packet"
)

// aliases are the topic aliases of a client (section 3.3.2.3.4). There is no memory in them before the first one.
type aliases struct {
	topics []string
	bytes  int // of all topics
}

// resolve gives a message its topic, and learns the alias that it defines.
func (a *aliases) resolve(p *packet.Publish, c *Config) error {
	alias := int(p.TopicAlias)
	switch {
	case alias == 0:
		return nil
	case alias > c.TopicAliasMaximum:
		return &packet.Error{Reason: packet.TopicAliasInvalid, What: "the topic alias is larger than the server allows"}
	case p.Topic != "":
		return a.learn(alias, p.Topic, c)
	case alias > len(a.topics) || a.topics[alias-1] == "":
		return &packet.Error{Reason: packet.ProtocolError, What: "the topic alias has no topic"}
	}
	p.Topic = a.topics[alias-1]
	return nil
}

func (a *aliases) learn(alias int, topic string, c *Config) error {
	for len(a.topics) < alias {
		a.topics = append(a.topics, "")
	}
	known := &a.topics[alias-1]
	if *known == topic {
		return nil
	}
	if a.bytes+len(topic)-len(*known) > c.TopicAliasBytes {
		return &packet.Error{Reason: packet.QuotaExceeded, What: "the topics of the topic aliases are too long together"}
	}
	a.bytes += len(topic) - len(*known)
	*known = strings.Clone(topic) // the packet's own lies in the buffer
	return nil
}
