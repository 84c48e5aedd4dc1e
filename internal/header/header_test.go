package header

import (
	"net/http"
	"testing"
)

func TestSingle(t *testing.T) {
	f := func(values []string, want string, wantOK bool) {
		t.Helper()
		if got, ok := Single(http.Header{"Content-Type": values}, "content-type"); got != want || ok != wantOK {
			t.Errorf("Single of %q = %q, %v; want %q, %v", values, got, ok, want, wantOK)
		}
	}
	f(nil, "", true)
	f([]string{""}, "", true)
	f([]string{"a"}, "a", true)
	f([]string{"a", "a"}, "", false)
	f([]string{"", "a"}, "", false)
}

func TestScheme(t *testing.T) {
	f := func(field, want string, wantOK bool) {
		t.Helper()
		if got, ok := Scheme(field, "Basic"); got != want || ok != wantOK {
			t.Errorf("Scheme(%q) = %q, %v; want %q, %v", field, got, ok, want, wantOK)
		}
	}
	f("Basic eA==", "eA==", true)
	f("bAsIc  eA==", "eA==", true)
	f("BASIC ", "", true)
	f("Basic", "", true)
	f("Basics eA==", "", false)
	f("Basic\teA==", "", false)
	f(" Basic eA==", "", false)
	f("", "", false)
}
