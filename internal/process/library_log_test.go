package process

import (
	"bytes"
	"strings"
	"testing"

	"github.com/redis/go-redis/v9"
	"go.uber.org/zap/zapcore"
)

// TestRedisLogsAtDebug has a client look for a server that is not there.
func TestRedisLogsAtDebug(t *testing.T) {
	t.Cleanup(func() { logLibraries(nil) })
	f := func(level string, want bool) {
		t.Helper()
		var out bytes.Buffer
		c := DefaultConfig()
		c.LogLevel = level
		logLibraries(newLogger(c, zapcore.Lock(zapcore.AddSync(&out))))
		client := redis.NewClient(&redis.Options{Addr: "127.0.0.1:1", MaxRetries: -1, DialerRetries: 1})
		defer client.Close()
		if err := client.Ping(t.Context()).Err(); err == nil {
			t.Fatal("somebody answers at port 1")
		}
		if got := strings.Contains(out.String(), `"severity":"DEBUG"`) && strings.Contains(out.String(), "failed to dial"); got != want {
			t.Errorf("level %s: %q", level, out.String())
		}
	}
	f("info", false)
	f("debug", true)
}
