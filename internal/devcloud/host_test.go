package devcloud

import (
	"net/http"
	"net/http/httptest"
	"testing"
)

func TestOnlyByAddress(t *testing.T) {
	f := func(host string, want int) {
		t.Helper()
		r := httptest.NewRequest("GET", "/", nil)
		r.Host = host
		w := httptest.NewRecorder()
		onlyByAddress("dev.lan:8083", http.HandlerFunc(func(http.ResponseWriter, *http.Request) {})).ServeHTTP(w, r)
		if w.Code != want {
			t.Errorf("%q: %d, want %d", host, w.Code, want)
		}
	}
	f("127.0.0.1:8083", 200)
	f("127.0.0.1", 200)
	f("[::1]:8083", 200)
	f("192.168.1.7:8083", 200)
	f("localhost:8083", 200)
	f("LOCALHOST", 200)
	f("dev.lan:8083", 200)
	f("evil.example:8083", 421)
	f("localhost.evil.example", 421)
	f("127.0.0.1.evil.example:8083", 421)
	f("", 421)
}
