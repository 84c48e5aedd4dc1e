package presence

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/redis/go-redis/v9"
)

// tallyDigits is how many of an epoch's hexadecimal digits a tally has: the sum of as many sessions as fit into a process
// stays a whole number in Lua.
const tallyDigits = "8"

// weight is what a session counts in a tally.
func (e epoch) weight() int64 { return int64(binary.BigEndian.Uint32(e[:4])) }

// tally is what the sessions of a process add up to that hold their devices: the sum of the weights of their epochs. Each
// script that changes a holder changes the tally with it. Epochs are random, so that as long as the process comes to the same sum,
// its sessions are those that Redis knows.
func (l *ledger) tally(ctx context.Context, process string) (int64, error) {
	sum, err := l.client.HGet(ctx, l.keys.tallies(), process).Int64()
	if err != nil && !errors.Is(err, redis.Nil) {
		return 0, fmt.Errorf("reading what the sessions of a process add up to in redis: %w", err)
	}
	return sum, nil
}

// mend puts a tally right after all sessions of a process were compared one by one, unless anything has changed since the
// tally was read. It was wrong if a process of an earlier release, which keeps none, has taken a device over.
func (l *ledger) mend(ctx context.Context, process string, sessions int, was, is int64) error {
	_, err := l.run(ctx, l.mending, "correcting what the sessions of a process add up to",
		[]string{l.keys.processes(), l.keys.held(process), l.keys.tallies()}, process, sessions, was, is)
	return err
}

// mendScript: keys: processes, held, tallies. Arguments: process, number of its sessions, old tally, new tally.
const mendScript = `
local same = (redis.call('HGET', KEYS[3], ARGV[1]) or '0') == ARGV[3] and redis.call('HLEN', KEYS[2]) == tonumber(ARGV[2])
if same and redis.call('HEXISTS', KEYS[1], ARGV[1]) == 1 then redis.call('HSET', KEYS[3], ARGV[1], ARGV[4]) end
return {}`
