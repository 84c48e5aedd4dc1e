// Package presence knows who is connected where. It makes the connection events of devices, publishes their wills, and lets
// one session at a time hold a device, across all processes of all gateways.
//
// # What is promised
//
// A gateway calls [Tracker.Claim] when a device logs in, and [Lease.Release] when the connection ends. The key is the
// application and the device's registry name, whatever name it logged in with. For each device, the events of its sessions are
// queued in the order connected, will, disconnected, connected, …, whichever process makes them and whichever dies: the end
// of a session always precedes the beginning of the next one, and its will, unless it was released without, precedes its end.
// No event is dropped silently: it is stored, or counted by the reason why it never will be.
//
// # How
//
// All state is in Redis, see [ledger]; what changes is changed by one script, hence as a whole. Each device has a holder (process,
// epoch of the session, and what is needed to make its end known) and an outbox, a list of events that are not known to be in
// Kafka. A claim queues the end of the previous session, if there is one, and the new one's beginning; a release queues
// the session's end, but only if the session is still the holder. So the order is decided once, when events are queued.
//
// Outboxes are emptied in order by one process at a time (see [drainer]): the next event goes to the [Publisher] when the one before
// is stored, and is taken out of the outbox afterwards. The lock of an outbox holds as long as its owner lives. Who
// queued events empties the outbox at once; the sweep of every process finds what was left, since Kafka was away or a
// process died, and tries again, after pauses that grow with the age of the events up to Config.MaxPause.
//
// The three ids of a session's events are fixed when it begins (see [epoch]). An event that is stored twice, because a process
// died or Redis did not answer between storing it and saying so, therefore has the same id both times, and the same time
// unless Redis lost that, too. Consumers that want each once compare ids.
//
// # Death
//
// Each process increments its heartbeat in Redis. The others watch it with their own clocks: one whose heartbeat has not changed
// for Config.Life is declared dead by whoever sees it first, and all it holds is released, with the wills. With the
// defaults that begins within 10 s of the death. A watcher that was itself away for half that time begins anew, so that after an outage of Redis nobody
// is declared dead who only could not say that he lives. If no process is left, the next one that starts does all that.
//
// A process that was declared dead but was only paused finds out at its next heartbeat. It goes on under another name, keeps
// the sessions that nobody has released yet, and gives up the others: their lost function is called, nothing is emitted for them.
// A process that is not sure to count as living stores no events.
//
// # Redis away, or without its data
//
// While Redis is away sessions go on, their ends are queued in memory, and new ones are refused as unavailable. A Redis
// that comes back empty, or with part of its data, is noticed by heartbeats and comparisons: every process registers its
// sessions again unless another holds the device by then, and queues ends that were lost, and connection events
// that it does not know to be stored. For three heartbeats nobody may claim meanwhile. What is lost with the data are events in
// outboxes that belong to sessions that had ended, and the ends of sessions whose process died at the same
// time: run Redis with its append-only file on. Keys of this package do not expire, so Redis must not evict them
// (maxmemory-policy noeviction or one of the volatile ones).
//
// # Bounds
//
// An outbox holds Config.Outbox events. Beyond, of a device that comes and goes while Kafka is away, pairs of transitions
// in the middle give way, with the wills between them, counted: what is left still alternates and ends with the truth. When Config.Waiting
// devices have waiting events, new sessions are refused as overloaded. Events older than Config.Keep are given up, counted and
// logged. Wills are bounded one by one and, in memory, together.
//
// A will is user data, and is never logged. Redis holds it, and must be protected, as package cache says.
//
// No lock is taken while another is held, and none is held while anything outside of the package is called.
package presence
