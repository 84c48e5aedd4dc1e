package header

import (
	"net/http"
	"testing"
	"testing/synctest"
	"time"
)

func TestRetryAfter(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := func(text string, want time.Duration) {
			t.Helper()
			if got := RetryAfter(http.Header{"Retry-After": {text}}); got != want {
				t.Errorf("%q is %v, want %v", text, got, want)
			}
		}
		f("", 0)
		f("0", 0)
		f("7", 7*time.Second)
		f("65535", 65535*time.Second)
		f("65536", 0)
		f("-1", 0)
		f("1.5", 0)
		f("soon", 0)
		f(time.Now().UTC().Add(time.Minute).Format(http.TimeFormat), time.Minute)
		f(time.Now().UTC().Add(-time.Minute).Format(http.TimeFormat), 0)
	})
}
