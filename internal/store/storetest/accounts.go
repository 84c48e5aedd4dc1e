package storetest

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/fairlead/fairlead/internal/registry"
	"github.com/fairlead/fairlead/internal/store/accounts"
	"github.com/fairlead/fairlead/internal/user"
)

func testTokens(t *testing.T, s *suite) {
	a := accounts.New(s.Store)
	created := time.Date(2026, 5, 4, 3, 2, 1, 123456000, time.UTC)
	first := user.Token{Prefix: "drg_000001", Hash: strings.Repeat("a", 128), UserID: "u", UserName: "Ünï", Created: created, Description: "it's \"mine\""}
	second := user.Token{
		Prefix: "drg_000000", Hash: strings.Repeat("b", 128), UserID: "u", UserName: "name", Created: created.Add(time.Second), Expires: created.Add(time.Hour),
		Scope: user.Scope{Applications: []string{"app"}, Permission: user.Read},
	}
	others := user.Token{Prefix: "drg_000001", Hash: strings.Repeat("c", 128), UserID: "v", Created: created, Scope: user.Scope{Permission: user.Write}}
	for _, token := range []user.Token{second, first, others} {
		if err := a.CreateToken(t.Context(), token); err != nil {
			t.Fatal(err)
		}
	}
	taken := func(token user.Token) {
		t.Helper()
		if err := a.CreateToken(t.Context(), token); !errors.Is(err, user.ErrTokenTaken) {
			t.Errorf("%+v: %v, want ErrTokenTaken", token, err)
		}
	}
	taken(first)
	taken(user.Token{Prefix: first.Prefix, Hash: "new", UserID: "u", Created: created})
	taken(user.Token{Prefix: "new", Hash: first.Hash, UserID: "w", Created: created})

	f := func(userID string, want ...user.Token) {
		t.Helper()
		got, err := a.ListTokens(t.Context(), userID)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("tokens of %q (-want +got):\n%s", userID, diff)
		}
	}
	f("u", first, second)
	f("v", others)
	f("w")
	found, err := a.FindToken(t.Context(), second.Hash)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(&second, found); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	missing := func(err error) {
		t.Helper()
		if !errors.Is(err, registry.ErrNotFound) {
			t.Errorf("%v, want not found", err)
		}
	}
	_, err = a.FindToken(t.Context(), "none")
	missing(err)
	missing(a.DeleteToken(t.Context(), "v", second.Prefix))
	if err := a.DeleteToken(t.Context(), "u", first.Prefix); err != nil {
		t.Fatal(err)
	}
	missing(a.DeleteToken(t.Context(), "u", first.Prefix))
	_, err = a.FindToken(t.Context(), first.Hash)
	missing(err)
	f("u", second)
	f("v", others)
}

func testUsers(t *testing.T, s *suite) {
	a := accounts.New(s.Store)
	remember := func(id, name string, want error) {
		t.Helper()
		if err := a.RememberUser(t.Context(), id, name); !errors.Is(err, want) {
			t.Errorf("RememberUser(%q, %q): %v, want %v", id, name, err, want)
		}
	}
	f := func(name, want string) {
		t.Helper()
		got, err := a.UserByName(t.Context(), name)
		if got != want || (err == nil) != (want != "") || (want == "" && !errors.Is(err, registry.ErrNotFound)) {
			t.Errorf("UserByName(%q) = %q, %v, want %q", name, got, err, want)
		}
	}
	remember("1", "alice", nil)
	remember("1", "alice", nil)
	remember("2", "bob", nil)
	f("alice", "1")
	f("2", "2")
	f("Alice", "")
	f("", "")
	f("\x00", "")
	remember("3", "alice", user.ErrNameTaken)
	f("3", "")
	remember("2", "alice", user.ErrNameTaken)
	f("bob", "2")
	remember("1", "anna", nil)
	f("alice", "")
	f("anna", "1")
	remember("2", "alice", nil)
	f("alice", "2")
	remember("4", "1", nil) // who is called like another one's ID
	f("1", "1")

	names, err := a.UserNames(t.Context(), []string{"1", "2", "none"})
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(map[string]string{"1": "anna", "2": "alice"}, names); diff != "" {
		t.Errorf("names (-want +got):\n%s", diff)
	}
	many := make([]string, 1200)
	for i := range many {
		many[i] = fmt.Sprint(i)
	}
	if names, err := a.UserNames(t.Context(), many); err != nil || len(names) != 3 {
		t.Errorf("names of many: %v, %v", names, err)
	}
	if names, err := a.UserNames(t.Context(), nil); err != nil || len(names) != 0 {
		t.Errorf("names of nobody: %v, %v", names, err)
	}
	won := 0
	for i, err := range race(writers, func(i int) error { return a.RememberUser(t.Context(), fmt.Sprint("racer", i), "same") }) {
		if err == nil {
			won++
		} else if !errors.Is(err, user.ErrNameTaken) {
			t.Errorf("racer %d: %v, want ErrNameTaken", i, err)
		}
	}
	if won != 1 {
		t.Errorf("%d users have the same name", won)
	}
}
