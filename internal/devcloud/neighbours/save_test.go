package neighbours

import (
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2"
	"github.com/google/go-cmp/cmp"
	"github.com/redis/go-redis/v9"
)

func redisClient(t *testing.T, server *Redis) *redis.Client {
	t.Helper()
	options, err := redis.ParseURL(server.URL())
	if err != nil {
		t.Fatal(err)
	}
	c := redis.NewClient(options)
	t.Cleanup(func() { c.Close() })
	return c
}

func TestRedisSavesPresence(t *testing.T) {
	file := filepath.Join(t.TempDir(), "redis.json")
	const prefix = "fairlead:{x}:presence:"
	server, err := StartRedis("127.0.0.1:0", file)
	if err != nil {
		t.Fatal(err)
	}
	ctx := t.Context()
	c := redisClient(t, server)
	c.HSet(ctx, prefix+"held:p-1", "epoch", "app:d", "epoch2", "app:e")
	c.RPush(ctx, prefix+"outbox:app:d", "one\ntwo", `{"a":"ü"}`)
	c.ZAdd(ctx, prefix+"waiting", redis.Z{Score: 1732800000123, Member: "app:d"})
	c.Set(ctx, prefix+"tombstone:p", "1", time.Hour)
	c.Set(ctx, "fairlead:{x}:documents", "a cache", 0)
	if err := server.Save(); err != nil {
		t.Fatal(err)
	}
	if info, err := os.Stat(file); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v", info, err)
	}
	c.Del(ctx, prefix+"waiting") // not saved: as after a kill
	again, err := StartRedis("127.0.0.1:0", file)
	if err != nil {
		t.Fatal(err)
	}
	if n := again.Sessions(); n != 2 {
		t.Errorf("%d sessions", n)
	}
	c = redisClient(t, again)
	got := []any{
		c.HGetAll(ctx, prefix+"held:p-1").Val(), c.LRange(ctx, prefix+"outbox:app:d", 0, -1).Val(),
		c.ZScore(ctx, prefix+"waiting", "app:d").Val(), c.Get(ctx, prefix+"tombstone:p").Val(),
		c.TTL(ctx, prefix+"tombstone:p").Val() > 0, c.Exists(ctx, "fairlead:{x}:documents").Val(),
	}
	want := []any{
		map[string]string{"epoch": "app:d", "epoch2": "app:e"}, []string{"one\ntwo", `{"a":"ü"}`},
		float64(1732800000123), "1", true, int64(0),
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	for _, s := range []*Redis{server, again} {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	}
}

// What is there when Save is called is in the file when it returns, however many call it.
func TestRedisSavesForMany(t *testing.T) {
	file := filepath.Join(t.TempDir(), "redis.json")
	server, err := StartRedis("127.0.0.1:0", file)
	if err != nil {
		t.Fatal(err)
	}
	c := redisClient(t, server)
	var group sync.WaitGroup
	for i := range 50 {
		group.Go(func() {
			name := "fairlead:{x}:presence:holder:" + strconv.Itoa(i)
			if err := c.HSet(t.Context(), name, "p", "q").Err(); err != nil {
				t.Error(err)
			}
			if err := server.Save(); err != nil {
				t.Error(err)
			}
			other := &Redis{server: miniredis.NewMiniRedis(), file: file}
			if err := other.restore(); err != nil || other.server.HGet(name, "p") != "q" {
				t.Errorf("%s is not saved: %v", name, err)
			}
		})
	}
	group.Wait()
	if err := server.Close(); err != nil {
		t.Error(err)
	}
}

func TestRedisSaysWhatIsWrongWithItsFile(t *testing.T) {
	file := filepath.Join(t.TempDir(), "redis.json")
	if err := os.WriteFile(file, []byte("{"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := StartRedis("127.0.0.1:0", file); err == nil {
		t.Error("a file that does not parse is taken")
	}
}
