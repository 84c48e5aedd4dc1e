package dispatch

import (
	"bytes"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/fairlead/fairlead/internal/kafka"
)

// A lockedBuffer is written to and read at once.
type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lockedBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lockedBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// What is logged says at the first failure that a side fails, in the end which side answered what, and never a password.
func TestLogSaysWhoAnsweredWhatAndNoPassword(t *testing.T) {
	b := newBench(t, 1)
	var log lockedBuffer
	d, err := New(Options{
		Kafka: kafka.Config{Brokers: b.cluster.ListenAddrs()}, Observe: b.observe,
		Logger: slog.New(slog.NewTextHandler(&log, nil)),
	})
	if err != nil {
		t.Fatal(err)
	}
	defer b.close(d)
	b.receiver.answerWith(503)
	sink := newReceiver(t)
	sink.answerWith(410, 200)
	withPassword := func(address string) string { return strings.Replace(address, "http://", "http://user:s3cret@", 1) }
	s := b.subscription()
	s.Subscriber, s.DeadLetter = withPassword(b.receiver.server.URL), withPassword(sink.server.URL)
	s.Policy.Retries, s.Policy.BackoffDelay, s.Policy.Ordered = 2, time.Millisecond, true
	b.serve(d, s)
	b.produce(binary("a"), binary("b"))
	first, second := b.report(0), b.report(1)
	if first.Result != Lost || second.Result != DeadLettered {
		t.Errorf("reports %+v, %+v", first, second)
	}
	for _, want := range []string{
		`"a delivery failed and is tried again"`, `error="the subscriber answered status 503"`,
		"the subscriber answered status 503; the dead letter sink answered status 410",
		`"event went to the dead letter sink"`,
	} {
		if !strings.Contains(log.String(), want) {
			t.Errorf("the log does not say %s:\n%s", want, log.String())
		}
	}
	if n := strings.Count(log.String(), "tried again"); n != 1 {
		t.Errorf("told %d times that it is tried again", n)
	}
	letter := sink.wait(t, 2)[1]
	if got := letter.header.Get("Ce-Knativeerrordest"); got != b.receiver.server.URL {
		t.Errorf("knativeerrordest %q", got)
	}
	all := log.String() + fmt.Sprint(b.receiver.requests, sink.requests, first.Err, second.Err, d.Status())
	if strings.Contains(all, "s3cret") || strings.Contains(all, "user:") || letter.header.Get("Authorization") != "" {
		t.Errorf("the password got out: %s", all)
	}
}
