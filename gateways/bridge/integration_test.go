//go:build integration

package bridge

import (
	"context"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/fairlead/fairlead/internal/ingest"
	"github.com/fairlead/fairlead/internal/kafka"
	"github.com/fairlead/fairlead/test/neighbour"
)

func TestMain(m *testing.M) { os.Exit(neighbour.Main(m)) }

// startTime bounds the start of a server.
const startTime = 2 * time.Minute

func startMosquitto(t testing.TB, options ...neighbour.MosquittoOption) *neighbour.Mosquitto {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), startTime)
	defer cancel()
	m, err := neighbour.StartMosquitto(ctx, options...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := m.Close(); err != nil {
			t.Error(err)
		}
	})
	return m
}

// mosquittoPub publishes with a client that nobody here wrote. With QoS 1 it succeeds once the broker has taken the message.
func mosquittoPub(ctx context.Context, m *neighbour.Mosquitto, arguments ...string) error {
	arguments = append([]string{"-h", m.Host(), "-p", strconv.Itoa(m.Port())}, arguments...)
	if output, err := exec.CommandContext(ctx, "mosquitto_pub", arguments...).CombinedOutput(); err != nil {
		return fmt.Errorf("mosquitto_pub %q: %w: %s", arguments, err, output)
	}
	return nil
}

func published(t *testing.T, m *neighbour.Mosquitto, arguments ...string) {
	t.Helper()
	if err := mosquittoPub(t.Context(), m, arguments...); err != nil {
		t.Fatal(err)
	}
}

// A running bridge is between a mosquitto and a Kafka.
type running struct {
	*Bridge
	end func() error
}

// run starts a bridge and waits until it is ready. It ends with the test unless end is called before.
func run(t testing.TB, c Config, w ingest.Writer) *running {
	t.Helper()
	r := start(t, c, w)
	neighbour.Eventually(t, "the bridge to be ready", func() bool { return r.Ready(t.Context()) == nil })
	return r
}

func start(t testing.TB, c Config, w ingest.Writer) *running {
	t.Helper()
	b, err := New(c, &door{}, ingest.New(ingest.DefaultConfig(), w), nil)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	result := make(chan error, 1)
	go func() { result <- b.Run(ctx) }()
	ended := false
	end := func() error {
		if ended {
			return nil
		}
		ended = true
		cancel()
		return <-result
	}
	t.Cleanup(func() {
		if err := end(); err != nil {
			t.Error(err)
		}
	})
	return &running{Bridge: b, end: end}
}

// producer writes to a Kafka, and gives up soon, so that messages are tried again under test.
func producer(t testing.TB, brokers []string) *kafka.Producer {
	t.Helper()
	c := kafka.DefaultConfig()
	c.Brokers, c.DeliveryTimeout = brokers, 2*time.Second
	p, err := kafka.NewProducer(c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithCancel(context.Background())
		cancel()
		_ = p.Close(ctx)
	})
	return p
}

// events reads a number of records from a topic, from its beginning.
func events(t testing.TB, brokers []string, topic string, count int) []*kgo.Record {
	t.Helper()
	client, err := kgo.NewClient(kgo.SeedBrokers(brokers...), kgo.ConsumeTopics(topic), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()))
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	ctx, cancel := context.WithTimeout(t.Context(), startTime)
	defer cancel()
	var all []*kgo.Record
	for len(all) < count {
		fetches := client.PollFetches(ctx)
		if err := fetches.Err(); err != nil {
			t.Fatalf("%d of %d records: %v", len(all), count, err)
		}
		all = append(all, fetches.Records()...)
	}
	return all
}

