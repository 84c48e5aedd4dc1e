package telemetry

import (
	"context"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/fairlead/fairlead/internal/command"
	"github.com/fairlead/fairlead/internal/ingest"
)

// A commander sends a command while a message is being stored: in the instant in which nobody must miss it.
type commander struct {
	commands *command.Hub
	command  command.Command
	reached  int
}

func (s *commander) Write(_ context.Context, _ *kgo.Record, done func(error)) {
	s.reached += s.commands.Deliver(s.command).Taken()
	done(nil)
}

// TestCommands has a command come while the message is being stored.
func TestCommands(t *testing.T) {
	const correlation = "AAAAAAAAAAAAAAAAAAAAAAAAAA.BBBBBBBBBBBBBBBBBBBBBBBBBB"
	f := func(target string, c command.Command, status int, headers map[string]string) {
		t.Helper()
		fx := newFixture()
		c.Application, c.Gateway, c.Name, c.Payload = "example-app", "device1", "set/ü", []byte("<html>")
		writer := &commander{commands: command.NewHub(), command: c}
		fx.http = New(DefaultConfig(), fx.door, ingest.New(ingest.DefaultConfig(), writer), writer.commands)
		got := fx.do(request("POST", target, "x"))
		body, _ := io.ReadAll(got.Body)
		if got.StatusCode != status || (status == http.StatusOK) != (string(body) == "<html>") || writer.reached != len(body)/len("<html>") {
			t.Errorf("%s: %d %q, reached %d, want %d", target, got.StatusCode, body, writer.reached, status)
		}
		for name, value := range headers {
			if have := strings.Join(got.Header.Values(name), ","); have != value {
				t.Errorf("%s: %s is %q, want %q", target, name, have, value)
			}
		}
	}
	own := command.Command{Device: "device1"}
	f("/v1/temp?ct=60", own, 200, map[string]string{"Command": "set/ü", "Content-Type": "", "Command-Correlation": ""})
	typed := command.Command{Device: "device1", ContentType: "text/plain", Respond: true, Correlation: correlation}
	f("/v1/temp?ct=60", typed, 200, map[string]string{"Content-Type": "text/plain", "Command-Correlation": correlation})
	f("/v1/temp?ct=60&as=other", command.Command{Device: "other"}, 200, nil)
	f("/v1/temp", own, 202, nil)
	f("/v1/temp?ct=1", command.Command{Device: "other"}, 202, nil) // a gateway gets them when it asks for that device
	f("/v1/temp?ct=1&as=other", own, 202, nil)
}

// answers keeps answers to commands.
type answersTo struct{ got []command.Answer }

func (a *answersTo) Answer(_ string, answer command.Answer) { a.got = append(a.got, answer) }

func TestAnswers(t *testing.T) {
	const correlation = "AAAAAAAAAAAAAAAAAAAAAAAAAA.BBBBBBBBBBBBBBBBBBBBBBBBBB"
	f := func(target string, failure error, status int, device string) {
		t.Helper()
		fx, answers := newFixture(), &answersTo{}
		fx.writer.err = failure
		pipeline := ingest.New(ingest.DefaultConfig(), fx.writer)
		pipeline.AnswerTo(answers)
		fx.http = New(DefaultConfig(), fx.door, pipeline, command.NewHub())
		if got := fx.do(request("POST", target, "21.5")); got.StatusCode != status {
			t.Errorf("%s: %d, want %d", target, got.StatusCode, status)
		}
		if device == "" {
			if len(answers.got) > 0 {
				t.Errorf("%s answered %+v", target, answers.got)
			}
			return
		}
		if len(answers.got) != 1 || answers.got[0].Application != "example-app" || answers.got[0].Device != device || string(answers.got[0].Payload) != "21.5" {
			t.Errorf("%s answered %+v", target, answers.got)
		}
		if r := fx.writer.records[0]; headerOf(r, "ce_correlationid") != correlation || headerOf(r, "ce_subject") != command.ResponseChannel {
			t.Errorf("%s: the event has headers %v", target, r.Headers)
		}
	}
	f("/v1/command/response?correlation="+correlation, nil, 202, "device1")
	f("/v1/command/response?as=other&correlation="+correlation, nil, 202, "other")
	f("/v1/command/response?correlation="+correlation, context.DeadlineExceeded, 503, "") // nothing is answered that is not stored
	f("/v1/command/response?correlation=1", nil, 400, "")
	f("/v1/temp?correlation="+correlation, nil, 400, "")
	f("/v1/command/response", nil, 202, "")
}

// TestWaitEndsWithTheClient has a client go away.
func TestWaitEndsWithTheClient(t *testing.T) {
	f := newFixture()
	ctx, leave := context.WithCancel(t.Context())
	served := make(chan struct{})
	go func() {
		defer close(served)
		f.do(request("POST", "/v1/temp?ct=60", "x").WithContext(ctx))
	}()
	waitsFor(t, f)
	leave()
	select {
	case <-served:
	case <-time.After(30 * time.Second):
		t.Error("the request waits on")
	}
}
