//go:build integration

package neighbour

import (
	"context"
	"io"
	"os/exec"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/redis/go-redis/v9"
	"github.com/twmb/franz-go/pkg/kgo"
)

// waitLimit bounds what a broken server would hang.
const waitLimit = 2 * time.Minute

func bounded(t *testing.T) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), waitLimit)
	t.Cleanup(cancel)
	return ctx
}

// closing ends a server with the test.
func closing[S io.Closer](t *testing.T, server S, err error) S {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := server.Close(); err != nil {
			t.Error(err)
		}
	})
	return server
}

func TestKafkaKeepsRecordsThroughAKill(t *testing.T) {
	ctx := bounded(t)
	server, err := StartKafka(ctx, KafkaFastStart(), KafkaHeap("384m"), KafkaProperty("log.retention.hours", "1"))
	kafka := closing(t, server, err)
	topic := kafka.Topic(t, 1)
	if err := kafka.CreateTopic(ctx, topic, 1); err == nil {
		t.Error("the same topic was created twice")
	}
	produce(ctx, t, kafka, topic, "before the kill")

	brokers, pid := kafka.Brokers()[0], kafka.Pid()
	kafka.Kill()
	if err := kafka.Start(ctx); err != nil {
		t.Fatal(err)
	}
	if kafka.Brokers()[0] != brokers || kafka.Pid() == pid {
		t.Errorf("after the kill at %s with process id %d, before at %s with %d", kafka.Brokers()[0], kafka.Pid(), brokers, pid)
	}
	produce(ctx, t, kafka, topic, "after the kill")
	if err := kafka.Stop(); err != nil {
		t.Fatal(err)
	}
	if err := kafka.Start(ctx); err != nil {
		t.Fatal(err)
	}
	expectRecords(ctx, t, kafka, topic, "before the kill", "after the kill")
	if used, err := kafka.CPUTime(); err != nil || used <= 0 {
		t.Errorf("processor time %s, %v", used, err)
	}
}

func produce(ctx context.Context, t *testing.T, kafka *Kafka, topic, value string) {
	t.Helper()
	client, err := kgo.NewClient(kgo.SeedBrokers(kafka.Brokers()...))
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	if err := client.ProduceSync(ctx, &kgo.Record{Topic: topic, Value: []byte(value)}).FirstErr(); err != nil {
		t.Fatalf("producing %q: %v", value, err)
	}
}

// expectRecords reads with a consumer group, so that the group coordinator is proven as well.
func expectRecords(ctx context.Context, t *testing.T, kafka *Kafka, topic string, want ...string) {
	t.Helper()
	client, err := kgo.NewClient(kgo.SeedBrokers(kafka.Brokers()...), kgo.ConsumeTopics(topic), kgo.ConsumerGroup(topic),
		kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()))
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	var got []string
	for len(got) < len(want) {
		fetches := client.PollFetches(ctx)
		if err := ctx.Err(); err != nil {
			t.Fatalf("consumed %q, want %q: %v", got, want, err)
		}
		fetches.EachRecord(func(r *kgo.Record) { got = append(got, string(r.Value)) })
	}
	if strings.Join(got, "|") != strings.Join(want, "|") {
		t.Errorf("consumed %q, want %q", got, want)
	}
	if err := client.CommitUncommittedOffsets(ctx); err != nil {
		t.Errorf("committing: %v", err)
	}
}

func TestKafkaTellsWhyItDoesNotStart(t *testing.T) {
	_, err := StartKafka(bounded(t), KafkaFastStart(), KafkaProperty("process.roles", "spectator"))
	if err == nil || !strings.Contains(err.Error(), "spectator") {
		t.Errorf("a broken configuration: %v", err)
	}
}

func TestRedis(t *testing.T) {
	ctx := bounded(t)
	f := func(survives bool, options ...RedisOption) {
		t.Helper()
		server, err := StartRedis(ctx, options...)
		r := closing(t, server, err)
		client := redisClient(t, r.Database(t))
		if err := client.Set(ctx, "k", "v", 0).Err(); err != nil {
			t.Fatal(err)
		}
		r.Kill()
		if err := r.Start(ctx); err != nil {
			t.Fatal(err)
		}
		found, err := redisClient(t, strings.Replace(r.URL(), "/0", "/1", 1)).Exists(ctx, "k").Result()
		if err != nil || (found == 1) != survives {
			t.Errorf("after a kill the key is there %d times (%v), want it to survive: %v", found, err, survives)
		}
		if err := r.Stop(); err != nil {
			t.Error(err)
		}
	}
	f(false)
	f(false, RedisSetting("maxmemory", "64mb"))
	f(true, RedisAppendOnly())
}