// TestMosquitto takes what real clients publish, in every quality of service and both versions.
func TestMosquitto(t *testing.T) {
	k, m := neighbour.SharedKafka(t), startMosquitto(t)
	emptyTopic(t, k)
	published(t, m, "-q", "1", "-t", "site/a/retained", "-m", "old", "-r")
	c := testConfig()
	c.Broker.URL, c.MaxPacket = m.URL(), 100_000
	run(t, c, producer(t, k.Brokers()))

	large := filepath.Join(t.TempDir(), "large")
	if err := os.WriteFile(large, make([]byte, 200_000), 0o600); err != nil {
		t.Fatal(err)
	}
	refused := filepath.Join(t.TempDir(), "refused")
	if err := os.WriteFile(refused, make([]byte, 80_000), 0o600); err != nil {
		t.Fatal(err)
	}
	publications := [][]string{
		{"-V", "5", "-q", "1", "-t", "site/a/temp", "-m", `{"t": 1}`, "-D", "publish", "content-type", "application/json", "-D", "publish", "user-property", "unit", "celsius"},
		{"-V", "5", "-q", "1", "-t", "site/a/huge", "-f", large},       // the broker drops it
		{"-V", "5", "-q", "1", "-t", "site/a/toolarge", "-f", refused}, // the pipeline refuses it
		{"-V", "5", "-q", "1", "-t", "elsewhere/a", "-m", "not ours"},
		{"-V", "5", "-q", "1", "-t", "site/stranger/x", "-m", "forbidden"},
		{"-V", "311", "-q", "1", "-t", "site/b/x/y", "-m", "by 3.1.1"},
		{"-V", "311", "-q", "2", "-t", "site/b/x", "-m", "exactly once"},
		{"-V", "5", "-q", "0", "-t", "own/x", "-m", "at most once"},
		{"-V", "5", "-q", "1", "-t", "site/a/retained", "-m", "new", "-r"},
	}
	for _, arguments := range publications {
		published(t, m, arguments...)
	}
	var got []string
	for _, r := range events(t, k.Brokers(), "events-plant", 5) {
		h := headers(r)
		got = append(got, fmt.Sprintf("%s %s %s %s %s %s", h["ce_device"], h["ce_sender"], h["ce_subject"], h["content-type"], h["ce_unit"], r.Value))
	}
	slices.Sort(got) // devices have no order among each other
	want := []string{
		`a site retained application/octet-stream  new`,
		`a site temp application/json celsius {"t":1}`,
		`b site x application/octet-stream  exactly once`,
		`b site x/y application/octet-stream  by 3.1.1`,
		`site site x application/octet-stream  at most once`,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("events (-want +got):\n%s", diff)
	}
}

// TestRetained takes what the broker had retained once, and not again after an interruption.
func TestRetained(t *testing.T) {
	m, stored := startMosquitto(t), &recordWriter{}
	published(t, m, "-q", "1", "-t", "site/a/x", "-m", "retained", "-r")
	c := testConfig()
	c.Broker.URL, c.Retained = m.URL(), true
	for range 2 {
		b := run(t, c, stored)
		neighbour.Eventually(t, "the retained message", func() bool { return len(stored.values()) > 0 })
		if err := b.end(); err != nil {
			t.Fatal(err)
		}
	}
	b := run(t, c, stored)
	published(t, m, "-q", "1", "-t", "site/a/x", "-m", "last")
	neighbour.Eventually(t, "the last message", func() bool { return len(stored.values()) > 1 })
	if err := b.end(); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"retained", "last"}, stored.values()); diff != "" {
		t.Errorf("stored (-want +got):\n%s", diff)
	}
}

// TestAway has messages published while no bridge runs.
func TestAway(t *testing.T) {
	m, stored := startMosquitto(t), &recordWriter{}
	c := testConfig()
	c.Broker.URL = m.URL()
	if err := run(t, c, stored).end(); err != nil {
		t.Fatal(err)
	}
	var want []string
	for i := range 50 {
		want = append(want, strconv.Itoa(i))
		published(t, m, "-q", "1", "-t", "site/a/x", "-m", want[i])
	}
	run(t, c, stored)
	neighbour.Eventually(t, "every message", func() bool { return len(stored.values()) >= len(want) })
	if diff := cmp.Diff(want, stored.values()); diff != "" {
		t.Errorf("stored (-want +got):\n%s", diff)
	}
}

// TestSharedSubscription has two bridges share the messages.
func TestSharedSubscription(t *testing.T) {
	m := startMosquitto(t)
	var stores []*recordWriter
	for _, id := range []string{"bridge-1", "bridge-2"} {
		c := testConfig()
		c.Broker.URL, c.Broker.ClientID, c.SharedGroup = m.URL(), id, "bridges"
		stores = append(stores, &recordWriter{})
		run(t, c, stores[len(stores)-1])
	}
	const messages = 40
	for i := range messages {
		published(t, m, "-q", "1", "-t", "site/a/x", "-m", strconv.Itoa(i))
	}
	total := func() int { return len(stores[0].values()) + len(stores[1].values()) }
	neighbour.Eventually(t, "every message", func() bool { return total() >= messages })
	found := map[string]int{}
	for _, s := range stores {
		if len(s.values()) == 0 {
			t.Error("a bridge got nothing")
		}
		for _, value := range s.values() {
			found[value]++
		}
	}
	if total() != messages || len(found) != messages {
		t.Errorf("%d messages, %d of them different, want %d", total(), len(found), messages)
	}
}

