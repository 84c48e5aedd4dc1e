package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"

	cloudevents "github.com/cloudevents/sdk-go/v2/event"

	"github.com/fairlead/fairlead/internal/devcloud"
	"github.com/fairlead/fairlead/internal/devcloud/receiver"
	"github.com/fairlead/fairlead/test/neighbour"
)

// argumentsVariable makes this test binary the fairlead command, with the arguments that it holds as JSON, so that a
// test can send it signals.
const argumentsVariable = "FAIRLEAD_TEST_ARGUMENTS"

func TestMain(m *testing.M) {
	text := os.Getenv(argumentsVariable)
	if text == "" {
		os.Exit(m.Run())
	}
	var arguments []string
	if err := json.Unmarshal([]byte(text), &arguments); err != nil {
		panic(err)
	}
	limitFiles()
	os.Args = append([]string{"fairlead"}, arguments...)
	main()
}

// onFreePorts is `fairlead dev` on free ports, with a folder.
func onFreePorts(data string, more ...string) []string {
	return append([]string{"dev", "--random-ports", "--data", data}, more...)
}

// A process is the fairlead command in a process of its own.
type process struct {
	command *exec.Cmd
	out     log
	ended   chan struct{}
}

func launch(t *testing.T, arguments []string) *process {
	t.Helper()
	text, err := json.Marshal(arguments)
	if err != nil {
		t.Fatal(err)
	}
	p := &process{command: exec.Command(os.Args[0]), ended: make(chan struct{})}
	p.command.Env = append(os.Environ(), argumentsVariable+"="+string(text))
	p.command.Stdout, p.command.Stderr = &p.out, &p.out
	heard := make(chan os.Signal, 1) // a shell has its background jobs ignore Ctrl-C, which a process inherits unless somebody listens
	signal.Notify(heard, os.Interrupt)
	err = p.command.Start()
	signal.Stop(heard)
	if err != nil {
		t.Fatal(err)
	}
	go func() {
		defer close(p.ended)
		_ = p.command.Wait() // its status is looked at where it matters
	}()
	t.Cleanup(func() { p.end(os.Kill) })
	return p
}

// end sends a signal and waits for the end.
func (p *process) end(s os.Signal) (status int) {
	_ = p.command.Process.Signal(s) // it may have ended
	<-p.ended
	return p.command.ProcessState.ExitCode()
}

// note waits until the command on a folder is up; a note of another process does not count.
func note(t *testing.T, data string, pid int) (n devcloud.Note) {
	t.Helper()
	neighbour.Eventually(t, "dev.json", func() bool {
		text, err := os.ReadFile(filepath.Join(data, devcloud.NoteFile))
		return err == nil && json.Unmarshal(text, &n) == nil && n.PID == pid
	})
	return n
}

func post(t *testing.T, n devcloud.Note, channel, body string) (status int) {
	t.Helper()
	status, err := tryPost(t.Context(), n.HTTP+"/v1/"+channel, n.Example.Username, n.Example.Password, body)
	if err != nil {
		t.Fatal(err)
	}
	return status
}

func tryPost(ctx context.Context, url, user, password, body string) (status int, err error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, url, strings.NewReader(body))
	if err != nil {
		return 0, err
	}
	request.SetBasicAuth(user, password)
	request.Header.Set("Content-Type", "application/json")
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return 0, err
	}
	defer response.Body.Close()
	_, _ = io.Copy(io.Discard, response.Body)
	return response.StatusCode, nil
}

