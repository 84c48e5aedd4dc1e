package presence

import (
	"context"
	"strings"
	"time"
)

// A claimed is the answer to a claim.
type claimed struct {
	verdict  verdict
	previous string // process that held the device before, or ""
	epoch    string // of the session that it had
	queued   int    // events
	gone     int    // events that gave way
}

// A verdict is what a script found or did.
type verdict string

// The verdicts about a session.
const (
	held     verdict = "held"     // the session holds the device
	crowded  verdict = "crowded"  // too many devices have waiting events
	unknown  verdict = "unknown"  // the process is not among the living
	recovers verdict = "recovers" // sessions are being registered again
	ended    verdict = "ended"    // the session was ended, its last events are queued
	lost     verdict = "lost"     // somebody else holds the device, or ended the session
	absent   verdict = "absent"   // nobody holds the device
)

// claim makes a session the holder of its device.
func (l *ledger) claim(ctx context.Context, process string, s *Lease) (claimed, error) {
	m := s.member()
	answer, err := l.runSoon(ctx, l.claiming, "claiming a device",
		[]string{l.keys.processes(), l.keys.held(process), l.keys.holder(m), l.keys.outbox(m), l.keys.waiting(), l.keys.recovering(),
			l.keys.tallies()},
		process, m, s.epoch.String(), micros(s.since()), s.origin(), s.will, l.outbox, l.grace.Milliseconds(), l.keys.channels(), l.waiting)
	if err != nil {
		return claimed{}, err
	}
	list := texts(answer)
	c := claimed{verdict: verdict(list[0])}
	if len(list) == 5 {
		c.previous, c.epoch, c.queued, c.gone = list[1], list[2], number(list[3]), number(list[4])
	}
	return c, nil
}

// claimScript queues the end of the session that held the device, if one did, and the beginning of the new one.
//
// Keys: processes, held, holder, outbox, waiting, recovering, tallies. Arguments: process, member, epoch, time, origin, will,
// limit of the outbox, delay, channels, limit of waiting.
const claimScript = `
if redis.call('HEXISTS', KEYS[1], ARGV[1]) == 0 then return {'unknown'} end
local recovering = redis.call('GET', KEYS[6])
if recovering and clock() < tonumber(recovering) then return {'recovers'} end
local old = read(KEYS[3])
if old.epoch == ARGV[3] then return {'held', '', '', '0', '0'} end
if redis.call('ZCARD', KEYS[5]) >= tonumber(ARGV[10]) then return {'crowded'} end
local events, micros = {}, latest(old.since, ARGV[4])
if old.epoch then events = closing(old, micros, true) end
events[#events + 1] = entry('t', {epoch = ARGV[3], origin = ARGV[5]}, micros)
write(KEYS[3], ARGV[1], ARGV[3], micros, ARGV[5], ARGV[6])
redis.call('HSET', KEYS[2], ARGV[3], ARGV[2])
if old.epoch then count(KEYS[7], old.process, old.epoch, -1) end
count(KEYS[7], ARGV[1], ARGV[3], 1)
local gone = queue(KEYS[4], KEYS[5], ARGV[2], events, ARGV[7], ARGV[8])
if old.epoch and node(old.process) ~= node(ARGV[1]) then tell(ARGV[9], old.process, 'lost', old.epoch) end
return {'held', old.process or '', old.epoch or '', text(#events), text(gone)}`

// An ending is what a script needs to end a session.
type ending struct {
	member string
	epoch  string
	time   time.Time
	fire   bool   // the will, too
	force  bool   // even if nobody holds the device, because Redis has lost it
	origin string // with force
	will   string // with force and fire
}

// A change is what became of a session.
type change struct {
	verdict verdict
	queued  int // events
	gone    int // events that gave way
}

func readChanges(answer []any, sessions int) []change {
	changes := make([]change, sessions)
	for i, text := range texts(answer) {
		word, counts, _ := strings.Cut(text, " ")
		queued, gone, _ := strings.Cut(counts, " ")
		changes[i] = change{verdict(word), number(queued), number(gone)}
	}
	return changes
}

// end ends sessions of a node, as far as they still hold their devices. For a process that is dead, only those that it
// held itself count, not those with which its node went on in another life.
func (l *ledger) end(ctx context.Context, process string, dead bool, sessions []ending) ([]change, error) {
	keys := []string{l.keys.processes(), l.keys.waiting(), l.keys.held(process), l.keys.tombstone(process), l.keys.tallies()}
	delay := l.grace
	if dead {
		delay = 0 // all who live help to store the events
	}
	arguments := []any{process, flag(dead), l.outbox, delay.Milliseconds()}
	for _, s := range sessions {
		keys = append(keys, l.keys.holder(s.member), l.keys.outbox(s.member))
		arguments = append(arguments, s.member, s.epoch, micros(s.time), flag(s.fire), flag(s.force), s.origin, s.will)
	}
	answer, err := l.run(ctx, l.ending, "ending sessions", keys, arguments...)
	if err != nil {
		return nil, err
	}
	return readChanges(answer, len(sessions)), nil
}

