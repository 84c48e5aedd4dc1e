package presence

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"time"
)

// tombstoneLife is how long a process that was paused can learn that it was declared dead. One that was paused for longer
// takes its sessions for lost by Redis; its connections have ended long since.
const tombstoneLife = 24 * time.Hour

// A standing is how a process finds itself at a heartbeat.
type standing string

const (
	alive     standing = "alive"
	buried    standing = "buried"    // declared dead: it needs another name
	forgotten standing = "forgotten" // Redis has lost it: it is registered again
)

// A pulse is the answer to a heartbeat.
type pulse struct {
	standing standing
	waiting  int               // devices with waiting events
	living   map[string]string // processes with their last heartbeats
}

// beat registers a process or renews its registration. known says that it was registered before; it then tells whether
// Redis has lost it, in which case nobody claims for a while, so that all can register their sessions again.
func (l *ledger) beat(ctx context.Context, process string, beat uint64, known bool, recovery time.Duration) (pulse, error) {
	answer, err := l.run(ctx, l.beating, "giving a sign of life",
		[]string{l.keys.processes(), l.keys.tombstone(process), l.keys.recovering(), l.keys.waiting()},
		process, strconv.FormatUint(beat, 10), flag(known), recovery.Milliseconds())
	if err != nil {
		return pulse{}, err
	}
	list := texts(answer)
	p := pulse{standing: standing(list[0]), living: map[string]string{}}
	if len(list) > 1 {
		p.waiting = number(list[1])
	}
	for i := 2; i+1 < len(list); i += 2 {
		p.living[list[i]] = list[i+1]
	}
	return p, nil
}

// beatScript: keys: processes, tombstone, recovering, waiting. Arguments: process, heartbeat, known, time of recovery.
const beatScript = `
if redis.call('EXISTS', KEYS[2]) == 1 then return {'buried'} end
local standing = 'alive'
if ARGV[3] == '1' and redis.call('HEXISTS', KEYS[1], ARGV[1]) == 0 then
	standing = 'forgotten'
	redis.call('SET', KEYS[3], text(clock() + tonumber(ARGV[4])))
end
redis.call('HSET', KEYS[1], ARGV[1], ARGV[2])
local answer = {standing, text(redis.call('ZCARD', KEYS[4]))}
for _, v in ipairs(redis.call('HGETALL', KEYS[1])) do answer[#answer + 1] = v end
return answer`

// bury declares a process dead unless it has given another sign of life. It tells whether this call did so.
func (l *ledger) bury(ctx context.Context, process, beat string) (bool, error) {
	answer, err := l.run(ctx, l.burying, "declaring a process dead",
		[]string{l.keys.processes(), l.keys.graves(), l.keys.tombstone(process)}, process, beat, tombstoneLife.Milliseconds())
	return err == nil && len(answer) > 0, err
}

// buryScript: keys: processes, graves, tombstone. Arguments: process, heartbeat, life of the tombstone.
const buryScript = `
if redis.call('HGET', KEYS[1], ARGV[1]) ~= ARGV[2] then return {} end
redis.call('HDEL', KEYS[1], ARGV[1])
redis.call('ZADD', KEYS[2], '0', ARGV[1])
redis.call('SET', KEYS[3], '1', 'PX', ARGV[3])
return {'buried'}`

// leave takes a process out of the living. What it still holds is released by the others, as after its death.
func (l *ledger) leave(ctx context.Context, process string) error {
	_, err := l.run(ctx, l.leaving, "taking leave",
		[]string{l.keys.processes(), l.keys.graves(), l.keys.tombstone(process), l.keys.held(process), l.keys.tallies()},
		process, tombstoneLife.Milliseconds())
	return err
}

// leaveScript: keys: processes, graves, tombstone, held, tallies. Arguments: process, life of the tombstone.
const leaveScript = `
redis.call('HDEL', KEYS[1], ARGV[1])
redis.call('SET', KEYS[3], '1', 'PX', ARGV[2])
if redis.call('EXISTS', KEYS[4]) == 1 then
	redis.call('ZADD', KEYS[2], '0', ARGV[1])
else
	redis.call('HDEL', KEYS[5], ARGV[1])
end
return {'left'}`

// each calls do with parts of what a process has claimed: epochs and devices by turns.
func (l *ledger) each(ctx context.Context, process string, do func(ctx context.Context, pairs []string) error) error {
	cursor := uint64(0)
	for {
		pairs, next, err := l.client.HScan(ctx, l.keys.held(process), cursor, "", sessionBatch).Result()
		if err != nil {
			return fmt.Errorf("reading what a process holds in redis: %w", err)
		}
		for part := range slices.Chunk(pairs, 2*sessionBatch) {
			if err := do(ctx, part); err != nil {
				return err
			}
		}
		if cursor = next; cursor == 0 {
			return nil
		}
	}
}

// claims is the number of sessions of a process, as far as their ends are not written.
func (l *ledger) claims(ctx context.Context, process string) (int64, error) {
	return l.client.HLen(ctx, l.keys.held(process)).Result()
}

// closeGrave takes a grave off the list when nothing is left in it.
func (l *ledger) closeGrave(ctx context.Context, process string) error {
	_, err := l.run(ctx, l.closing, "closing a grave", []string{l.keys.graves(), l.keys.tallies()}, process)
	return err
}

// closeScript: keys: graves, tallies. Arguments: process.
const closeScript = `
redis.call('ZREM', KEYS[1], ARGV[1])
redis.call('HDEL', KEYS[2], ARGV[1])
return {}`
