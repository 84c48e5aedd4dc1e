package neighbour

import (
	"bufio"
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/redis/go-redis/v9"
)

// redisDatabases bounds how many tests can have a database of their own. An unused one costs the server nothing to speak of.
const redisDatabases = 1024

// A Redis is a redis-server without a password.
type Redis struct {
	*Process
	port int
	last atomic.Int64 // database that was handed out
}

// A RedisOption changes how [StartRedis] runs the server.
type RedisOption func(*redisSettings)

type redisSettings struct {
	arguments []string
}

// RedisAppendOnly makes the server write every change to its disk before it answers, so that its data survives Kill and Stop.
// Default: what it knew is gone when it starts again, as with a cache.
func RedisAppendOnly() RedisOption {
	return func(s *redisSettings) {
		s.arguments = append(s.arguments, "--appendonly", "yes", "--appendfsync", "always")
	}
}

// RedisSetting sets a directive of redis.conf, over the defaults of this package.
func RedisSetting(name, value string) RedisOption {
	return func(s *redisSettings) { s.arguments = append(s.arguments, "--"+name, value) }
}

// StartRedis starts an empty redis-server. The context bounds the start only.
func StartRedis(ctx context.Context, options ...RedisOption) (*Redis, error) {
	var settings redisSettings
	for _, option := range options {
		option(&settings)
	}
	path, err := exec.LookPath("redis-server")
	if err != nil {
		return nil, fmt.Errorf("starting redis: redis-server is %w", ErrNotInstalled)
	}
	port, err := FreePort()
	if err != nil {
		return nil, fmt.Errorf("starting redis: %w", err)
	}
	dir, err := newFolder("redis")
	if err != nil {
		return nil, err
	}
	arguments := []string{
		"--bind", "127.0.0.1", "--port", strconv.Itoa(port), "--dir", dir.path,
		"--save", "", "--appendonly", "no", "--databases", strconv.Itoa(redisDatabases),
	}
	r := &Redis{port: port}
	r.Process, err = startIn(ctx, dir, Command{
		Name:  "redis",
		Path:  path,
		Args:  append(arguments, settings.arguments...),
		Ready: r.ready,
	})
	if err != nil {
		return nil, err
	}
	return r, nil
}

// NewRedis starts a redis-server of the test's own, which ends with it.
func NewRedis(t testing.TB, options ...RedisOption) *Redis {
	t.Helper()
	server, err := StartRedis(t.Context(), options...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = server.Close() })
	return server
}

// NewRedisCluster starts a cluster of one node, which has all slots. It ends with the test.
func NewRedisCluster(t testing.TB) *Redis {
	t.Helper()
	// The port between nodes would lie in the range of ports that clients are given.
	port, err := FreePort()
	if err != nil {
		t.Fatal(err)
	}
	server := NewRedis(t, RedisSetting("cluster-enabled", "yes"), RedisSetting("cluster-port", strconv.Itoa(port)))
	client := redis.NewClient(&redis.Options{Addr: server.Address()})
	defer client.Close()
	if err := client.Do(t.Context(), "CLUSTER", "ADDSLOTSRANGE", 0, 16383).Err(); err != nil {
		t.Fatal(err)
	}
	Eventually(t, "the cluster to be ready", func() bool { return client.Set(t.Context(), "x", "", 0).Err() == nil })
	return server
}

// StartSentinel starts a sentinel that watches a server under a name, alone. The context bounds the start only.
func StartSentinel(ctx context.Context, name string, watched *Redis) (*Redis, error) {
	path, err := exec.LookPath("redis-server")
	if err != nil {
		return nil, fmt.Errorf("starting sentinel: redis-server is %w", ErrNotInstalled)
	}
	port, err := FreePort()
	if err != nil {
		return nil, fmt.Errorf("starting sentinel: %w", err)
	}
	dir, err := newFolder("sentinel")
	if err != nil {
		return nil, err
	}
	const alone = 1 // how many sentinels have to agree
	settings := fmt.Sprintf("bind 127.0.0.1\nport %d\ndir %s\nsentinel monitor %s 127.0.0.1 %d %d\n", port, dir.path, name, watched.port, alone)
	if err := os.WriteFile(dir.file("sentinel.conf"), []byte(settings), 0o600); err != nil {
		return nil, fmt.Errorf("starting sentinel: %w", err)
	}
	r := &Redis{port: port}
	r.Process, err = startIn(ctx, dir, Command{
		Name:  "sentinel",
		Path:  path,
		Args:  []string{dir.file("sentinel.conf"), "--sentinel"},
		Ready: r.ready,
	})
	if err != nil {
		return nil, err
	}
	return r, nil
}

// Address is host and port.
func (r *Redis) Address() string { return loopback(r.port) }

// URL names database 0.
func (r *Redis) URL() string { return r.databaseURL(0) }

// Database returns the URL of an empty database that no other test has been given. Publish and subscribe do not know databases: channels
// are seen by all users of a shared server.
func (r *Redis) Database(t testing.TB) string {
	t.Helper()
	number := r.last.Add(1)
	if number >= redisDatabases {
		t.Fatalf("redis has only %d databases for tests", redisDatabases-1)
	}
	return r.databaseURL(number)
}

func (r *Redis) databaseURL(number int64) string {
	return fmt.Sprintf("redis://%s/%d", r.Address(), number)
}

// ready says PING. The server answers LOADING as long as it reads its append-only file.
func (r *Redis) ready(ctx context.Context) error {
	var dialer net.Dialer
	conn, err := dialer.DialContext(ctx, "tcp", r.Address())
	if err != nil {
		return err
	}
	defer conn.Close()
	deadline, _ := ctx.Deadline()
	if err := conn.SetDeadline(deadline); err != nil {
		return err
	}
	if _, err := conn.Write([]byte("PING\r\n")); err != nil {
		return err
	}
	answer, err := bufio.NewReader(conn).ReadString('\n')
	if err != nil {
		return err
	}
	if !strings.HasPrefix(answer, "+PONG") {
		return fmt.Errorf("PING was answered with %q", strings.TrimSpace(answer))
	}
	return nil
}
