//go:build integration

package e2e

import (
	"net/http"
	"strings"
	"testing"
)

const maxBody = 64 << 10

func TestRefusals(t *testing.T) {
	a := newTenant(t)
	a.device("d", password("p"))
	login := []string{"--user", "d@" + a.name + ":p"}
	send := func(path, body string, more ...string) answer {
		t.Helper()
		return curl(t, []byte(body), append(append(append([]string{}, login...), more...), here.telemetry.URL()+path)...)
	}
	f := func(path, body string, wantStatus int, wantBody string, more ...string) {
		t.Helper()
		got := send(path, body, more...)
		if got.status != wantStatus || got.body != wantBody {
			t.Errorf("%s %.20q: %d %s, want %d %s", path, body, got.status, got.body, wantStatus, wantBody)
		}
	}
	document := func(path, body string, wantStatus int, wantName string, more ...string) {
		t.Helper()
		got := send(path, body, more...)
		if got.status != wantStatus || !strings.Contains(got.body, `"error":"`+wantName+`"`) || got.header.Get("Content-Type") != jsonContent {
			t.Errorf("%s %.20q: %d %s, want %d with %s", path, body, got.status, got.body, wantStatus, wantName)
		}
	}
	const json = "Content-Type: application/json"
	large := strings.Repeat("x", maxBody+1)

	document("/v1/x", large, http.StatusRequestEntityTooLarge, "PayloadTooLarge")
	document("/v1/x", large, http.StatusRequestEntityTooLarge, "PayloadTooLarge", "--header", "Transfer-Encoding: chunked")
	document("/v1/x", `{"t": `, http.StatusNotAcceptable, "Rejected", "--header", json)
	document("/v1/x", "", http.StatusNotAcceptable, "Rejected", "--header", json)
	document("/v1/x", "1 2", http.StatusNotAcceptable, "Rejected", "--header", "Content-Type: application/geo+json")
	document("/v1/x", "\"\xff\"", http.StatusNotAcceptable, "Rejected", "--header", json)
	document("/v1/x", "{broken", http.StatusNotAcceptable, "Rejected", "--header", "Content-Type: Application/JSON")
	document("/v1/x", "{broken", http.StatusNotAcceptable, "Rejected", "--header", "Content-Type: TEXT/Json;charset=UTF-8")
	document("/v1/x", "{broken", http.StatusNotAcceptable, "Rejected", "--header", "Content-Type: application/ld+json; profile=x")
	document("/v1/x", "{broken", http.StatusNotAcceptable, "Rejected", "--header", "Content-Type: application/vnd.x+JSON ;a=b")

	document("/v1/x?ct=abc", "x", http.StatusBadRequest, "InvalidRequest")
	document("/v1/x?ct=-1", "x", http.StatusBadRequest, "InvalidRequest")
	document("/v1/x?data_schema=mod5", "x", http.StatusBadRequest, "InvalidRequest")
	document("/v1/x?as=a&as=b", "x", http.StatusBadRequest, "InvalidRequest")
	document("/v1/x?as=%zz", "x", http.StatusBadRequest, "InvalidRequest")
	document("/v1/a%00b", "x", http.StatusBadRequest, "InvalidRequest")
	document("/v1/a%FFb", "x", http.StatusBadRequest, "InvalidRequest")
	document("/v1/x%20", "x", http.StatusBadRequest, "InvalidRequest")
	document("/v1/%20", "x", http.StatusBadRequest, "InvalidRequest")
	document("/v1/%E2%80%83x", "x", http.StatusBadRequest, "InvalidRequest")
	document("/v1/"+strings.Repeat("x", 1025), "x", http.StatusBadRequest, "InvalidRequest")

	f("/", "x", http.StatusMethodNotAllowed, "")
	f("/v1", "x", http.StatusNotFound, "")
	f("/v1/", "x", http.StatusNotFound, "")
	f("/v2/x", "x", http.StatusNotFound, "")
	f("/ttn/v3", "x", http.StatusNotFound, "")
	f("/v1/x", "x", http.StatusMethodNotAllowed, "", "--request", "PUT")
	got := curl(t, nil, append(login, here.telemetry.URL()+"/v1/x")...)
	if got.status != http.StatusMethodNotAllowed || got.header.Get("Allow") != http.MethodPost {
		t.Errorf("GET /v1/x: %d, Allow %q", got.status, got.header.Get("Allow"))
	}
	a.empty()

	if got := curl(t, nil, here.telemetry.URL()+"/"); got.status != http.StatusOK || got.body != "" {
		t.Errorf("GET /: %d %q", got.status, got.body)
	}
	accepted(t, "the largest body", send("/v1/x", large[1:]))
	if got := a.only().payload; len(got) != maxBody {
		t.Errorf("%d bytes stored, want %d", len(got), maxBody)
	}
}

// TestBadQueriesComeBeforeTheLogIn as a device is told what it can mend even before its credentials are looked at.
func TestBadQueriesComeBeforeTheLogIn(t *testing.T) {
	got := curl(t, []byte("x"), here.telemetry.URL()+"/v1/x?ct=abc")
	if got.status != http.StatusBadRequest {
		t.Errorf("%d %s", got.status, got.body)
	}
}