// endScript: who ends a session that is not the holder's ends nothing. If there is no holder, Redis has lost the session,
// unless the session ended just now, or the process was declared dead, or the session still stands among those of the
// process: then others took the device over and left.
//
// Keys: processes, waiting, held, tombstone, tallies; for each session: holder, outbox. Arguments: process, dead, limit of the outbox,
// delay; for each session: member, epoch, time, fire, force, origin, will.
const endScript = `
local alive = redis.call('HEXISTS', KEYS[1], ARGV[1]) == 1
local buried = redis.call('EXISTS', KEYS[4]) == 1
local results = {}

local function own(process)
	if ARGV[2] == '1' then return process == ARGV[1] end
	return node(process) == node(ARGV[1])
end

for i = 1, (#KEYS - 5) / 2 do
	local holder, outbox, a = KEYS[4 + 2 * i], KEYS[5 + 2 * i], 7 * i - 3
	local member, epoch, micros, fire, force = ARGV[a + 1], ARGV[a + 2], ARGV[a + 3], ARGV[a + 4] == '1', ARGV[a + 5] == '1'
	local h, verdict, events = read(holder), 'lost', {}
	local claimed = redis.call('HDEL', KEYS[3], epoch) == 1
	if h.epoch == epoch and own(h.process) then
		micros = latest(h.since, micros)
		verdict, events = 'ended', closing(h, micros, fire)
		vacate(holder, micros, epoch)
		count(KEYS[5], h.process, epoch, -1)
	elseif not h.epoch and not buried and not claimed and h.last ~= epoch then
		verdict = 'absent'
		if not alive then
			verdict = 'unknown'
		elseif force then
			micros = latest(h.since, micros)
			verdict, events = 'ended', closing({epoch = epoch, origin = ARGV[a + 6], will = ARGV[a + 7]}, micros, fire)
			vacate(holder, micros, epoch)
		end
	end
	local gone = queue(outbox, KEYS[2], member, events, ARGV[3], ARGV[4])
	results[i] = verdict .. ' ' .. text(#events) .. ' ' .. text(gone)
end
return results`

// A resumption is what a script needs to go on with a session.
type resumption struct {
	member, epoch string
	since         time.Time
	origin, will  string
	again         bool // the connection event is not known to be stored
}

// resume goes on with sessions of a node under the name of a process: those that an earlier life of the node still holds
// or, if that is the same one, those that Redis has lost, see endScript.
func (l *ledger) resume(ctx context.Context, process, earlier string, sessions []resumption) ([]change, error) {
	keys := []string{l.keys.processes(), l.keys.waiting(), l.keys.held(process), l.keys.held(earlier), l.keys.tallies()}
	arguments := []any{process, flag(earlier == process), l.outbox, l.grace.Milliseconds()}
	for _, s := range sessions {
		keys = append(keys, l.keys.holder(s.member), l.keys.outbox(s.member))
		arguments = append(arguments, s.member, s.epoch, micros(s.since), s.origin, s.will, flag(s.again))
	}
	answer, err := l.run(ctx, l.resuming, "going on with sessions", keys, arguments...)
	if err != nil {
		return nil, err
	}
	return readChanges(answer, len(sessions)), nil
}

// resumeScript: keys: processes, waiting, held, held of the earlier life, tallies; for each session: holder, outbox. Arguments:
// process, restore, limit of the outbox, delay; for each session: member, epoch, time, origin, will, again.
const resumeScript = `
local alive = redis.call('HEXISTS', KEYS[1], ARGV[1]) == 1
local results = {}
for i = 1, (#KEYS - 5) / 2 do
	local holder, outbox, a = KEYS[4 + 2 * i], KEYS[5 + 2 * i], 6 * i - 2
	local member, epoch, micros = ARGV[a + 1], ARGV[a + 2], ARGV[a + 3]
	local session = {epoch = epoch, origin = ARGV[a + 4], will = ARGV[a + 5]}
	local h, verdict, events = read(holder), 'lost', {}
	if not alive then
		verdict = 'unknown'
	elseif h.epoch == epoch then
		verdict = 'held'
	elseif not h.epoch and ARGV[2] == '1' and redis.call('HEXISTS', KEYS[3], epoch) == 0 then
		verdict = 'held'
		if ARGV[a + 6] == '1' then events[1] = entry('t', session, micros) end
	end
	if verdict == 'held' then
		write(holder, ARGV[1], epoch, h.since or micros, session.origin, session.will)
		redis.call('HSET', KEYS[3], epoch, member)
		if h.epoch then count(KEYS[5], h.process, epoch, -1) end
		count(KEYS[5], ARGV[1], epoch, 1)
		if KEYS[4] ~= KEYS[3] then redis.call('HDEL', KEYS[4], epoch) end
	end
	local gone = queue(outbox, KEYS[2], member, events, ARGV[3], ARGV[4])
	results[i] = verdict .. ' ' .. text(#events) .. ' ' .. text(gone)
end
return results`

// check compares sessions of a process with the holders of their devices: held, lost, or absent.
func (l *ledger) check(ctx context.Context, process string, sessions []*Lease) ([]verdict, error) {
	keys := make([]string, len(sessions))
	arguments := make([]any, 0, len(sessions)+1)
	arguments = append(arguments, process)
	for i, s := range sessions {
		keys[i] = l.keys.holder(s.member())
		arguments = append(arguments, s.epoch.String())
	}
	answer, err := l.run(ctx, l.checking, "comparing sessions", keys, arguments...)
	if err != nil {
		return nil, err
	}
	verdicts := make([]verdict, len(sessions))
	for i, text := range texts(answer) {
		verdicts[i] = verdict(text)
	}
	return verdicts, nil
}

// checkScript: keys: holders. Arguments: process, epochs.
const checkScript = `
local verdicts = {}
for i, holder in ipairs(KEYS) do
	local h = redis.call('HMGET', holder, 'p', 'e')
	if not h[2] then
		verdicts[i] = 'absent'
	elseif h[1] == ARGV[1] and h[2] == ARGV[i + 1] then
		verdicts[i] = 'held'
	else
		verdicts[i] = 'lost'
	end
end
return verdicts`
