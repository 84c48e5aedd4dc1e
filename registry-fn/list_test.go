package registryfn

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/fairlead/fairlead/internal/registry"
	"github.com/fairlead/fairlead/internal/store"
)

// names are those of the documents of a list.
func (a answer) names(t *testing.T) []string {
	t.Helper()
	var documents []registry.Device
	if err := json.Unmarshal([]byte(a.body), &documents); err != nil {
		t.Fatalf("%d %.100q: %v", a.status, a.body, err)
	}
	names := []string{}
	for _, d := range documents {
		names = append(names, d.Metadata.Name)
	}
	return names
}

func TestLists(t *testing.T) {
	w := newWorld(t)
	for i := range 4 {
		w.ok("alice", "POST", apps, fmt.Sprintf(`{"metadata":{"name":"app-%d","labels":{"n":"%d","even":"%t"}}}`, i, i, i%2 == 0))
		w.ok("alice", "POST", devices[:len(devices)-len("app-1/devices")]+fmt.Sprintf("app-%d/devices", i), `{"metadata":{"name":"other"}}`)
		if i < 1 {
			continue
		}
		w.ok("alice", "POST", devices, fmt.Sprintf(`{"metadata":{"name":"d%d","labels":{"n":"%d","even":"%t"}}}`, i, i, i%2 == 0))
	}
	f := func(path, query string, want ...string) {
		t.Helper()
		got := w.as("alice", "GET", path+"?"+query, "")
		if names := got.names(t); got.status != 200 || !slices.Equal(names, want) {
			t.Errorf("%s: %d %q, want %q", query, got.status, names, want)
		}
	}
	labels := func(text string) string { return url.Values{"labels": {text}}.Encode() }
	f(apps, "", "app-0", "app-1", "app-2", "app-3")
	f(apps, labels("even=true"), "app-0", "app-2")
	f(apps, labels("even!=true,n in (1, 2)"), "app-1")
	f(apps, labels("!n"))
	f(apps, labels("n notin (0, 1)")+"&limit=1", "app-2")
	f(apps, "limit=2&offset=1", "app-1", "app-2")
	f(apps, "limit=0")
	f(apps, "offset=9")
	f(apps, "limit=&offset=&labels=", "app-0", "app-1", "app-2", "app-3")
	f(devices, "", "d1", "d2", "d3", "other")
	f(devices, labels("even"), "d1", "d2", "d3")
	f(devices, labels("even=true"), "d2")
	f(devices, labels("even")+"&offset=1&limit=5", "d2", "d3")
	w.as("bob", "GET", apps, "").want(t, 200, `[]`)

	refused := func(query, message string) {
		t.Helper()
		for _, path := range []string{apps, devices} {
			a := w.as("alice", "GET", path+"?"+query, "")
			a.want(t, 400, `{"error":"InvalidRequest","message":"*"}`)
			if !strings.Contains(a.body, message) {
				t.Errorf("%s: %s, want %q", query, a.body, message)
			}
		}
	}
	refused(labels("a b"), "labels: ")
	refused(labels("foo in ("), "labels: ")
	refused("labels=a&labels=b", "labels: ")
	refused("limit=-1", "limit: ")
	refused("limit=many", "limit: ")
	refused("limit=99999999999", "limit: ")
	refused("offset=1.5", "offset: ")
	refused("limit=1&limit=2", "limit: ")
	refused("labels=%zz", "query")
}

// A list of any length takes pages, and comes whole and in order.
func TestLongLists(t *testing.T) {
	w := newWorld(t)
	w.ok("alice", "POST", apps, `{"metadata":{"name":"app-1"}}`)
	var all []string
	uid := w.ok("alice", "GET", app, "").text(t, "metadata", "uid")
	for i := range 2*page + 7 {
		name := fmt.Sprintf("d%04d", i)
		all = append(all, name)
		d := &registry.Device{Metadata: registry.Metadata{Name: name, Application: "app-1", Labels: map[string]string{"k": fmt.Sprint(i % 2)}}}
		if _, err := w.store.CreateDevice(t.Context(), d, store.Expect{ApplicationUID: uid}); err != nil {
			t.Fatal(err)
		}
	}
	f := func(query string, want []string) {
		t.Helper()
		if got := w.as("alice", "GET", devices+"?"+query, "").names(t); !slices.Equal(got, want) {
			t.Errorf("%s: %d documents, want %d", query, len(got), len(want))
		}
	}
	f("", all)
	f("offset=3", all[3:])
	f(fmt.Sprintf("offset=3&limit=%d", page+1), all[3:page+4])
	f(fmt.Sprintf("limit=%d", page), all[:page])
	f(fmt.Sprintf("limit=%d", 2*page), all[:2*page])
	var odd []string
	for i := 1; i < len(all); i += 2 {
		odd = append(odd, all[i])
	}
	f("labels=k%3D1", odd)
}

// A list that cannot be read to its end is cut off, so that nobody takes it for the whole.
func TestListsThatBreakOff(t *testing.T) {
	w := newWorld(t)
	w.ok("alice", "POST", apps, `{"metadata":{"name":"app-1"}}`)
	for i := range page + 1 {
		d := &registry.Device{Metadata: registry.Metadata{Name: fmt.Sprintf("d%04d", i), Application: "app-1"}}
		if _, err := w.store.ApplyDevice(t.Context(), d); err != nil {
			t.Fatal(err)
		}
	}
	r := httptest.NewRequest("GET", devices, nil)
	r.Header.Set("Authorization", "Bearer alice")
	recorder := &breaking{ResponseRecorder: httptest.NewRecorder(), after: page / 2, do: func() { _ = w.store.Close() }}
	defer func() {
		if err, _ := recover().(error); !errors.Is(err, http.ErrAbortHandler) {
			t.Errorf("the connection is not cut: %v", err)
		}
		if json.Valid(recorder.Body.Bytes()) {
			t.Error("the part looks like the whole")
		}
	}()
	w.handler.ServeHTTP(recorder, r)
}

// breaking does something in the middle of an answer.
type breaking struct {
	*httptest.ResponseRecorder
	after int
	do    func()
}

func (b *breaking) Write(p []byte) (int, error) {
	if b.after--; b.after == 0 {
		b.do()
	}
	return b.ResponseRecorder.Write(p)
}
