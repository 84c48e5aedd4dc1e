package presence

import (
	"context"
	"fmt"
	"strconv"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/fairlead/fairlead/internal/gather"
)

// Bounds of one call of a script, so that Redis serves others in between.
const (
	sessionBatch = 50  // sessions that are ended or resumed
	checkBatch   = 200 // sessions that are compared
	eventBatch   = 16  // events that are handed out
)

// remembered is how long the last session of a device is known after it has ended.
const remembered = time.Minute

// A ledger is what Redis knows: who holds which device, who is alive, and which events wait. Each method is one script
// and therefore happens as a whole or not at all. A script may run although its answer is lost, and may run twice; each
// is written so that this does no harm.
type ledger struct {
	client  redis.UniversalClient
	keys    keyspace
	outbox  int           // events of a device
	waiting int           // devices
	grace   time.Duration // that who queued events has to store them before others do

	claiming, ending, resuming, checking *redis.Script
	beating, burying, leaving            *redis.Script
	advancing, postponing, picking       *redis.Script
	closing, mending                     *redis.Script

	together *gather.Group[*call] // of scripts that are run for each log-in
}

func newLedger(c *Config, client redis.UniversalClient, instance string) *ledger {
	script := func(source string) *redis.Script {
		return redis.NewScript(fmt.Sprintf("local spared, remembered = %d, %d", eventBatch, remembered.Milliseconds()) + library + source)
	}
	l := &ledger{
		client:     client,
		keys:       newKeyspace(instance),
		outbox:     c.Outbox,
		waiting:    c.Waiting,
		grace:      c.Heartbeat,
		claiming:   script(claimScript),
		ending:     script(endScript),
		resuming:   script(resumeScript),
		checking:   script(checkScript),
		beating:    script(beatScript),
		burying:    script(buryScript),
		leaving:    script(leaveScript),
		advancing:  script(advanceScript),
		postponing: script(postponeScript),
		picking:    script(pickScript),
		closing:    script(closeScript),
		mending:    script(mendScript),
	}
	l.together = gather.New(callLimits, nil, l.runAll)
	return l
}

// run calls a script that answers with a list.
func (l *ledger) run(ctx context.Context, script *redis.Script, what string, keys []string, arguments ...any) ([]any, error) {
	answer, err := script.Run(ctx, l.client, keys, arguments...).Slice()
	if err != nil {
		return nil, fmt.Errorf("%s in redis: %w", what, err)
	}
	return answer, nil
}

// texts are the elements of an answer that are texts.
func texts(answer []any) []string {
	list := make([]string, 0, len(answer))
	for _, a := range answer {
		if text, ok := a.(string); ok {
			list = append(list, text)
		}
	}
	return list
}

// number reads a count that a script wrote as text.
func number(text string) int {
	n, _ := strconv.Atoi(text)
	return n
}

// flag is a boolean for a script.
func flag(is bool) string {
	if is {
		return "1"
	}
	return ""
}

// micros is a time for a script: microseconds since 1970, always of 16 digits in this century, which Lua's numbers hold
// without loss.
func micros(t time.Time) string { return strconv.FormatInt(t.UnixMicro(), 10) }

// library is what several scripts have in common. Times that are compared with each other across processes are Redis's
// own.
const library = `
local function clock() -- milliseconds
	local t = redis.call('TIME')
	return t[1] * 1000 + math.floor(t[2] / 1000)
end

local function text(number) return string.format('%.0f', number) end

local function node(process) return string.match(process, '^[^-]+') end

-- tell sends news about a session or a device to the node of a process.
local function tell(channels, process, news, about)
	redis.call('PUBLISH', channels .. node(process), news .. ' ' .. about)
end

-- read finds the holder of a device; without one its epoch is false. since is the time of the last event of the device,
-- last the epoch of the session that ended last: they are known for a while after its end.
local function read(holder)
	local h = redis.call('HMGET', holder, 'p', 'e', 's', 'o', 'w', 'l')
	return {process = h[1], epoch = h[2], since = h[3], origin = h[4], will = h[5], last = h[6]}
end

local function write(holder, process, epoch, since, origin, will)
	redis.call('DEL', holder)
	redis.call('HSET', holder, 'p', process, 'e', epoch, 's', since, 'o', origin, 'w', will)
end

-- vacate leaves a device without a holder.
local function vacate(holder, since, last)
	redis.call('DEL', holder)
	redis.call('HSET', holder, 's', since, 'l', last)
	redis.call('PEXPIRE', holder, remembered)
end

-- count adds a session to what the sessions of a process add up to, or takes it out.
local function count(tallies, process, epoch, sign)
	redis.call('HINCRBY', tallies, process, text(sign * tonumber(string.sub(epoch, 1, ` + tallyDigits + `), 16)))
end

-- latest is the later one of two times, of which the first may be missing: the times of a device's events have the order
-- of the events, whatever the clocks of the processes say.
local function latest(before, micros)
	if before and tonumber(before) > tonumber(micros) then return before end
	return micros
end

local function entry(kind, session, micros)
	local line = '` + entryFormat + ` ' .. kind .. ' ' .. session.epoch .. ' ' .. micros .. '\n' .. session.origin
	if kind == 'w' then return line .. '\n' .. session.will end
	return line
end

-- closing lists the last events of a session.
local function closing(session, micros, fire)
	local list = {}
	if fire and session.will ~= '' then list[1] = entry('w', session, micros) end
	list[#list + 1] = entry('f', session, micros)
	return list
end

-- collapse makes room for that many events: it takes out pairs of transitions, the oldest first, with the wills before
-- them, so that what is left alternates. It spares the first events, which somebody may be storing right now, and the end
-- of a session whose will is the last of those.
local function collapse(outbox, excess)
	local rest = redis.call('LRANGE', outbox, text(spared - 1), '-1')
	local kept = string.sub(rest[1], 3, 3) == 'w' and 2 or 1
	local first = kept + 1
	while first - kept - 1 < excess do
		local transitions, i = 0, first
		while rest[i] and transitions < 2 do
			if string.sub(rest[i], 3, 3) ~= 'w' then transitions = transitions + 1 end
			i = i + 1
		end
		if transitions < 2 then break end
		first = i
	end
	redis.call('LTRIM', outbox, '0', text(spared + kept - 2))
	for i = first, #rest do redis.call('RPUSH', outbox, rest[i]) end
	return first - kept - 1
end

-- queue adds events to an outbox and tells how many others gave way.
local function queue(outbox, waiting, member, events, limit, delay)
	if #events == 0 then return 0 end
	local gone, excess = 0, redis.call('LLEN', outbox) + #events - tonumber(limit)
	if excess > 0 then gone = collapse(outbox, excess) end
	redis.call('RPUSH', outbox, unpack(events))
	redis.call('ZADD', waiting, 'NX', text(clock() + tonumber(delay)), member)
	return gone
end
`
