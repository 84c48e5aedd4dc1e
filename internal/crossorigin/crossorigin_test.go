package crossorigin

import (
	"net/http/httptest"
	"testing"
)

func TestAnswer(t *testing.T) {
	const page = "https://console.example.com"
	f := func(origins []string, method, origin, preflight string, wantAnswered bool, wantOrigin, wantMethods string) {
		t.Helper()
		p := Policy{Origins: origins, Methods: "GET, PATCH", Headers: "Authorization", Exposed: "Location"}
		r := httptest.NewRequest(method, "/api", nil)
		for name, value := range map[string]string{"Origin": origin, "Access-Control-Request-Method": preflight} {
			if value != "" {
				r.Header.Set(name, value)
			}
		}
		w := httptest.NewRecorder()
		answered := p.Answer(w, r)
		header := w.Header()
		if answered != wantAnswered || header.Get("Access-Control-Allow-Origin") != wantOrigin || header.Get("Access-Control-Allow-Methods") != wantMethods {
			t.Errorf("%s from %q with %v: %v, %v", method, origin, origins, answered, header)
		}
		if header.Get("Vary") != "Origin" || header.Get("Access-Control-Allow-Credentials") != "" || answered != (w.Code == 204) {
			t.Errorf("%s from %q with %v: %d, %v", method, origin, origins, w.Code, header)
		}
		if exposed := header.Get("Access-Control-Expose-Headers"); (exposed == "Location") != (wantOrigin != "") {
			t.Errorf("%s from %q with %v: exposes %q", method, origin, origins, exposed)
		}
	}
	f(nil, "GET", page, "", false, "", "")
	f(nil, "OPTIONS", page, "PATCH", false, "", "")
	f([]string{page}, "GET", "", "", false, "", "")
	f([]string{page}, "GET", page, "", false, page, "")
	f([]string{page}, "GET", page+".evil.example", "", false, "", "")
	f([]string{page}, "OPTIONS", page, "PATCH", true, page, "GET, PATCH")
	f([]string{page}, "OPTIONS", page, "", false, page, "")
	f([]string{"https://other", "*"}, "OPTIONS", page, "PATCH", true, page, "GET, PATCH")
}

func TestForeign(t *testing.T) {
	f := func(origins []string, host, origin string, want bool) {
		t.Helper()
		p := Policy{Origins: origins}
		r := httptest.NewRequest("GET", "/", nil)
		r.Host = host
		if origin != "" {
			r.Header.Set("Origin", origin)
		}
		if p.Foreign(r) != want {
			t.Errorf("%q at %s with %v: foreign is %v", origin, host, origins, !want)
		}
	}
	const page = "https://console.example.com"
	f(nil, "api.example.com", "", false)
	f(nil, "api.example.com", page, true)
	f(nil, "api.example.com", "null", true)
	f(nil, "api.example.com", "://", true)
	f(nil, "API.example.com", "https://api.example.com", false)
	f(nil, "api.example.com:8443", "https://api.example.com", true)
	f([]string{page}, "api.example.com", page, false)
	f([]string{page}, "api.example.com", page+":8443", true)
	f([]string{"*"}, "api.example.com", "null", false)
}

func TestValidate(t *testing.T) {
	f := func(origin string, good bool) {
		t.Helper()
		if err := Validate([]string{"https://first.example", origin}); (err == nil) != good {
			t.Errorf("%q: %v", origin, err)
		}
	}
	f("*", true)
	f("https://a.example:8443", true)
	f("http://127.0.0.1:3000", true)
	f("a.example", false)
	f("https://a.example/", false)
	f("", false)
}
