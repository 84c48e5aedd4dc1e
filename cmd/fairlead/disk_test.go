package main

import (
	"context"
	"fmt"
	"os"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
)

// limitVariable is the size in bytes that no file of the command under test may exceed: it stands for a full disk, for
// everybody and on every machine.
const limitVariable = "FAIRLEAD_TEST_LIMIT"

// limitFiles has this process meet a full disk, if it is told to.
func limitFiles() {
	limit, err := strconv.ParseUint(os.Getenv(limitVariable), 10, 64)
	if err != nil {
		return
	}
	if err := syscall.Setrlimit(syscall.RLIMIT_FSIZE, &syscall.Rlimit{Cur: limit, Max: limit}); err != nil {
		panic(err)
	}
}

func TestDevOnAFullDiskLosesNothingThatItAccepted(t *testing.T) {
	const limit = 4 << 20 // more than the registry's database needs
	data, triggers := t.TempDir(), t.TempDir()
	t.Setenv(limitVariable, strconv.Itoa(limit))
	p := launch(t, onFreePorts(data, "--triggers", triggers))
	n := note(t, data, p.command.Process.Pid)
	body := strings.Repeat("x", 60_000)
	accepted := 0
	for ; ; accepted++ {
		status, err := tryPost(t.Context(), n.HTTP+"/v1/telemetry", n.Example.Username, n.Example.Password, fmt.Sprintf("%q", body+strconv.Itoa(accepted)))
		if err == nil && status == 202 {
			continue
		}
		if err == nil && status != 503 {
			t.Errorf("status %d", status)
		}
		break
	}
	if accepted == 0 {
		t.Fatal("nothing was accepted")
	}
	<-p.ended
	if status := p.command.ProcessState.ExitCode(); status != 1 {
		t.Errorf("status %d", status)
	}
	if text := p.out.String(); !strings.Contains(text, "its disk has failed") || !strings.Contains(text, data) || !strings.Contains(text, "start again") {
		t.Errorf("it said %q", text)
	}

	t.Setenv(limitVariable, "")
	p = launch(t, onFreePorts(data, "--triggers", triggers))
	n = note(t, data, p.command.Process.Pid)
	if got := values(t, n.Kafka[0]); !containsAll(got, body, accepted) {
		t.Errorf("%d messages were accepted, %d are stored", accepted, len(got))
	}
	if status := p.end(syscall.SIGTERM); status != 0 {
		t.Errorf("status %d: %s", status, p.out.String())
	}
}

func containsAll(got map[string]bool, body string, accepted int) bool {
	for i := range accepted {
		if !got[fmt.Sprintf("%q", body+strconv.Itoa(i))] {
			return false
		}
	}
	return true
}

// values are the values of all records of the example's topic.
func values(t *testing.T, broker string) map[string]bool {
	t.Helper()
	const topic = "events-example-app"
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	client, err := kgo.NewClient(kgo.SeedBrokers(broker), kgo.ConsumeTopics(topic), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()))
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	ends, err := kadm.NewClient(client).ListEndOffsets(ctx, topic)
	if err != nil {
		t.Fatal(err)
	}
	left := int64(0)
	ends.Each(func(o kadm.ListedOffset) { left += o.Offset })
	got := map[string]bool{}
	for left > 0 && ctx.Err() == nil {
		client.PollFetches(ctx).EachRecord(func(r *kgo.Record) {
			got[string(r.Value)] = true
			left--
		})
	}
	return got
}
