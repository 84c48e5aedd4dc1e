package event

import (
	"crypto/md5" //nolint:gosec // a name, not a secret: the wire contract spells topic names with MD5
	"encoding/hex"
	"strings"

	"github.com/fairlead/fairlead/internal/registry"
)

// maxTopic is the length from which a topic name is shortened, in bytes.
const maxTopic = 63

// Topic is the name of the Kafka topic that holds the events of an application: "events-" and its name, if that is a
// short host name, else "evt-", the MD5 of the name in hex, and what can be kept of the name.
func Topic(application string) string {
	plain := "events-" + application
	if len(plain) < maxTopic && registry.ValidateApplicationName(application) == nil {
		return plain
	}
	sum := md5.Sum([]byte(application)) //nolint:gosec // see the import
	name := "evt-" + hex.EncodeToString(sum[:]) + "-" + strings.Map(topicRune, strings.ToLower(application))
	if len(name) > maxTopic {
		name = name[:maxTopic]
	}
	return strings.TrimRight(name, "-")
}

// DeadLetterTopic is the name of the Kafka topic that holds the events of an application which could not be delivered. No application
// has it for its own events, whatever its name.
func DeadLetterTopic(application string) string { return "dead-letters-" + application }

func topicRune(r rune) rune {
	if (r >= 'a' && r <= 'z') || (r >= '0' && r <= '9') || r == '-' {
		return r
	}
	return '-'
}
