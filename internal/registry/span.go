package registry

import (
	"encoding/json"
	"errors"
	"math"
	"strconv"
	"strings"
	"time"
	"unicode"
)

// A Span is a duration that users write as numbers with units, as in "5s", "1m 30s" or "2 minutes".
type Span time.Duration

// errSpan says nothing of the text.
var errSpan = errors.New("must be a duration such as 5s, 500ms or 1m 30s")

var spanUnits = map[string]time.Duration{
	"nanos": 1, "nsec": 1, "ns": 1,
	"micros": time.Microsecond, "usec": time.Microsecond, "us": time.Microsecond,
	"millis": time.Millisecond, "msec": time.Millisecond, "ms": time.Millisecond,
	"seconds": time.Second, "second": time.Second, "secs": time.Second, "sec": time.Second, "s": time.Second,
	"minutes": time.Minute, "minute": time.Minute, "mins": time.Minute, "min": time.Minute, "m": time.Minute,
	"hours": time.Hour, "hour": time.Hour, "hrs": time.Hour, "hr": time.Hour, "h": time.Hour,
	"days": 24 * time.Hour, "day": 24 * time.Hour, "d": 24 * time.Hour,
}

// ParseSpan reads numbers, each with its unit, from nanoseconds to days. Spaces may stand anywhere but in a number or a unit.
func ParseSpan(text string) (Span, error) {
	var sum time.Duration
	rest := strings.TrimSpace(text)
	if rest == "" {
		return 0, errSpan
	}
	for rest != "" {
		digits := prefixOf(rest, func(r rune) bool { return r >= '0' && r <= '9' })
		n, err := strconv.ParseInt(digits, 10, 64)
		if err != nil {
			return 0, errSpan
		}
		rest = strings.TrimLeftFunc(rest[len(digits):], unicode.IsSpace)
		name := prefixOf(rest, isLetter)
		unit, ok := spanUnits[name]
		if !ok || n > math.MaxInt64/int64(unit) || sum > math.MaxInt64-time.Duration(n)*unit {
			return 0, errSpan
		}
		sum += time.Duration(n) * unit
		rest = strings.TrimLeftFunc(rest[len(name):], unicode.IsSpace)
	}
	return Span(sum), nil
}

func prefixOf(text string, belongs func(rune) bool) string {
	end := strings.IndexFunc(text, func(r rune) bool { return !belongs(r) })
	if end < 0 {
		return text
	}
	return text[:end]
}

// UnmarshalJSON reads the text of a Span.
func (s *Span) UnmarshalJSON(b []byte) error {
	*s = 0
	if string(b) == "null" {
		return nil
	}
	var text string
	if json.Unmarshal(b, &text) != nil {
		return errSpan
	}
	var err error
	*s, err = ParseSpan(text)
	return err
}