func TestDevPrintsAndTriggerTestExplains(t *testing.T) {
	data := t.TempDir()
	ctx, interrupt := context.WithCancel(t.Context())
	var out, errors log
	var running sync.WaitGroup
	var status int
	running.Go(func() { status = run(ctx, "fairlead", onFreePorts(data), terminal{out: &out, err: &errors}) })
	n := note(t, data, os.Getpid())
	if got := post(t, n, "state", `{"n": 1}`); got != 202 {
		t.Fatalf("status %d", got)
	}
	neighbour.Eventually(t, "the printed event", func() bool { return strings.Contains(out.String(), "→ default/print 202") })
	for _, want := range []string{"Fairlead is running.", n.HTTP, n.Kafka[0], n.Example.Curl, `device1       state           {"n":1}`} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("%q is not in the output", want)
		}
	}

	file := manifest(t, strings.Replace(goodManifest, "{type: io.drogue.event.v1}", "{subject: other}", 1))
	status2, table, complaint := command(t.Context(), "trigger", "test", "-f", file, "--app", "example-app", "--data", data)
	if status2 != 0 || !strings.Contains(table, `filter: subject is not "other"`) || !strings.Contains(table, "0 of the newest 1 event") {
		t.Errorf("status %d, %q, %q", status2, table, complaint)
	}
	_, table, _ = command(t.Context(), "trigger", "test", "-f", manifest(t, goodManifest), "--kafka", n.Kafka[0])
	if !strings.Contains(table, "yes") || !strings.Contains(table, "1 of the newest 1 event") {
		t.Errorf("%q", table)
	}

	interrupt()
	running.Wait()
	if status != 0 {
		t.Errorf("status %d: %s", status, errors.String())
	}
}

func TestDevAfterAKillHasEverything(t *testing.T) {
	var mu sync.Mutex
	got := map[string]int{}
	server := httptest.NewServer(receiver.Handler(func(e cloudevents.Event) {
		mu.Lock()
		defer mu.Unlock()
		got[string(e.Data())]++
	}))
	defer server.Close()
	count := func() int {
		mu.Lock()
		defer mu.Unlock()
		return len(got)
	}
	triggers, data := t.TempDir(), t.TempDir()
	text := strings.ReplaceAll(goodManifest, "http://127.0.0.1:8090/", server.URL)
	if err := os.WriteFile(filepath.Join(triggers, "t.yaml"), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	const rounds, each = 3, 5
	for round := range rounds {
		p := launch(t, onFreePorts(data, "--triggers", triggers))
		n := note(t, data, p.command.Process.Pid)
		for i := range each {
			if status := post(t, n, "a", fmt.Sprintf(`"%d-%d"`, round, i)); status != 202 {
				t.Fatalf("status %d", status)
			}
		}
		p.end(os.Kill) // whatever is on its way
	}
	p := launch(t, onFreePorts(data, "--triggers", triggers))
	note(t, data, p.command.Process.Pid) // before that, a signal may find nobody who listens for it
	neighbour.Eventually(t, "every accepted message", func() bool { return count() == rounds*each })
	if status := p.end(syscall.SIGTERM); status != 0 {
		t.Errorf("status %d after SIGTERM: %s", status, p.out.String())
	}
}

func TestSecondSignalEndsAtOnce(t *testing.T) {
	asked, hang := make(chan struct{}), make(chan struct{})
	server := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
		close(asked)
		<-hang
	}))
	defer server.Close()
	defer close(hang)
	triggers, data := t.TempDir(), t.TempDir()
	text := strings.ReplaceAll(goodManifest, "http://127.0.0.1:8090/", server.URL)
	if err := os.WriteFile(filepath.Join(triggers, "t.yaml"), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	p := launch(t, onFreePorts(data, "--triggers", triggers))
	if status := post(t, note(t, data, p.command.Process.Pid), "a", `{}`); status != 202 {
		t.Fatalf("status %d", status)
	}
	<-asked // the drain now waits for the subscriber
	_ = p.command.Process.Signal(os.Interrupt)
	neighbour.Eventually(t, "the announcement", func() bool { return strings.Contains(p.out.String(), "press Ctrl-C again") })
	if status := p.end(os.Interrupt); status != -1 {
		t.Errorf("status %d, want the end by a signal: %s", status, p.out.String())
	}
}

func TestDemoInLines(t *testing.T) {
	ctx, interrupt := context.WithCancel(t.Context())
	var out, errors log
	var running sync.WaitGroup
	running.Go(func() { run(ctx, "fairlead", onFreePorts(t.TempDir(), "--demo"), terminal{out: &out, err: &errors}) })
	neighbour.Eventually(t, "a delivered event", func() bool { return strings.Contains(out.String(), "→ default/demo 202") })
	interrupt()
	running.Wait()
}
