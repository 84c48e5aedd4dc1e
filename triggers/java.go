package triggers

import (
	"errors"
	"fmt"
	"net/netip"
	"regexp"
	"strconv"
	"strings"
	"time"
	"unicode"
)

// What the Java classes OffsetDateTime and URI read and write, on which the Kafka dispatcher rests.

var timePattern = regexp.MustCompile(`^(\d{4}|-\d{4,9}|\+\d{5,9})-(\d\d)-(\d\d)[Tt](\d\d):(\d\d)(?::(\d\d)(?:\.(\d{0,9}))?)?(?:[Zz]|([+-])(\d\d)(?::(\d\d)(?::(\d\d))?)?)$`)

var errTime = errors.New("time does not parse")

// parseTime reads a time with its offset. Seconds may be left out.
func parseTime(s string) (time.Time, error) {
	m := timePattern.FindStringSubmatch(s)
	if m == nil {
		return time.Time{}, errTime
	}
	number := func(i int) int {
		n, _ := strconv.Atoi(m[i]) // "" is 0
		return n
	}
	nanoseconds, _ := strconv.Atoi((m[7] + "000000000")[:9])
	seconds := number(9)*3600 + number(10)*60 + number(11)
	if number(4) > 23 || number(5) > 59 || number(6) > 59 || number(10) > 59 || number(11) > 59 || seconds > 18*3600 || m[1] == "-0000" {
		return time.Time{}, errTime
	}
	if m[8] == "-" {
		seconds = -seconds
	}
	zone := time.UTC
	if seconds != 0 {
		zone = time.FixedZone("", seconds)
	}
	t := time.Date(number(1), time.Month(number(2)), number(3), number(4), number(5), number(6), nanoseconds, zone)
	if int(t.Month()) != number(2) || t.Day() != number(3) {
		return time.Time{}, errTime
	}
	return t, nil
}

func date(t time.Time) string {
	switch year := t.Year(); {
	case year > 9999:
		return fmt.Sprintf("+%d", year) + t.Format("-01-02")
	case year < 0:
		return fmt.Sprintf("-%04d", -year) + t.Format("-01-02")
	default:
		return fmt.Sprintf("%04d", year) + t.Format("-01-02")
	}
}

// fraction is a point and nine digits, or nothing.
func fraction(t time.Time) string {
	if t.Nanosecond() == 0 {
		return ""
	}
	return fmt.Sprintf(".%09d", t.Nanosecond())
}

// grouped is a fraction of three, six or nine digits.
func grouped(t time.Time) string {
	return strings.TrimSuffix(strings.TrimSuffix(fraction(t), "000"), "000")
}

func offset(t time.Time) string {
	_, seconds := t.Zone()
	if seconds == 0 {
		return "Z"
	}
	sign := '+'
	if seconds < 0 {
		sign, seconds = '-', -seconds
	}
	text := fmt.Sprintf("%c%02d:%02d", sign, seconds/3600, seconds/60%60)
	if seconds%60 != 0 {
		text += fmt.Sprintf(":%02d", seconds%60)
	}
	return text
}

// instant is a time in UTC, as exact, prefix and suffix see it.
func instant(t time.Time) string {
	t = t.UTC()
	return date(t) + t.Format("T15:04:05") + grouped(t) + "Z"
}

// sqlTime is a time as CESQL sees it: with its offset, and without seconds that are zero.
func sqlTime(t time.Time) string {
	text := date(t) + t.Format("T15:04")
	if t.Second() > 0 || t.Nanosecond() > 0 {
		text += t.Format(":05") + grouped(t)
	}
	return text + offset(t)
}

const (
	alphanumeric = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
	unreserved   = alphanumeric + "_-!.~'()*"
	pathChars    = unreserved + ":@&=+$,;/"
	uriChars     = unreserved + ";/?:@&=+$,[]"
)

// isJavaURI tells whether java.net.URI reads a text: RFC 2396 with IPv6 addresses and characters beyond ASCII. It may be empty.
func isJavaURI(s string) bool {
	s, fragment, _ := strings.Cut(s, "#")
	if !uriHas(fragment, uriChars) {
		return false
	}
	if i := strings.IndexAny(s, "/?:"); i >= 0 && s[i] == ':' {
		if !isScheme(s[:i]) {
			return false
		}
		s = s[i+1:]
		if !strings.HasPrefix(s, "/") { // opaque
			return s != "" && uriHas(s, uriChars)
		}
	}
	bare := s // what decides whether an authority may be empty counts the fragment too
	s, query, hasQuery := strings.Cut(s, "?")
	if !uriHas(query, uriChars) {
		return false
	}
	if rest, ok := strings.CutPrefix(s, "//"); ok {
		end := strings.IndexByte(rest, '/')
		if end < 0 {
			end = len(rest)
		}
		if rest[:end] != "" && !isJavaAuthority(rest[:end]) {
			return false
		}
		if rest == "" && !hasQuery && bare == "//" && fragment == "" {
			return false
		}
		s = rest[end:]
	}
	return uriHas(s, pathChars)
}

func isScheme(s string) bool {
	return s != "" && strings.Trim(s, alphanumeric+"+-.") == "" && !strings.ContainsAny(s[:1], "0123456789+-.")
}

// isJavaAuthority takes a registry's name, which may be nearly anything, or a server with an IPv6 address.
func isJavaAuthority(s string) bool {
	if uriHas(s, unreserved+"$,;:@&=+") {
		return true
	}
	if user, host, ok := strings.Cut(s, "@"); ok {
		if !uriHas(user, unreserved+";:&=+$,") {
			return false
		}
		s = host
	}
	address, port, ok := strings.Cut(s, "]")
	if !ok || !strings.HasPrefix(address, "[") {
		return false
	}
	ip, err := netip.ParseAddr(address[1:])
	if err != nil || !ip.Is6() {
		return false
	}
	return port == "" || port[0] == ':' && strings.Trim(port[1:], "0123456789") == ""
}

// uriHas tells whether a part of a URI is made of some characters of ASCII, percent-encoded bytes, and characters beyond
// ASCII that are neither blanks nor control characters.
func uriHas(s, allowed string) bool {
	for i, r := range s {
		switch {
		case r == '%':
			if len(s) < i+3 || strings.Trim(s[i+1:i+3], "0123456789abcdefABCDEF") != "" {
				return false
			}
		case r > unicode.MaxASCII:
			if unicode.Is(unicode.Z, r) || unicode.IsControl(r) {
				return false
			}
		case !strings.ContainsRune(allowed, r):
			return false
		}
	}
	return true
}
