package presence

import (
	"context"
	"time"
)

// A handout is the answer to who wants to store the events of a device.
type handout struct {
	verdict verdict
	list    []string // granted: the oldest events, in order; finished: the epoch of the holder, if there is one
}

// The verdicts about the events of a device. That the process is not among the living is unknown.
const (
	granted  verdict = "granted"  // here are events
	finished verdict = "finished" // there are none, and the lock is free
	busy     verdict = "busy"     // another process stores them
)

// advance takes the first count events out of an outbox, which are stored, the first of them with that header, and hands
// out the next ones. It takes the lock, which holds as long as its owner lives, and gives it back with the last event: then
// the connection event of the holder is stored, and the holder's process is told.
func (l *ledger) advance(ctx context.Context, process, member, first string, count int) (handout, error) {
	answer, err := l.runSoon(ctx, l.advancing, "reading waiting events",
		[]string{l.keys.processes(), l.keys.holder(member), l.keys.outbox(member), l.keys.waiting(), l.keys.lock(member)},
		process, member, first, count, l.keys.channels(), l.grace.Milliseconds())
	if err != nil {
		return handout{}, err
	}
	list := texts(answer)
	return handout{verdict(list[0]), list[1:]}, nil
}

// advanceScript takes events out only if the first one is still there: called again, it does nothing.
//
// Keys: processes, holder, outbox, waiting, lock. Arguments: process, member, header of the first stored event, number of
// stored events, channels, pause while another process is busy.
const advanceScript = `
if redis.call('HEXISTS', KEYS[1], ARGV[1]) == 0 then return {'unknown'} end
local owner = redis.call('GET', KEYS[5])
if owner and owner ~= ARGV[1] and redis.call('HEXISTS', KEYS[1], owner) == 1 then
	tell(ARGV[5], owner, 'store', ARGV[2])
	redis.call('ZADD', KEYS[4], 'XX', text(clock() + tonumber(ARGV[6])), ARGV[2])
	return {'busy'}
end
local head = redis.call('LINDEX', KEYS[3], '0')
if tonumber(ARGV[4]) > 0 and head and string.sub(head .. '\n', 1, #ARGV[3] + 1) == ARGV[3] .. '\n' then
	redis.call('LTRIM', KEYS[3], ARGV[4], '-1')
end
local events = redis.call('LRANGE', KEYS[3], '0', text(spared - 1))
if #events > 0 then
	redis.call('SET', KEYS[5], ARGV[1])
	return {'granted', unpack(events)}
end
redis.call('DEL', KEYS[5])
redis.call('ZREM', KEYS[4], ARGV[2])
local h = redis.call('HMGET', KEYS[2], 'p', 'e')
if h[2] and node(h[1]) ~= node(ARGV[1]) then tell(ARGV[5], h[1], 'stored', h[2]) end
return {'finished', h[2] or nil}`

// postpone gives the lock back because the events cannot be stored now.
func (l *ledger) postpone(ctx context.Context, process, member string, delay time.Duration) error {
	_, err := l.run(ctx, l.postponing, "putting events off",
		[]string{l.keys.waiting(), l.keys.lock(member)}, process, member, delay.Milliseconds())
	return err
}

// postponeScript: keys: waiting, lock. Arguments: process, member, delay.
const postponeScript = `
if redis.call('GET', KEYS[2]) == ARGV[1] then redis.call('DEL', KEYS[2]) end
redis.call('ZADD', KEYS[1], 'XX', text(clock() + tonumber(ARGV[3])), ARGV[2])
return {'postponed'}`

// pickWaiting picks devices whose events are due.
func (l *ledger) pickWaiting(ctx context.Context, most int, pause time.Duration) ([]string, error) {
	answer, err := l.run(ctx, l.picking, "looking for waiting events", []string{l.keys.waiting()}, most, pause.Milliseconds())
	return texts(answer), err
}

// pickGrave picks a dead process whose devices are to be released, or "".
func (l *ledger) pickGrave(ctx context.Context, pause time.Duration) (string, error) {
	answer, err := l.run(ctx, l.picking, "looking for dead processes", []string{l.keys.graves()}, 1, pause.Milliseconds())
	if list := texts(answer); len(list) > 0 {
		return list[0], err
	}
	return "", err
}

// pickScript picks what is due and makes it due again after a pause, for when whoever picked it dies.
//
// Keys: the sorted set. Arguments: how many at most, the pause.
const pickScript = `
local now = clock()
local picked = redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', text(now), 'LIMIT', '0', ARGV[1])
for _, one in ipairs(picked) do redis.call('ZADD', KEYS[1], text(now + tonumber(ARGV[2])), one) end
return picked`
