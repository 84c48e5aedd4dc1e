package main

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/fairlead/fairlead/internal/replay"
	"github.com/fairlead/fairlead/test/neighbour"
)

// A picky subscriber refuses events until it is mended, and notes the rest.
type picky struct {
	*httptest.Server

	mu     sync.Mutex
	mended bool
	got    map[string]int // by data
	last   http.Header
}

func newPicky(t *testing.T) *picky {
	p := &picky{got: map[string]int{}}
	p.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		data, _ := io.ReadAll(r.Body)
		p.mu.Lock()
		defer p.mu.Unlock()
		if !p.mended {
			http.Error(w, "no column temperature", http.StatusUnprocessableEntity)
			return
		}
		p.got[string(data)]++
		p.last = r.Header.Clone()
	}))
	t.Cleanup(p.Close)
	return p
}

func (p *picky) mend() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.mended = true
}

// different is how many different events it took.
func (p *picky) different() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.got)
}

// letters are what `fairlead deadletters` says.
func letters(t *testing.T, data string, more ...string) (all []replay.Letter) {
	t.Helper()
	status, out, problems := command(t.Context(), append([]string{"deadletters", "list", "example-app", "--data", data}, more...)...)
	if status != 0 {
		t.Fatalf("status %d, %s", status, problems)
	}
	for line := range strings.Lines(out) {
		var l replay.Letter
		if err := json.Unmarshal([]byte(line), &l); err != nil {
			t.Fatalf("%q: %v", line, err)
		}
		all = append(all, l)
	}
	return all
}

func TestWhatWasRefusedIsRedelivered(t *testing.T) { breakAndMend(t) }

// breakAndMend has a subscriber refuse events, looks at them, mends it, and has it get them.
func breakAndMend(t *testing.T, more ...string) {
	p, data, triggers := newPicky(t), t.TempDir(), t.TempDir()
	text := strings.ReplaceAll(goodManifest, "http://127.0.0.1:8090/", p.URL)
	text = strings.ReplaceAll(text, `{uri: "http://127.0.0.1:8091/"}`, "{ref: {apiVersion: v1, kind: Service, name: dead-letters}}")
	if err := os.WriteFile(filepath.Join(triggers, "t.yaml"), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	dev := launch(t, onFreePorts(data, append([]string{"--triggers", triggers}, more...)...))
	n := note(t, data, dev.command.Process.Pid)
	const all = 5
	for i := range all {
		if status := post(t, n, "state", fmt.Sprintf(`{"n":%d}`, i)); status != 202 {
			t.Fatalf("status %d", status)
		}
	}
	neighbour.Eventually(t, "the dead letters", func() bool { return len(letters(t, data)) == all })
	first := letters(t, data)[0]
	if first.Code != "422" || first.Reason != "no column temperature" || first.Subscriber != p.URL || first.Device != "device1" {
		t.Errorf("%+v", first)
	}
	redeliver := func(wantStatus int, want string, more ...string) {
		t.Helper()
		status, out, problems := command(t.Context(), append([]string{"deadletters", "redeliver", "example-app", "--data", data}, more...)...)
		if status != wantStatus || !strings.Contains(out+problems, want) {
			t.Errorf("%v: status %d, %q, %q", more, status, out, problems)
		}
	}
	redeliver(0, "would redeliver 5 events", "--all", "--dry-run")
	redeliver(1, "redelivered 0 events; 5 failed", "--all")
	redeliver(1, "say which")
	redeliver(1, "no dead letter", "--id", "nobody")
	p.mend()
	redeliver(0, "redelivered 1 event\n", "--id", first.ID)
	if left := letters(t, data); len(left) != all-1 || p.different() != 1 {
		t.Errorf("%d are left, %d came", len(left), p.different())
	}
	redeliver(0, "redelivered 4 events to "+p.URL, "--all", "--trigger", "t")
	if left := letters(t, data); len(left) != 0 || p.different() != all {
		t.Errorf("%d are left, %d came", len(left), p.different())
	}
	if listed := letters(t, data, "--redelivered", "--code", "422"); len(listed) != all {
		t.Errorf("%d were redelivered", len(listed))
	}
	if p.last.Get("Ce-Knativeerrorcode") != "" || p.last.Get("Ce-Device") != "device1" || p.last.Get("Ce-Id") == "" {
		t.Errorf("it got %v", p.last)
	}
	replayAll(t, data, all)
	if status := dev.end(syscall.SIGTERM); status != 0 {
		t.Errorf("status %d: %s", status, dev.out.String())
	}
}

// replayAll has another subscriber get everything.
func replayAll(t *testing.T, data string, all int) {
	t.Helper()
	other := newPicky(t)
	other.mend()
	f := func(wantStatus int, want string, more ...string) {
		t.Helper()
		status, out, problems := command(t.Context(), append([]string{"replay", "example-app", "--data", data}, more...)...)
		if status != wantStatus || !strings.Contains(out+problems, want) {
			t.Errorf("%v: status %d, %q, %q", more, status, out, problems)
		}
	}
	f(0, fmt.Sprintf("would replay %d events", all), "--from", "1h", "--to", other.URL, "--dry-run")
	f(0, "replayed 0 events", "--from", time.Now().Add(time.Hour).Format(time.RFC3339), "--to", other.URL)
	f(0, fmt.Sprintf("replayed %d events to", all), "--from", "start", "--trigger", "t")
	if other.different() != 0 {
		t.Error("the Trigger's subscriber was not meant")
	}
	f(0, fmt.Sprintf("replayed %d events to %s", all, other.URL), "--from", "start", "--to", other.URL, "--resume", "copy")
	if other.different() != all {
		t.Errorf("%d came", other.different())
	}
	f(1, "--from says", "--to", other.URL)
	f(1, "--to URL or --trigger", "--from", "start")
	f(1, "is no file and no Trigger", "--from", "start", "--trigger", "nobody")
	f(1, "--from: must be", "--from", "yesterday", "--to", other.URL)
	f(1, "not an absolute http", "--from", "start", "--to", "nowhere")
	f(1, "--rate", "--from", "start", "--to", other.URL, "--rate=-1")
}
