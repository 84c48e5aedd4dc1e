package cloud

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

func client(t *testing.T, handler http.HandlerFunc) *Client {
	t.Helper()
	server := httptest.NewServer(handler)
	t.Cleanup(server.Close)
	c, err := NewClient(server.URL+"/", nil)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// answers gives the same answer to everything.
func answers(status int, body string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(status)
		_, _ = w.Write([]byte(body))
	}
}

func TestErrors(t *testing.T) {
	f := func(status int, body, want string, is func(error) bool) {
		t.Helper()
		err := client(t, answers(status, body)).Get(t.Context(), ApplicationPath("a"), nil)
		if err == nil || err.Error() != want || (is != nil && !is(err)) || IsUnreachable(err) {
			t.Errorf("%d %s: %v, want %s", status, body, err, want)
		}
	}
	f(404, "", "not found", IsNotFound)
	f(404, `{"error":"NotFound","message":"Not found"}`, "Not found", IsNotFound)
	f(409, `{"error":"Conflict","message":"Conflict: x"}`, "Conflict: x", IsConflict)
	f(403, "<html>", "not permitted", nil)
	f(502, "", "the API answered 502", nil)
	f(302, "", "the API answered 302", nil)
	f(400, `{"message":7}`, "the API answered 400", nil)
}

func TestAnswers(t *testing.T) {
	f := func(body, want string) {
		t.Helper()
		var into struct{ A string }
		err := client(t, answers(200, body)).Get(t.Context(), ApplicationPath("a"), &into)
		if (err == nil) != (want == "") || (err != nil && !strings.Contains(err.Error(), want)) {
			t.Errorf("%.20s: %v, want %q", body, err, want)
		}
	}
	f(`{"a":"b"}`, "")
	f("", "")
	f("<html>", "is it the API of Fairlead?")
	f(`{"a":"`+strings.Repeat("x", maxAnswer)+`"}`, "is larger than")
}

func TestLists(t *testing.T) {
	f := func(body string, wantCount int, want string) {
		t.Helper()
		count := 0
		err := client(t, answers(200, body)).Applications(t.Context(), Selection{}, func(json.RawMessage) error { count++; return nil })
		if count != wantCount || (err == nil) != (want == "") || (err != nil && !strings.Contains(err.Error(), want)) {
			t.Errorf("%.20s: %d, %v; want %d, %q", body, count, err, wantCount, want)
		}
	}
	f("[]", 0, "")
	f(`[{"a":1}, {"b":2}]`, 2, "")
	f(`[{"a":1},`, 1, "breaks off")
	f(`[{"a":1}`, 1, "breaks off")
	f(`[{"a":`, 0, "breaks off")
	f(`{"a":1}`, 0, "is no list")
	f("", 0, "is no list")
	f(`[{"a":"`+strings.Repeat("x", 3*maxListed)+`"}]`, 0, "breaks off")
	many := strings.Repeat(`{"a":"`+strings.Repeat("x", 1000)+`"},`, 2000)
	f("["+strings.TrimSuffix(many, ",")+"]", 2000, "")
	enough := errors.New("enough")
	err := client(t, answers(200, "[1,2]")).Devices(t.Context(), "a", Selection{}, func(json.RawMessage) error { return enough })
	if !errors.Is(err, enough) {
		t.Errorf("%v, want what the function returned", err)
	}
}

// Names may hold anything, and reach the API as they are.
func TestPaths(t *testing.T) {
	f := func(path Path, want string) {
		t.Helper()
		var got string
		c := client(t, func(_ http.ResponseWriter, r *http.Request) { got = r.URL.EscapedPath() })
		if err := c.Get(t.Context(), path, nil); err != nil || got != registryBase+want {
			t.Errorf("%s, %v; want %s", got, err, want)
		}
	}
	f(ApplicationPath("shop.eu"), "/apps/shop.eu")
	f(DevicePath("a", "a b/ü?#%"), "/apps/a/devices/a%20b%2F%C3%BC%3F%23%25")
	f(DevicePath("a", "..."), "/apps/a/devices/...")
	f(DevicePath("a", "x/../../b"), "/apps/a/devices/x%2F..%2F..%2Fb")
	if q := (Selection{Labels: "a in (b, c)", Limit: 3, Offset: 4}).query(); q != "?labels=a+in+%28b%2C+c%29&limit=3&offset=4" {
		t.Error(q)
	}
}

// What stands for a way in paths is never sent: on the way ".." of an application becomes the application.
func TestDotsAreNotSent(t *testing.T) {
	for _, name := range []string{".", ".."} {
		c := client(t, func(_ http.ResponseWriter, r *http.Request) { t.Errorf("%s %s", r.Method, r.URL) })
		if err := c.Delete(t.Context(), DevicePath("a", name)); err == nil {
			t.Errorf("%q is deleted", name)
		}
	}
}

// A credential goes to the installation that it is for, and nowhere else.
func TestRedirectIsNotFollowed(t *testing.T) {
	asked := false
	elsewhere := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { asked = true }))
	defer elsewhere.Close()
	server := httptest.NewServer(http.RedirectHandler(elsewhere.URL, http.StatusTemporaryRedirect))
	defer server.Close()
	c, err := (&Context{URL: server.URL, AccessToken: "hunter2"}).Client()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.WhoAmI(t.Context()); err == nil || asked {
		t.Errorf("%v, went elsewhere: %v", err, asked)
	}
}

func TestCredentials(t *testing.T) {
	f := func(context Context, want string) {
		t.Helper()
		var got string
		server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { got = r.Header.Get("Authorization") }))
		defer server.Close()
		context.URL = server.URL
		c, err := context.Client()
		if err != nil {
			t.Fatal(err)
		}
		if _, err := c.WhoAmI(t.Context()); err != nil || got != want {
			t.Errorf("%q, %v; want %q", got, err, want)
		}
		if text := fmt.Sprintf("%v %+v %#v", &context, &context, &context); strings.Contains(text, "hunter2") {
			t.Error(text)
		}
	}
	f(Context{}, "")
	f(Context{AccessToken: "hunter2"}, "Bearer hunter2")
	f(Context{AccessToken: "hunter2", User: "ada"}, "Basic YWRhOmh1bnRlcjI=")
	f(Context{Login: &Login{Token: "hunter2"}}, "Bearer hunter2")
	f(Context{Login: &Login{Token: "hunter2", Expires: time.Now().Add(time.Hour)}}, "Bearer hunter2")
}

func TestUnreachable(t *testing.T) {
	server := httptest.NewServer(nil)
	server.Close()
	c, err := NewClient(server.URL, nil)
	if err != nil {
		t.Fatal(err)
	}
	err = c.Get(t.Context(), DevicePath("a", "hunter2"), nil)
	if !IsUnreachable(err) || !strings.Contains(err.Error(), server.URL) || strings.Contains(err.Error(), "hunter2") {
		t.Error(err)
	}
	for _, bad := range []string{"", "x", "ftp://x", "https://u:p@x", "https://x?a", "https://", "http://x#y", ":"} {
		if _, err := NewClient(bad, nil); err == nil {
			t.Errorf("%q is taken for an installation", bad)
		}
	}
}
