package main

import (
	"context"
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"github.com/fairlead/fairlead/test/neighbour"
)

// say posts an event of the example's device.
func (s *shell) say(channel, body string) {
	s.t.Helper()
	request, err := http.NewRequestWithContext(s.t.Context(), http.MethodPost, s.note.HTTP+"/v1/"+channel, strings.NewReader(body))
	if err != nil {
		s.t.Fatal(err)
	}
	request.SetBasicAuth(s.note.Example.Username, s.note.Example.Password)
	request.Header.Set("Content-Type", "application/json")
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		s.t.Fatal(err)
	}
	response.Body.Close()
	if response.StatusCode != http.StatusAccepted {
		s.t.Fatal(response.Status)
	}
}

// watch runs the command until it has shown something, and tells what.
func (s *shell) watch(want string, arguments ...string) string {
	s.t.Helper()
	ctx, stop := context.WithCancel(s.t.Context())
	var out, errors log
	ended := make(chan int)
	go func() {
		ended <- run(ctx, "fairlead", append([]string{"watch", "example-app", "--config", s.config}, arguments...), terminal{out: &out, err: &errors, in: strings.NewReader("")})
	}()
	neighbour.Eventually(s.t, want, func() bool { return strings.Contains(out.String(), want) })
	stop()
	if status := <-ended; status != 0 {
		s.t.Errorf("status %d: %s", status, errors.String())
	}
	return out.String()
}

func TestWatch(t *testing.T) {
	s := development(t)
	s.say("telemetry", `{"n":1}`)
	s.say("other", `{"n":2}`)
	lines := strings.Split(strings.TrimSpace(s.watch(`"n":2`, "--from", "earliest")), "\n")
	for _, line := range lines {
		if !json.Valid([]byte(line)) {
			t.Errorf("%q is no JSON", line)
		}
	}
	if out := s.watch(`{"n":2}`, "--from", "earliest", "--channel", "other", "--output", "table"); strings.Contains(out, "telemetry") || !strings.Contains(out, "device1") {
		t.Error(out)
	}
	s.watch(`"n":1`, "--group", "g", "--from", "0", "--device", "device1")
	s.fails("Application / nothing", "watch", "nothing")
	s.fails("from", "watch", "example-app", "--from", "yesterday")
}

// What a device says cannot write to the terminal of who watches.
func TestWatchedDataIsPrintable(t *testing.T) {
	var out log
	for _, event := range []string{
		`{"device":"d\u001b[2J","subject":"a\nb","data":"\u001b]0;x"}`, `{"data_base64":"G1sySg=="}`, `{"data_base64":"/w=="}`,
		`{"data":"` + strings.Repeat("x", 500) + `"}`,
	} {
		if err := showEvent(&out, json.RawMessage(event)); err != nil {
			t.Fatal(err)
		}
	}
	text := out.String()
	if strings.Count(text, "\n") != 4 || strings.ContainsRune(text, 0x1b) || !strings.Contains(text, "(1 bytes)") || len(text) > 800 {
		t.Errorf("%q", text)
	}
}