func redisClient(t *testing.T, url string) *redis.Client {
	t.Helper()
	options, err := redis.ParseURL(url)
	if err != nil {
		t.Fatal(err)
	}
	client := redis.NewClient(options)
	t.Cleanup(func() { _ = client.Close() })
	return client
}

// TestMosquittoKeepsWhatItTook has a client away while another publishes, and the broker stopped in between.
func TestMosquittoKeepsWhatItTook(t *testing.T) {
	ctx := bounded(t)
	server, err := StartMosquitto(ctx, MosquittoSetting("sys_interval", "0"))
	m := closing(t, server, err)
	client := func(program string, arguments ...string) string {
		t.Helper()
		address := []string{"-h", m.Host(), "-p", strconv.Itoa(m.Port()), "-q", "1", "-t", "kept"}
		output, err := exec.CommandContext(ctx, program, append(address, arguments...)...).CombinedOutput()
		if err != nil {
			t.Fatalf("%s: %v\n%s", program, err, output)
		}
		return strings.TrimSpace(string(output))
	}
	client("mosquitto_sub", "-c", "-i", "reader", "-E")
	client("mosquitto_pub", "-m", "here")
	pid := m.Pid()
	if err := m.Stop(); err != nil {
		t.Fatal(err)
	}
	if err := m.Start(ctx); err != nil {
		t.Fatal(err)
	}
	if m.Pid() == pid {
		t.Error("it was never stopped")
	}
	if got := client("mosquitto_sub", "-c", "-i", "reader", "-C", "1"); got != "here" {
		t.Errorf("received %q", got)
	}
}

func TestMosquittoTellsWhyItDoesNotStart(t *testing.T) {
	_, err := StartMosquitto(bounded(t), MosquittoSetting("no_such_setting", "x"))
	if err == nil || !strings.Contains(err.Error(), "no_such_setting") {
		t.Errorf("a broken configuration: %v", err)
	}
}

func TestPostgresKeepsRowsThroughAKill(t *testing.T) {
	ctx := bounded(t)
	server, err := StartPostgres(ctx, PostgresNoSync(), PostgresSetting("log_statement", "all"))
	p := closing(t, server, err)
	conn := connect(ctx, t, p.URL())
	if _, err := conn.Exec(ctx, "CREATE TABLE kept (word text); INSERT INTO kept VALUES ('here')"); err != nil {
		t.Fatal(err)
	}
	// The open session has a process of its own, in a process group of its own.
	p.Kill()
	if err := p.Start(ctx); err != nil {
		t.Fatal(err)
	}
	var word string
	if err := connect(ctx, t, p.URL()).QueryRow(ctx, "SELECT word FROM kept").Scan(&word); err != nil || word != "here" {
		t.Errorf("after the kill: %q, %v", word, err)
	}
	if used, err := p.CPUTime(); err != nil || used <= 0 {
		t.Errorf("processor time %s, %v", used, err)
	}
	if err := p.Stop(); err != nil {
		t.Error(err)
	}
}

func connect(ctx context.Context, t *testing.T, url string) *pgx.Conn {
	t.Helper()
	conn, err := pgx.Connect(ctx, url)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close(context.WithoutCancel(ctx)) })
	return conn
}

func TestShared(t *testing.T) {
	ctx := bounded(t)
	if first, second := SharedKafka(t), SharedKafka(t); first != second {
		t.Error("the shared broker is another one on the second call")
	}
	if first, second := SharedKafka(t).Topic(t, 2), SharedKafka(t).Topic(t, 2); first == second {
		t.Errorf("topic %s twice", first)
	}
	if first, second := SharedRedis(t).Database(t), SharedRedis(t).Database(t); first == second {
		t.Errorf("redis database %s twice", first)
	}
	if err := redisClient(t, SharedRedis(t).URL()).Ping(ctx).Err(); err != nil {
		t.Error(err)
	}

	var url string
	t.Run("with a database", func(t *testing.T) {
		url = SharedPostgres(t).Database(t)
		var one int
		if err := connect(ctx, t, url).QueryRow(ctx, "SELECT 1").Scan(&one); err != nil || one != 1 {
			t.Errorf("SELECT 1 = %d, %v", one, err)
		}
	})
	if conn, err := pgx.Connect(ctx, url); err == nil {
		_ = conn.Close(ctx)
		t.Error("the database of an ended test is still there")
	}
}
