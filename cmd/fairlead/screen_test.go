package main

import (
	"strings"
	"testing"
	"time"

	"github.com/fairlead/fairlead/internal/outcome"
	"github.com/fairlead/fairlead/internal/refusal"
)

func TestRefusalLine(t *testing.T) {
	now := time.Date(2026, 1, 2, 12, 30, 14, 0, time.Local)
	f := func(r refusal.Folded, want string) {
		t.Helper()
		if got := refusalLine(now, r); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
	r := refusal.Report{Protocol: refusal.MQTT, Where: "PUBLISH a\r\n\x1b[2Jb", Application: "app", Device: "gw", As: "d\x00", Outcome: outcome.Forbidden, Answer: "PUBACK 0x87", Reason: "no \u202epermission"}
	f(refusal.Folded{Report: r}, "12:30:14  refused  mqtt  gw@app for d·, PUBLISH a···[2Jb  → PUBACK 0x87  no ·permission")
	f(refusal.Folded{Report: r, More: 57}, "12:30:14  refused  mqtt  gw@app for d·, PUBLISH a···[2Jb  → PUBACK 0x87  no ·permission  (… 57 more like this within 10 s)")
	f(refusal.Folded{Others: true, More: 3}, "12:30:14  refused  … 3 more of other kinds within 10 s")
	f(refusal.Folded{Report: refusal.Report{Protocol: refusal.HTTP, Where: "POST /", Remote: "192.0.2.1", Answer: "404", Reason: "x"}},
		"12:30:14  refused  http  somebody at 192.0.2.1, POST /  → 404  x")
}

func TestScreenShowsRefusals(t *testing.T) {
	f := func(print bool, want int) {
		t.Helper()
		var out, errors log
		s := newScreen(&devCommand{Print: print}, terminal{out: &out, err: &errors}, nil)
		for range 3 {
			s.refused.Add(refusal.Report{Protocol: refusal.HTTP, Device: "d", Where: "POST /", Answer: "404", Reason: "x"})
		}
		s.refused.Close()
		if got := strings.Count(out.String(), "\n"); got != want {
			t.Errorf("%d lines, want %d: %q", got, want, out.String())
		}
	}
	f(true, 2)
	f(false, 0)
}
