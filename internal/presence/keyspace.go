package presence

import (
	"net/url"
	"strconv"

	"github.com/fairlead/fairlead/internal/redis"
)

// A keyspace is the prefix of all keys of one installation. Every part that somebody else chooses is percent-encoded, which leaves
// no colon in it, so that no two names share a key.
type keyspace string

func newKeyspace(instance string) keyspace {
	return keyspace(redis.Keys(url.QueryEscape(instance)) + "presence:")
}

// member is a device in sets and in the keys of what belongs to it.
func member(application, device string) string {
	return url.QueryEscape(application) + ":" + url.QueryEscape(device)
}

// holder is the hash that says who holds a device: p process, e epoch, s time of the last event,
// o origin, w will. For a while after the last session s is left, and l, that session's epoch.
func (k keyspace) holder(member string) string { return string(k) + "holder:" + member }

// outbox is the list of the events of a device that are not known to be stored, oldest first.
func (k keyspace) outbox(member string) string { return string(k) + "outbox:" + member }

// lock is the process that stores the events of a device.
func (k keyspace) lock(member string) string { return string(k) + "lock:" + member }

// held is the hash of the epochs of a process's sessions, with their devices, until the process itself has ended them.
func (k keyspace) held(process string) string { return string(k) + "held:" + process }

// tallies is the hash of what the sessions add up to that hold devices, for each process, see tally.
func (k keyspace) tallies() string { return string(k) + "tallies" }

// tombstone says that a process was declared dead.
func (k keyspace) tombstone(process string) string { return string(k) + "tombstone:" + process }

// processes is the hash of the living, with the number of their last heartbeat.
func (k keyspace) processes() string { return string(k) + "processes" }

// graves is the sorted set of the dead whose devices are not all released, by when somebody may take care of them.
func (k keyspace) graves() string { return string(k) + "graves" }

// waiting is the sorted set of the devices with an outbox, by when somebody may take care of them.
func (k keyspace) waiting() string { return string(k) + "waiting" }

// recovering says until when nobody claims, because Redis lost its data and the processes register their sessions again.
func (k keyspace) recovering() string { return string(k) + "recovering" }

// channels begins the name of the channel of each node.
func (k keyspace) channels() string { return string(k) + "to:" }

// processName names one life of a node: a process that was declared dead and is alive after all begins another one. The
// node's own name holds no hyphen.
func processName(node string, life uint32) string {
	return node + "-" + strconv.FormatUint(uint64(life), 10)
}
