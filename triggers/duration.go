package triggers

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
)

// maxComponent is the largest number before a designator, in tenths, that
// Knative's controllers can hold: a signed 16-bit integer. PT3600S is too
// long for them (PT1H is not), although the webhook lets it through.
const maxComponent = math.MaxInt16

// maxMicros is the longest duration that is read, a hundred years; a
// time.Duration holds almost three times as much.
const maxMicros = 100 * 365.2425 * 24 * 3600 * 1e6

// A duration is an ISO 8601 duration as Knative counts it, and what it lost.
type duration struct {
	value   time.Duration
	inexact bool // written with more than tenths, which were cut off
	tooLong bool // a component overflows in Knative's Kafka controller
}

// ParseDuration reads an ISO 8601 duration such as PT0.2S or P1DT12H the way
// Knative's Kafka controller does: the last component may have a fraction,
// fractions are cut off after tenths (PT0.05S is 0, PT1.19S is 1.1 s), a year
// counts 365.2425 days and a month a twelfth of that. Unlike there, a sign, a T
// without a time, components out of order and components above 3276.7 are
// refused. The error says what is wrong with the text.
func ParseDuration(text string) (time.Duration, error) {
	d, err := parseDuration(text)
	if err != nil {
		return 0, err
	}
	if d.tooLong {
		return 0, fmt.Errorf("duration %q: a component is above 3276.7, which overflows in Knative: use a larger unit", text)
	}
	return d.value, nil
}

// designators lists the components in the order in which they may appear, with
// their lengths in microseconds.
func designators(timePart bool) (names string, micros []int64) {
	const day = 24 * 3600 * 1_000_000
	if timePart {
		return "HMS", []int64{3600 * 1_000_000, 60 * 1_000_000, 1_000_000}
	}
	return "YMWD", []int64{3652425 * day / 10000, 3652425 * day / 120000, 7 * day, day}
}

func parseDuration(text string) (duration, error) {
	var d duration
	fail := func(why string) (duration, error) {
		return duration{}, fmt.Errorf("duration %.40q: %s", text, why)
	}
	rest, ok := strings.CutPrefix(text, "P")
	if !ok {
		return fail("want an ISO 8601 duration such as PT0.2S")
	}
	names, micros := designators(false)
	timePart, components, fraction := false, 0, false
	for rest != "" {
		if rest[0] == 'T' && !timePart && len(rest) > 1 {
			timePart, rest = true, rest[1:]
			names, micros = designators(true)
			continue
		}
		end := strings.IndexFunc(rest, func(r rune) bool { return (r < '0' || r > '9') && r != '.' && r != ',' })
		if end <= 0 {
			return fail("want a number followed by its unit")
		}
		unit := strings.IndexByte(names, rest[end])
		if unit < 0 {
			return fail(fmt.Sprintf("unit %q is unknown, out of order or twice", rest[end]))
		}
		tenths, cut, err := parseTenths(rest[:end])
		if err != nil {
			return fail(err.Error())
		}
		if fraction {
			return fail("only the last component may have a fraction")
		}
		fraction = strings.ContainsAny(rest[:end], ".,")
		d.inexact = d.inexact || cut
		if float64(d.value.Microseconds())+float64(tenths)*float64(micros[unit])/10 > maxMicros {
			return fail("longer than a hundred years")
		}
		held := tenths
		if rest[end] == 'W' {
			held *= 7 // Knative counts weeks as days
		}
		d.tooLong = d.tooLong || held > maxComponent
		d.value += time.Duration(tenths*micros[unit]/10) * time.Microsecond
		components++
		names, micros, rest = names[unit+1:], micros[unit+1:], rest[end+1:]
	}
	if components == 0 {
		return fail("it has no component")
	}
	return d, nil
}

// parseTenths reads a decimal number as tenths and tells whether digits that
// are not zero were cut off.
func parseTenths(text string) (tenths int64, cut bool, err error) {
	whole, fraction, _ := strings.Cut(strings.ReplaceAll(text, ",", "."), ".")
	if whole == "" || strings.Contains(fraction, ".") || strings.HasSuffix(text, ".") || strings.HasSuffix(text, ",") {
		return 0, false, fmt.Errorf("%.20q is not a number", text)
	}
	n, err := strconv.ParseInt(whole, 10, 64)
	if err != nil || n > 99_999 {
		return 0, false, fmt.Errorf("%.20q is too large", text)
	}
	tenths = n * 10
	if fraction != "" {
		tenths += int64(fraction[0] - '0')
		cut = strings.Trim(fraction[1:], "0") != ""
	}
	return tenths, cut, nil
}
