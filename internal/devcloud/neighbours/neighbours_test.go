package neighbours

import (
	"bufio"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/fairlead/fairlead/test/neighbour"
)

// brokerVariable makes this test binary a broker on the folder that it names, so that a test can kill it.
const brokerVariable = "FAIRLEAD_TEST_BROKER_FOLDER"

// limitVariable is the size in bytes that no file of that broker may exceed, as if the disk were full.
const limitVariable = "FAIRLEAD_TEST_BROKER_LIMIT"

func TestMain(m *testing.M) {
	folder := os.Getenv(brokerVariable)
	if folder == "" {
		os.Exit(m.Run())
	}
	if limit, err := strconv.ParseUint(os.Getenv(limitVariable), 10, 64); err == nil {
		if err := syscall.Setrlimit(syscall.RLIMIT_FSIZE, &syscall.Rlimit{Cur: limit, Max: limit}); err != nil {
			panic(err)
		}
	}
	kafka, err := StartKafka(KafkaOptions{
		Address: "127.0.0.1:0", Folder: folder, Sync: true,
		Logger: slog.New(slog.NewTextHandler(os.Stderr, nil)),
		Failed: func(err error) { fmt.Fprintln(os.Stderr, "FAILED", err) },
	})
	if err != nil {
		panic(err)
	}
	fmt.Println(kafka.Addresses()[0])
	_, _ = io.Copy(io.Discard, os.Stdin) // until the test dies
}

func startBrokerProcess(t *testing.T, folder string, environment ...string) (address string, kill func()) {
	t.Helper()
	command := exec.Command(os.Args[0])
	command.Env = append(append(os.Environ(), brokerVariable+"="+folder), environment...)
	said, err := os.OpenFile(folder+".log", os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { said.Close() })
	command.Stderr = struct{ io.Writer }{said} // through a pipe: the limit is not for what the process says
	if _, err := command.StdinPipe(); err != nil {
		t.Fatal(err)
	}
	output, err := command.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	kill = func() {
		_ = command.Process.Kill()
		_ = command.Wait()
	}
	t.Cleanup(kill)
	line, err := bufio.NewReader(output).ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(line), kill
}

func client(t *testing.T, address string, options ...kgo.Opt) (*kgo.Client, *kadm.Client) {
	t.Helper()
	c, err := kgo.NewClient(append(options, kgo.SeedBrokers(address))...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c, kadm.NewClient(c)
}

func TestKafkaKeepsEverythingAfterAKill(t *testing.T) {
	const group, topic, count = "group", "events-app", 5
	folder := t.TempDir()
	address, kill := startBrokerProcess(t, folder)
	c, admin := client(t, address)
	if _, err := admin.CreateTopics(t.Context(), 3, 1, nil, topic); err != nil {
		t.Fatal(err)
	}
	for i := range count {
		record := &kgo.Record{Topic: topic, Key: []byte("k"), Value: fmt.Append(nil, i)}
		if err := c.ProduceSync(t.Context(), record).FirstErr(); err != nil {
			t.Fatal(err)
		}
	}
	consumer, _ := client(t, address, kgo.ConsumerGroup(group), kgo.ConsumeTopics(topic), kgo.DisableAutoCommit(),
		kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()))
	for got := 0; got < count; {
		got += consumer.PollFetches(t.Context()).NumRecords()
	}
	if err := consumer.CommitUncommittedOffsets(t.Context()); err != nil {
		t.Fatal(err)
	}
	kill()

	address, _ = startBrokerProcess(t, folder)
	_, admin = client(t, address)
	topics, err := admin.ListTopics(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if n := len(topics[topic].Partitions); n != 3 {
		t.Errorf("%d partitions, want 3", n)
	}
	ends, err := admin.ListEndOffsets(t.Context(), topic)
	if err != nil {
		t.Fatal(err)
	}
	committed, err := admin.FetchOffsets(t.Context(), group)
	if err != nil {
		t.Fatal(err)
	}
	records, offsets := int64(0), int64(0)
	ends.Each(func(o kadm.ListedOffset) { records += o.Offset })
	committed.Each(func(o kadm.OffsetResponse) { offsets += max(0, o.At) })
	if records != count || offsets != count {
		t.Errorf("%d records and offset %d are left, want %d", records, offsets, count)
	}

	again, _ := client(t, address, kgo.ConsumeTopics(topic), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()))
	var values []string
	for len(values) < count {
		again.PollFetches(t.Context()).EachRecord(func(r *kgo.Record) { values = append(values, string(r.Value)) })
	}
	if got := strings.Join(values, ""); got != "01234" {
		t.Errorf("records %s", got)
	}
}

func TestKafkaNamesATakenAddress(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	if _, err := StartKafka(KafkaOptions{Address: listener.Addr().String(), Folder: t.TempDir()}); err == nil || !strings.Contains(err.Error(), listener.Addr().String()) {
		t.Errorf("error %v", err)
	}
	if _, err := StartRedis(listener.Addr().String(), ""); err == nil || !strings.Contains(err.Error(), listener.Addr().String()) {
		t.Errorf("error %v", err)
	}
}

func TestRedisKeysExpire(t *testing.T) {
	server, err := StartRedis("127.0.0.1:0", "")
	if err != nil {
		t.Fatal(err)
	}
	defer server.Close()
	options, err := redis.ParseURL(server.URL())
	if err != nil {
		t.Fatal(err)
	}
	c := redis.NewClient(options)
	defer c.Close()
	if err := c.Set(t.Context(), "key", "value", time.Second).Err(); err != nil {
		t.Fatal(err)
	}
	neighbour.Eventually(t, "the end of the key", func() bool { return c.Exists(t.Context(), "key").Val() == 0 })
}
