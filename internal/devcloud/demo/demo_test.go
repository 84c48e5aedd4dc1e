package demo

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"
	"unicode/utf8"

	cloudevents "github.com/cloudevents/sdk-go/v2/event"

	"github.com/fairlead/fairlead/internal/devcloud/dispatch"
	"github.com/fairlead/fairlead/internal/devcloud/registryfile"
	"github.com/fairlead/fairlead/test/neighbour"
)

func newShow(t *testing.T) *Show {
	t.Helper()
	s, err := New()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	return s
}

func TestDevicesPostWithTheirCredentials(t *testing.T) {
	s := newShow(t)
	part := s.Part()
	for _, d := range part.Registry.Devices {
		if err := d.Validate(); err != nil {
			t.Error(err)
		}
	}
	if _, err := registryfile.Decode("none", nil); err != nil {
		t.Error(err)
	}
	var mu sync.Mutex
	seen := map[string]bool{}
	door := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		user, password, _ := r.BasicAuth()
		mu.Lock()
		defer mu.Unlock()
		if password != s.password || r.Header.Get("Content-Type") != "application/json" {
			w.WriteHeader(http.StatusForbidden)
			return
		}
		seen[user] = true
		w.WriteHeader(http.StatusAccepted)
	}))
	defer door.Close()
	ctx, cancel := context.WithCancel(t.Context())
	var running sync.WaitGroup
	running.Go(func() { s.Run(ctx, door.URL) })
	neighbour.Eventually(t, "each device", func() bool {
		mu.Lock()
		defer mu.Unlock()
		return len(seen) == len(part.Registry.Devices)
	})
	cancel()
	running.Wait()
	if s.refused.Load() != 0 {
		t.Errorf("%d refusals", s.refused.Load())
	}
}

func report(data string) dispatch.Report {
	e := cloudevents.New()
	e.SetID("i")
	e.SetSource("/s")
	e.SetType("io.drogue.event.v1")
	e.SetSubject("climate")
	e.SetTime(time.Now())
	e.SetExtension("device", "a device with a rather long name")
	e.DataEncoded = []byte(data)
	return dispatch.Report{Subscription: Trigger, Event: &e, Result: dispatch.Delivered, Status: 202}
}

func TestTableFitsTheTerminal(t *testing.T) {
	f := func(width, height, deliveries int) {
		t.Helper()
		s := newShow(t)
		status := func() []dispatch.Status { return []dispatch.Status{{Lost: 3, Retried: 1e6, Lag: 1e9}} }
		table := NewTable(s, status, func() (int, int) { return width, height })
		for i := range deliveries {
			r := report(fmt.Sprintf(`{"n":%d,"text":"\u001b[2J%s"}`, i, strings.Repeat("x", 200)))
			s.Observe(r)
			table.Add(r)
		}
		table.Log("warning: \x1b[31m" + strings.Repeat("y", 300))
		picture := table.picture()
		lines := strings.Split(picture, "\r\n")
		if len(lines) > height {
			t.Errorf("%dx%d: %d lines", width, height, len(lines))
		}
		for _, line := range lines {
			for _, control := range []string{home, clearLine, clearBelow, bold, dim, plain} {
				line = strings.ReplaceAll(line, control, "")
			}
			if strings.ContainsRune(line, '\x1b') {
				t.Errorf("%dx%d: a device moves the cursor: %q", width, height, line)
			}
			if n := utf8.RuneCountInString(line); n > width {
				t.Errorf("%dx%d: a line of %d characters: %q", width, height, n, line)
			}
		}
	}
	f(80, 24, 100)
	f(80, 24, 0)
	f(200, 50, 1000)
	f(20, 5, 3)
	f(1, 1, 3)
}

func TestTableLeavesTheTerminalAsItWas(t *testing.T) {
	s := newShow(t)
	table := NewTable(s, func() []dispatch.Status { return nil }, func() (int, int) { return 80, 24 })
	var out strings.Builder
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	table.Run(ctx, &out)
	if !strings.HasPrefix(out.String(), enterScreen) || !strings.HasSuffix(out.String(), leaveScreen) {
		t.Errorf("%q", out.String())
	}
}

func TestReadings(t *testing.T) {
	f := func(data, want string) {
		t.Helper()
		if got := readings(*report(data).Event); got != want {
			t.Errorf("%s is shown as %q, want %q", data, got, want)
		}
	}
	f(`{"temperature": 21.5, "humidity": 40}`, "humidity 40, temperature 21.5")
	f(`{"nested": {"a": 1}}`, `{"nested": {"a": 1}}`)
	f(`[1, 2]`, `[1, 2]`)
	f(`{}`, `{}`)
	f("", "(no data)")
}
