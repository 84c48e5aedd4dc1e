//go:build integration

package e2e

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/fairlead/fairlead/internal/store"
	"github.com/fairlead/fairlead/internal/store/accounts"
	"github.com/fairlead/fairlead/internal/store/migrate"
	"github.com/fairlead/fairlead/internal/store/postgres"
	people "github.com/fairlead/fairlead/internal/user"
	"github.com/fairlead/fairlead/test/functionbin"
	"github.com/fairlead/fairlead/test/neighbour"
)

// An office is where a registry is managed: a database, a topic for its changes, and somebody with an access token.
type office struct {
	t        *testing.T
	store    *store.Store
	topic    string
	settings []string
	secret   string
}

// newOffice makes an office with a database of its own.
func newOffice(t *testing.T) *office {
	t.Helper()
	url := here.postgres.Database(t)
	s, err := postgres.Open(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	if err := migrate.Up(bounded(t), s); err != nil {
		t.Fatal(err)
	}
	o := officeOf(t, s)
	o.settings = append(o.settings, "FAIRLEAD_DATABASE_URL="+url, "FAIRLEAD_CACHE_INSTANCE="+o.topic)
	return o
}

// officeOf makes an office of a database that has its schema.
func officeOf(t *testing.T, s *store.Store) *office {
	t.Helper()
	o := &office{t: t, store: s, topic: here.kafka.Topic(t, 3)}
	o.settings = []string{
		"FAIRLEAD_CACHE_URL=" + here.redis.URL(), "FAIRLEAD_CHANGES_TOPIC=" + o.topic, "FAIRLEAD_CHANGES_INTERVAL=100ms",
		"FAIRLEAD_REGISTRY_ENDPOINTS_API=https://api.example.com",
	}
	tokens := people.NewTokens(people.DefaultTokensConfig(), accounts.New(s))
	_, secret, err := tokens.Create(bounded(t), &people.Identity{ID: "id-alice", Name: "alice"}, people.TokenRequest{})
	if err != nil {
		t.Fatal(err)
	}
	o.secret = secret
	return o
}

// open starts one more function, which ends with the test.
func (o *office) open() *functionbin.Function {
	o.t.Helper()
	f, err := here.function(bounded(o.t), "registry", o.settings...)
	if err != nil {
		o.t.Fatal(err)
	}
	o.t.Cleanup(f.Kill)
	return f
}

// try sends a request as somebody who has an access token. A status of 0 is no answer.
func (o *office) try(ctx context.Context, f *functionbin.Function, method, path, body string) (status int, answer string) {
	r, err := http.NewRequestWithContext(ctx, method, f.URL()+"/api/registry/v1alpha1/apps"+path, strings.NewReader(body))
	if err != nil {
		o.t.Error(err)
		return 0, ""
	}
	r.SetBasicAuth("alice", o.secret)
	response, err := http.DefaultClient.Do(r)
	if err != nil {
		return 0, err.Error()
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		return 0, err.Error()
	}
	return response.StatusCode, string(text)
}

// do sends a request that must be answered with a status.
func (o *office) do(f *functionbin.Function, method, path, body string, want int) string {
	o.t.Helper()
	status, answer := o.try(bounded(o.t), f, method, path, body)
	if status != want {
		o.t.Fatalf("%s %s: %d %s, want %d", method, path, status, answer, want)
	}
	return answer
}

// waiting is how many changes are still to be told.
func (o *office) waiting() int {
	o.t.Helper()
	n, err := o.store.Waiting(bounded(o.t), 100_000)
	if err != nil {
		o.t.Fatal(err)
	}
	return n
}

func (o *office) settled() {
	o.t.Helper()
	neighbour.Eventually(o.t, "all changes to be told", func() bool { return o.waiting() == 0 })
}

// A told is an event of a change, as the topic has it.
type told struct {
	id, kind, path string
	revision       uint64
}

// told reads the topic, by resource and there in the order of the topic.
func (o *office) told() map[string][]told {
	o.t.Helper()
	ctx := bounded(o.t)
	client, err := kgo.NewClient(kgo.SeedBrokers(here.kafka.Brokers()...), kgo.ConsumeTopics(o.topic), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()))
	if err != nil {
		o.t.Fatal(err)
	}
	defer client.Close()
	ends, err := kadm.NewClient(client).ListEndOffsets(ctx, o.topic)
	if err != nil {
		o.t.Fatal(err)
	}
	left := int64(0)
	ends.Each(func(end kadm.ListedOffset) { left += end.Offset })
	all := map[string][]told{}
	for left > 0 {
		fetches := client.PollFetches(ctx)
		if err := fetches.Err(); err != nil {
			o.t.Fatal(err)
		}
		fetches.EachRecord(func(r *kgo.Record) {
			left--
			all[string(r.Key)] = append(all[string(r.Key)], o.read(r))
		})
	}
	return all
}

func (o *office) read(r *kgo.Record) told {
	o.t.Helper()
	header := func(name string) string {
		i := slices.IndexFunc(r.Headers, func(h kgo.RecordHeader) bool { return h.Key == name })
		if i < 0 {
			o.t.Fatalf("a record without %s", name)
		}
		return string(r.Headers[i].Value)
	}
	var data struct {
		Revision uint64 `json:"revision"`
		UID      string `json:"uid"`
	}
	if err := json.Unmarshal(r.Value, &data); err != nil || data.UID == "" {
		o.t.Fatalf("data %q: %v", r.Value, err)
	}
	return told{id: header("ce_id"), kind: header("ce_type"), path: header("ce_subject"), revision: data.Revision}
}

// wantInOrder checks the promise: every revision up to the last is there, and none is heard of for the first time before
// the one that precedes it. Repetitions have the ids of the first time.
func wantInOrder(t *testing.T, resource string, events []told, last uint64) (repeated int) {
	t.Helper()
	ids := map[string]string{}
	highest := uint64(0)
	for _, e := range events {
		if e.revision > highest+1 {
			t.Errorf("%s: revision %d comes after %d", resource, e.revision, highest)
		}
		place := fmt.Sprint(e.revision, e.path)
		if id, again := ids[place]; again {
			repeated++
			if id != e.id {
				t.Errorf("%s: %s has two ids", resource, place)
			}
		}
		ids[place] = e.id
		highest = max(highest, e.revision)
	}
	if highest != last {
		t.Errorf("%s: the last revision in the topic is %d, want %d", resource, highest, last)
	}
	return repeated
}
