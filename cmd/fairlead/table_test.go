package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"
)

// What others have named does not break lines and does not write to the terminal.
func TestHostileNames(t *testing.T) {
	hostile, err := json.Marshal(map[string]any{"metadata": map[string]any{
		"name": "a\tb\n\x1b[2Jc\u202ed", "labels": map[string]string{"x": "\x07\r"}, "creationTimestamp": "2026-01-01T00:00:00Z",
	}})
	if err != nil {
		t.Fatal(err)
	}
	for _, form := range []string{"table", "plain"} {
		var b bytes.Buffer
		list := (&output{form}).list(terminal{out: &b}, deviceColumns())
		if err := list.end(list.add(hostile)); err != nil {
			t.Fatal(err)
		}
		lines := strings.Split(strings.TrimSuffix(b.String(), "\n"), "\n")
		if last := lines[len(lines)-1]; !strings.HasPrefix(last, "a·b··[2Jc·d") || strings.ContainsAny(b.String(), "\x1b\x07\r") {
			t.Errorf("%s: %q", form, b.String())
		}
	}
}

func TestDistance(t *testing.T) {
	now := time.Now()
	f := func(ago time.Duration, want string) {
		t.Helper()
		if got := distance(now.Add(-ago), now); got != want {
			t.Errorf("%s: %q, want %q", ago, got, want)
		}
	}
	f(0, "0s")
	f(59*time.Second, "59s")
	f(90*time.Minute, "1h")
	f(47*time.Hour, "47h")
	f(72*time.Hour, "3d")
	f(-5*time.Minute, "in 5m")
}

// A list that breaks off never looks whole.
func TestListThatBreaksOff(t *testing.T) {
	broken := errors.New("broken")
	var b bytes.Buffer
	list := (&output{"json"}).list(terminal{out: &b}, nil)
	if err := list.add([]byte(`{"a":1}`)); err != nil {
		t.Fatal(err)
	}
	if err := list.end(broken); !errors.Is(err, broken) || json.Valid(b.Bytes()) {
		t.Errorf("%v, %s", err, b.String())
	}
	b.Reset()
	list = (&output{"table"}).list(terminal{out: &b}, memberColumns())
	if err := list.end(errors.Join(list.add([]byte(`{"user":"ada"}`)), broken)); !errors.Is(err, broken) || !strings.Contains(b.String(), "ada") {
		t.Errorf("%v, %s", err, b.String())
	}
}

func TestLongTable(t *testing.T) {
	var b bytes.Buffer
	list := newTable(&b, memberColumns())
	for range 3 * tableBatch {
		if err := list.add([]byte(`{"user":"ada","role":"reader"}`)); err != nil {
			t.Fatal(err)
		}
		if len(list.rows) > tableBatch {
			t.Fatal("rows pile up")
		}
	}
	if err := list.end(nil); err != nil || strings.Count(b.String(), "\n") != 3*tableBatch+1 || strings.Count(b.String(), "USER") != 1 {
		t.Errorf("%v, %d lines", err, strings.Count(b.String(), "\n"))
	}
}

func FuzzParseResource(f *testing.F) {
	f.Add(`{"metadata":{"name":"a"},"spec":{"n":12345678901234567890123}}`)
	f.Add("metadata: {name: a}\nspec:\n  authentication: {credentials: [{pass: x}]}\n")
	f.Add("- a")
	f.Fuzz(func(t *testing.T, text string) {
		r, err := parseResource([]byte(text))
		if err != nil {
			return
		}
		_ = setCredential(r, map[string]any{"pass": "x"}, func(present map[string]any) bool { return present["pass"] != nil })
		if _, err := json.Marshal(r); err != nil {
			t.Errorf("%q cannot be written: %v", text, err)
		}
	})
}
