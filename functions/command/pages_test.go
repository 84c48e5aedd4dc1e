package command

import (
	"net/http"
	"testing"
)

func TestPagesOfOtherOrigins(t *testing.T) {
	const page = "https://console.example.com"
	f := func(origins []string, path string, preflight bool, wantStatus int, wantOrigin string) {
		t.Helper()
		w := newWorld(t, func(c *Config, _ *Parts) { c.Origins = origins })
		answer := w.do(path, "on", func(r *http.Request) {
			r.Header.Set("Origin", page)
			if preflight {
				r.Method = http.MethodOptions
				r.Header.Del("Authorization")
				r.Header.Set("Access-Control-Request-Method", http.MethodPost)
			}
		})
		header := answer.Header()
		if answer.Code != wantStatus || header.Get("Access-Control-Allow-Origin") != wantOrigin {
			t.Errorf("%s for %v: %d, %v", path, origins, answer.Code, header)
		}
		if (header.Get("Access-Control-Expose-Headers") == "Fairlead-Reached, Retry-After") != (wantOrigin != "") {
			t.Errorf("%s for %v: %v", path, origins, header)
		}
	}
	f(nil, toDevice, false, 202, "")
	f(nil, toDevice, true, 405, "")
	f([]string{page}, toDevice, false, 202, page)
	f([]string{page}, toDevice, true, 204, page)
	f([]string{page}, Base+"/apps/none/devices/d?command=on", false, 404, page)
	f([]string{page}, Base+"/events", true, 204, page)
	f([]string{page}, "/app", true, 405, "") // what Triggers deliver to
	f([]string{"https://other.example.com"}, toDevice, true, 405, "")
}