// TestPassword logs in at the broker, which refuses a wrong password.
func TestPassword(t *testing.T) {
	file := filepath.Join(t.TempDir(), "passwords")
	if output, err := exec.CommandContext(t.Context(), "mosquitto_passwd", "-b", "-c", file, "bridge", "right").CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, output)
	}
	m := startMosquitto(t, neighbour.MosquittoSetting("allow_anonymous", "false"), neighbour.MosquittoSetting("password_file", file))
	c := testConfig()
	c.Broker.URL, c.Broker.Username, c.Broker.Password = m.URL(), "bridge", "wrong"
	b := start(t, c, &recordWriter{})
	neighbour.Eventually(t, "the broker to refuse the bridge", func() bool {
		b.upstream.mu.Lock()
		defer b.upstream.mu.Unlock()
		return b.upstream.failing
	})
	if b.Ready(t.Context()) == nil {
		t.Error("ready with a wrong password")
	}
	if err := b.end(); err != nil {
		t.Error(err)
	}
	c.Broker.Password = "right"
	run(t, c, &recordWriter{})
}

// TestMosquittoTransports goes over TLS and WebSocket.
func TestMosquittoTransports(t *testing.T) {
	s := httptest.NewTLSServer(http.NotFoundHandler()) // lends its certificate
	defer s.Close()
	dir, pair := t.TempDir(), s.TLS.Certificates[0]
	key, err := x509.MarshalPKCS8PrivateKey(pair.PrivateKey)
	if err != nil {
		t.Fatal(err)
	}
	files := map[string]*pem.Block{"cert.pem": {Type: "CERTIFICATE", Bytes: pair.Certificate[0]}, "key.pem": {Type: "PRIVATE KEY", Bytes: key}}
	for name, block := range files {
		if err := os.WriteFile(filepath.Join(dir, name), pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	encrypted := []neighbour.MosquittoOption{
		neighbour.MosquittoSetting("certfile", filepath.Join(dir, "cert.pem")), neighbour.MosquittoSetting("keyfile", filepath.Join(dir, "key.pem")),
	}
	webSocket := neighbour.MosquittoSetting("protocol", "websockets")
	for scheme, options := range map[string][]neighbour.MosquittoOption{
		schemeTLS: encrypted, schemeWS: {webSocket}, schemeWSS: append([]neighbour.MosquittoOption{webSocket}, encrypted...),
	} {
		t.Run(scheme, func(t *testing.T) {
			port, err := neighbour.FreePort()
			if err != nil {
				t.Fatal(err)
			}
			listener := neighbour.MosquittoSetting("listener", strconv.Itoa(port)+" 127.0.0.1")
			m, stored := startMosquitto(t, append([]neighbour.MosquittoOption{listener}, options...)...), &recordWriter{}
			c := testConfig()
			c.Broker.URL, c.Broker.CAFile = scheme+"://127.0.0.1:"+strconv.Itoa(port), filepath.Join(dir, "cert.pem")
			run(t, c, stored)
			large := strings.Repeat("x", 60_000)
			published(t, m, "-q", "1", "-t", "site/a/x", "-m", large)
			neighbour.Eventually(t, "the message", func() bool { return len(stored.values()) > 0 })
			if got := stored.values(); got[0] != large {
				t.Errorf("stored %d bytes", len(got[0]))
			}
		})
	}
}

// emptyTopic makes the application's topic anew.
func emptyTopic(t testing.TB, k *neighbour.Kafka) {
	t.Helper()
	client, err := kgo.NewClient(kgo.SeedBrokers(k.Brokers()...))
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	admin := kadm.NewClient(client)
	if _, err := admin.DeleteTopics(t.Context(), "events-plant"); err != nil {
		t.Fatal(err)
	}
	neighbour.Eventually(t, "the topic to be made", func() bool { return k.CreateTopic(t.Context(), "events-plant", 1) == nil })
}
