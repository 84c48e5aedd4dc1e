package presence

import (
	"context"
	"fmt"

	"github.com/redis/go-redis/v9"

	"github.com/fairlead/fairlead/internal/gather"
)

// callLimits bound the scripts that go to Redis with one write. What comes while all are on their way goes with the next one.
var callLimits = gather.Limits{Together: 32, AtOnce: 4}

// A call is a script that is to be run.
type call struct {
	script    *redis.Script
	keys      []string
	arguments []any
	answer    []any
	err       error
}

// runSoon is run for scripts that many log-ins need at the same time: those share the way to Redis and back.
func (l *ledger) runSoon(ctx context.Context, script *redis.Script, what string, keys []string, arguments ...any) ([]any, error) {
	c := call{script: script, keys: keys, arguments: arguments}
	err := l.together.Do(ctx, &c)
	if err == nil {
		err = c.err
	}
	if err != nil {
		return nil, fmt.Errorf("%s in redis: %w", what, err)
	}
	return c.answer, nil
}

// runAll runs scripts one after the other. One that Redis does not know by its sum yet is sent itself.
func (l *ledger) runAll(ctx context.Context, calls []*call) {
	pipe := l.client.Pipeline()
	commands := make([]*redis.Cmd, len(calls))
	for i, c := range calls {
		commands[i] = c.script.EvalSha(ctx, pipe, c.keys, c.arguments...)
	}
	_, _ = pipe.Exec(ctx) // each command has its own error
	for i, c := range calls {
		if c.answer, c.err = commands[i].Slice(); redis.HasErrorPrefix(c.err, "NOSCRIPT") {
			c.answer, c.err = c.script.Eval(ctx, l.client, c.keys, c.arguments...).Slice()
		}
	}
}
