package endpoint

import (
	"bytes"
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/fairlead/fairlead/internal/outcome"
)

func TestParseQuery(t *testing.T) {
	f := func(raw string, want Query) {
		t.Helper()
		if got, err := ParseQuery(raw); err != nil || got != want {
			t.Errorf("ParseQuery(%q) = %+v, %v; want %+v", raw, got, err, want)
		}
	}
	f("", Query{})
	f("application=a&device=d%40x&as=g&data_schema=urn%3Ax&ct=5&correlation=c&other=1&other=2", Query{"a", "d@x", "g", "urn:x", "c", 5 * time.Second})
	f("commandTimeout=3", Query{Wait: 3 * time.Second})
	f("ct=18446744073709551615", Query{Wait: maxSeconds * time.Second})
	f("as=", Query{})

	refused := func(raw string) {
		t.Helper()
		if _, err := ParseQuery(raw); outcome.Of(err) != outcome.Invalid {
			t.Errorf("ParseQuery(%q) = %v, want an invalid request", raw, err)
		}
	}
	refused("ct=abc")
	refused("ct=-1")
	refused("ct=1.5")
	refused("ct=1&commandTimeout=1")
	refused("as=a&as=b")
	refused("data_schema=mod5")
	refused("a=%zz")
	refused("a;b")
}

func TestReadBody(t *testing.T) {
	f := func(body string, length int64, limit int, want outcome.Outcome) {
		t.Helper()
		r := httptest.NewRequest("POST", "/", strings.NewReader(body))
		r.ContentLength = length
		got, err := ReadBody(httptest.NewRecorder(), r, limit)
		if outcome.Of(err) != want {
			t.Errorf("ReadBody of %d bytes, length %d, limit %d: %v", len(body), length, limit, err)
		}
		if err == nil && !bytes.Equal(got, []byte(body)) {
			t.Errorf("ReadBody = %q, want %q", got, body)
		}
	}
	f("12345", 5, 5, outcome.Accepted)
	f("12345", -1, 5, outcome.Accepted)
	f("", 0, 5, outcome.Accepted)
	f("123456", 6, 5, outcome.TooLarge)
	f("123456", -1, 5, outcome.TooLarge)
	f("123", 5, 5, outcome.Invalid)
}

func FuzzParseQuery(f *testing.F) {
	for _, seed := range []string{"", "ct=1", "application=a&device=b&as=c", "data_schema=urn:x", "%", "a=b;c", "ct=99999999999999999999"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, raw string) {
		q, err := ParseQuery(raw)
		if err != nil && outcome.Of(err) != outcome.Invalid {
			t.Fatalf("outcome %v", outcome.Of(err))
		}
		if q.Wait < 0 {
			t.Fatalf("negative wait %v", q.Wait)
		}
	})
}

// TestWhoWaitsMostGivesWay has the requests of one device take every place, before one of another application comes.
func TestWhoWaitsMostGivesWay(t *testing.T) {
	room := NewWaitingRoom(2)
	enter := func(application string) (context.Context, func(), bool) {
		return room.Enter(httptest.NewRecorder(), httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/", nil), time.Minute, application, "device")
	}
	first, _, _ := enter("app")
	second, leave, _ := enter("app")
	if _, _, ok := enter("app"); ok {
		t.Error("a device displaces itself")
	}
	other, _, ok := enter("other")
	if !ok || first.Err() == nil || second.Err() != nil || other.Err() != nil || room.Len() != 2 {
		t.Errorf("entered %t; ended: %v, %v, %v; %d places taken", ok, first.Err(), second.Err(), other.Err(), room.Len())
	}
	if leave(); second.Err() == nil || room.Len() != 1 {
		t.Error("who leaves keeps the place")
	}
}
