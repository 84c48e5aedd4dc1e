package channel

import (
	"math"
	"testing"
	"time"

	uabinary "github.com/fairlead/fairlead/internal/opcua/binary"
)

// Chunks are numbered without gaps and repetitions, and the numbers begin anew only near their end.
func TestNumbers(t *testing.T) {
	for _, c := range []struct {
		after, next uint32
		good        bool
	}{{1, 2, true}, {1, 1, false}, {1, 3, false}, {2, 1, false}, {0, 1, true}, {math.MaxUint32, 0, true}, {math.MaxUint32 - 1024, 1, true},
		{math.MaxUint32 - 1024, 1023, true}, {math.MaxUint32 - 1024, 1024, false}, {math.MaxUint32 - 1025, 1, false}, {1 << 31, 0, false}} {
		i := inbound{sequence: c.after, begun: true}
		if err := i.number(c.next); (err == nil) != c.good {
			t.Errorf("%d after %d: %v", c.next, c.after, err)
		}
	}
	if err := (&inbound{}).number(math.MaxUint32); err != nil {
		t.Errorf("the first: %v", err)
	}
}

// A token that the server says does not live, or lives for ever, is renewed neither all the time nor never.
func TestTokenLifetime(t *testing.T) {
	for told, want := range map[uint32]time.Duration{0: time.Second, 1: time.Second, 5000: 5 * time.Second, math.MaxUint32: time.Hour} {
		c := opened(t)
		c.config.Lifetime = time.Hour
		got, err := c.adopt(&uabinary.OpenSecureChannelResponse{ChannelID: 1, TokenID: 1, RevisedLifetime: told}, nil)
		if err != nil || got != want {
			t.Errorf("%d ms: %s, %v", told, got, err)
		}
	}
}
