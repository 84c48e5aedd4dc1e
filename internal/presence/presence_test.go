package presence

import (
	"testing"

	"github.com/alicebob/miniredis/v2"
)

func TestPresence(t *testing.T) {
	behaviours(t, func(t *testing.T) string { return "redis://" + miniredis.RunT(t).Addr() })
}
