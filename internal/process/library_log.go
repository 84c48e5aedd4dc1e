package process

import (
	"context"
	"fmt"
	"sync/atomic"

	"github.com/redis/go-redis/v9"
	"go.uber.org/zap"
)

// libraries is where libraries log that know one logger for the whole process. It is a variable because they do not let a
// caller hand in one. Without a logger, as in tests, they are silent.
var libraries atomic.Pointer[zap.Logger]

// init takes the place of the logger of go-redis, which writes lines without a structure to standard error. It has to be
// done before the first client is made, since the library reads its logger without a lock.
func init() { redis.SetLogger(redisLog{}) }

// logLibraries has libraries write to a log.
func logLibraries(log *zap.Logger) { libraries.Store(log) }

// A redisLog passes on what go-redis says of its connections. All of it is for who looks for the cause of a fault: whoever
// uses a client gets the same as an error.
type redisLog struct{}

func (redisLog) Printf(_ context.Context, format string, values ...any) {
	log := libraries.Load()
	if log == nil {
		return
	}
	if checked := log.Check(zap.DebugLevel, "redis client"); checked != nil {
		checked.Write(zap.String("event", fmt.Sprintf(format, values...)))
	}
}
