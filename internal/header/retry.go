package header

import (
	"net/http"
	"strconv"
	"time"
)

// RetryAfter is how long a server asks to be left alone (RFC 9110 section 10.2.3): a number of seconds, up to 18 hours, or the time
// until a date. It is 0 if the server does not ask, or asks in other words.
func RetryAfter(h http.Header) time.Duration {
	text := h.Get("Retry-After")
	if seconds, err := strconv.ParseUint(text, 10, 16); err == nil {
		return time.Duration(seconds) * time.Second
	}
	if date, err := http.ParseTime(text); err == nil {
		return max(time.Until(date), 0)
	}
	return 0
}
