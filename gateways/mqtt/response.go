package mqtt

import (
	"slices"
	"sync"

	"github.com/fairlead/fairlead/internal/command"
	"github.com/fairlead/fairlead/internal/outcome"
	"github.com/fairlead/fairlead/internal/registry"
)

// responseTopic is where a device publishes its answer to a command; "" if no topic of the dialect says for which device it speaks.
func responseTopic(d registry.Dialect, c *command.Command) string {
	switch {
	case d == registry.PlainTopicWithDevice && c.Own():
		return "/" + command.ResponseChannel
	case d == registry.PlainTopicWithDevice:
		return c.Device + "/" + command.ResponseChannel
	case c.Own():
		return command.ResponseChannel
	case d == registry.PlainTopic:
		return ""
	default:
		return command.ResponseChannel + "/" + c.Device
	}
}

// maxAwaited bounds the commands whose answers a connection can owe; beyond, the oldest is forgotten.
const maxAwaited = 32

// awaited are the commands of a connection that somebody waits for the answer to. A client that cannot say which command it answers,
// such as every one of MQTT 3.1.1, answers those of a device in their order.
type awaited struct {
	mu   sync.Mutex
	list []owed
}

// An owed answer is one that a device has not given.
type owed struct{ device, correlation string }

// add notes a command that is handed to the client, once.
func (a *awaited) add(c *command.Command) {
	if !c.Respond {
		return
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	added := owed{c.Device, c.Correlation}
	if slices.Contains(a.list, added) {
		return
	}
	if len(a.list) == maxAwaited {
		a.list = a.list[:copy(a.list, a.list[1:])]
	}
	a.list = append(a.list, added)
}

// take gives the correlation of the command that a device answers, "" if none is known: the one that it says itself, or the oldest.
func (a *awaited) take(device, said string) (correlation string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	i := slices.IndexFunc(a.list, func(o owed) bool { return o.device == device && (said == "" || o.correlation == said) })
	if i < 0 {
		return said
	}
	correlation = a.list[i].correlation
	a.list = slices.Delete(a.list, i, i+1)
	return correlation
}

// giveBack notes again that an answer is owed, when it could not be stored now, and may be sent again.
func (a *awaited) giveBack(device, correlation string, o outcome.Outcome) {
	if correlation == "" || o.Final() {
		return
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if len(a.list) < maxAwaited {
		a.list = slices.Insert(a.list, 0, owed{device, correlation})
	}
}
