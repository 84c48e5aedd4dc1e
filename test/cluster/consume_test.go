//go:build cluster

package cluster

import (
	"bufio"
	"context"
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/fairlead/fairlead/test/numbered"
)

// brokers are the addresses of Kafka.
func brokers(t testing.TB) []string {
	t.Helper()
	return strings.Split(functionSetting(t, "FAIRLEAD_KAFKA_BROKERS"), ",")
}

// hasTopic tells whether Kafka has a topic.
func hasTopic(t testing.TB, name string) bool {
	t.Helper()
	kafka, err := kgo.NewClient(kgo.SeedBrokers(brokers(t)...))
	if err != nil {
		t.Fatal(err)
	}
	defer kafka.Close()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	topics, err := kadm.NewClient(kafka).ListTopics(ctx, name)
	if err != nil {
		t.Fatal(err)
	}
	return topics.Has(name)
}

// toKafka has gateways write to Kafka until the test ends, whatever the overlay says.
func toKafka(t testing.TB, gateways ...string) {
	t.Helper()
	set := func(sink string) {
		for _, gateway := range gateways {
			kubectl(t, "set", "env", "deployment/"+gateway, sink)
			rolledOut(t, gateway)
		}
	}
	set("FAIRLEAD_SINK_URL=")
	t.Cleanup(func() { set("FAIRLEAD_SINK_URL-") })
}

// consume reads events at the integration gateway, which has them from Kafka.
func (w *world) consume(t *testing.T) {
	toKafka(t, "fairlead-gateway-mqtt")
	a := w.tenant
	a.device(t, "consumed", credentials)
	link := dial(t, a, "consumed")
	defer link.Close()
	events := subscribe(t, a, accessToken(t, a))
	started := time.Now()
	if err := publish(link, numbered.Message{Device: "consumed", Number: 1}); err != nil {
		t.Fatal(err)
	}
	for events.Scan() {
		text, isEvent := strings.CutPrefix(events.Text(), "data: ")
		if !isEvent {
			continue
		}
		var e struct{ Application, Device, Subject string }
		if err := json.Unmarshal([]byte(text), &e); err != nil {
			t.Fatalf("%v: %s", err, text)
		}
		if e.Application == a.name && e.Device == "consumed" && e.Subject == "numbered" {
			t.Logf("the consumer has it %v after it was sent", time.Since(started).Round(time.Millisecond))
			return
		}
	}
	t.Fatalf("the stream has ended without it: %v. Look at: kubectl -n fairlead logs deployment/fairlead-gateway-integration", events.Err())
}

// accessToken makes an access token that may read, of the user who has made the application.
func accessToken(t testing.TB, a *tenant) string {
	t.Helper()
	var made struct{ Token string }
	url := strings.TrimSuffix(a.api, "/api/registry/v1alpha1/apps") + "/api/tokens/v1alpha1"
	answer := must(t, http.MethodPost, url, a.admin, jsonContent, `{"scope":{"permission":"Read"}}`)
	if err := json.Unmarshal([]byte(answer), &made); err != nil {
		t.Fatal(err)
	}
	return made.Token
}

// subscribe gives the lines of the Server-Sent Events from now on, until the test ends.
func subscribe(t testing.TB, a *tenant, token string) *bufio.Scanner {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), longestWait)
	t.Cleanup(cancel)
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://fairlead-integration."+namespace+".svc.cluster.local/"+a.name, nil)
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Authorization", "Bearer "+token)
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = response.Body.Close() })
	if response.StatusCode != http.StatusOK {
		t.Fatalf("%s answers %s", request.URL, response.Status)
	}
	return bufio.NewScanner(response.Body)
}
