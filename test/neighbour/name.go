package neighbour

import (
	"crypto/rand"
	"strings"
	"testing"
)

// nameBytes bounds names to what every server takes: PostgreSQL has 63 bytes for an identifier, Kafka 249 for a topic.
const nameBytes = 60

// uniqueName is a name for something of the test's own, that tells which test that is.
func uniqueName(t testing.TB) string {
	const suffixBytes = 8
	safe := strings.Map(func(r rune) rune {
		switch {
		case r >= 'a' && r <= 'z', r >= '0' && r <= '9', r == '-':
			return r
		case r >= 'A' && r <= 'Z':
			return r - 'A' + 'a'
		default:
			return '-'
		}
	}, t.Name())
	safe = safe[:min(len(safe), nameBytes-suffixBytes-1)]
	return safe + "-" + strings.ToLower(rand.Text()[:suffixBytes])
}
