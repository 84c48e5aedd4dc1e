package main

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

// A log is a writer that may be read at any time.
type log struct {
	mu     sync.Mutex
	buffer bytes.Buffer
}

func (l *log) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buffer.Write(b)
}

func (l *log) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buffer.String()
}

// command runs one command line to its end.
func command(ctx context.Context, arguments ...string) (status int, out, errors string) {
	var o, e log
	status = run(ctx, "fairlead", arguments, terminal{out: &o, err: &e, in: strings.NewReader("")})
	return status, o.String(), e.String()
}

func TestCommandLine(t *testing.T) {
	f := func(wantStatus int, wantOut, wantErr string, arguments ...string) {
		t.Helper()
		status, out, errors := command(t.Context(), arguments...)
		if status != wantStatus || !strings.Contains(out, wantOut) || !strings.Contains(errors, wantErr) {
			t.Errorf("%v: status %d, %q, %q; want %d, %q, %q", arguments, status, out, errors, wantStatus, wantOut, wantErr)
		}
	}
	f(0, "fairlead ", "", "version")
	f(0, "Usage: fairlead", "")
	f(0, "--registry", "", "dev", "--help")
	f(2, "", "--database", "migrate")
	f(1, "", "url: ", "migrate", "--database", "postgres://user:hey-rodney@local host/x")
	f(2, "", "unexpected argument", "nonsense")
	f(2, "", "unknown flag", "dev", "--nonsense")
	f(1, "", "--http", "dev", "--http", "192.0.2.1:1")
	f(1, "", "postgres://", "dev", "--database", "mysql://x", "--http", "127.0.0.1:0", "--mqtt=", "--mqtts=", "--mqtt-ws=", "--mqtt-wss=", "--coap=", "--coaps=", "--api=", "--auth", "127.0.0.1:0", "--metrics=", "--receiver=", "--dead-letters=")
}

const goodManifest = `apiVersion: eventing.knative.dev/v1
kind: Trigger
metadata: {name: t}
spec:
  broker: example-app
  filter: {attributes: {type: io.drogue.event.v1}}
  subscriber: {uri: "http://127.0.0.1:8090/"}
  delivery:
    retry: 3
    backoffPolicy: linear
    backoffDelay: PT1S
    timeout: PT5S
    deadLetterSink: {uri: "http://127.0.0.1:8091/"}
`

func manifest(t *testing.T, text string) string {
	t.Helper()
	name := filepath.Join(t.TempDir(), "t.yaml")
	if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return name
}

func TestTriggerCheck(t *testing.T) {
	f := func(name, text string, wantStatus int, want string, flags ...string) {
		t.Helper()
		file := manifest(t, text)
		status, out, errors := command(t.Context(), append([]string{"trigger", "check", file}, flags...)...)
		if status != wantStatus || !strings.Contains(out+errors, want) {
			t.Errorf("%s: status %d, %q %q; want %d and %q", name, status, out, errors, wantStatus, want)
		}
		if wantStatus != 0 && !strings.HasPrefix(out, file+":1:") {
			t.Errorf("%s: the line begins with %.80q, want file and document", name, out)
		}
	}
	f("good", goodManifest, 0, "1 file, 1 document: no errors")
	f("unknown field", strings.Replace(goodManifest, "retry:", "retries:", 1), 1, "retries")
	f("bad expression", strings.Replace(goodManifest, "filter: {attributes: {type: io.drogue.event.v1}}", "filters: [{cesql: '1 +'}]", 1), 1, "cesql")
	warned := strings.Replace(goodManifest, "    timeout: PT5S\n", "", 1)
	f("warning", warned, 0, "timeout")
	f("strict", warned, 1, "timeout", "--strict")
	if status, out, _ := command(t.Context(), "trigger", "check", "no-such-file.yaml"); status != 1 || !strings.Contains(out, "no-such-file.yaml") {
		t.Errorf("a missing file: status %d, %q", status, out)
	}
}

func TestTriggerTestNeedsToKnowWhere(t *testing.T) {
	status, _, errors := command(t.Context(), "trigger", "test", "-f", manifest(t, goodManifest), "--data", t.TempDir())
	if status != 1 || !strings.Contains(errors, "--kafka") {
		t.Errorf("status %d, %q", status, errors)
	}
	status, _, errors = command(t.Context(), "trigger", "test", "-f", manifest(t, goodManifest), "--app", "other")
	if status != 1 || !strings.Contains(errors, `spec.broker is "other"`) {
		t.Errorf("status %d, %q", status, errors)
	}
}

func TestReceive(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if status, _, errors := command(ctx, "receive", "--address", "127.0.0.1:0"); status != 0 || !strings.Contains(errors, "listening on http://127.0.0.1:") {
		t.Errorf("status %d, %q", status, errors)
	}
	if status, _, errors := command(t.Context(), "receive", "--address", "192.0.2.1:1"); status != 1 || !strings.Contains(errors, "--receive-address") {
		t.Errorf("status %d, %q", status, errors)
	}
}
