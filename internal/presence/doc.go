// Package presence knows who is connected where. It makes the connection events of devices, publishes their wills, and
// lets one session at a time hold a device, across all processes of all gateways.
//
// # What is promised
//
// A gateway calls [Tracker.Claim] when a device logs in, and [Lease.Release] when the connection ends. The key is the
// application and the device's registry name, whatever name it logged in with. For each device, the events of its sessions
// are queued in the order connected, will, disconnected, connected, …, whichever process makes them and whichever dies: the
// end of a session precedes the beginning of the next one, and its will, unless it was released without, precedes its end.
// No event is dropped silently: it is stored, or counted by the reason why it never will be.
//
// # How
//
// All state is in Redis; what changes is changed by one script, hence as a whole (ledger.go). Each device has a holder
// (process, epoch of the session, and what is needed to make its end known) and an outbox, a list of events that are not
// known to be in Kafka. A claim queues the end of the previous session, if there is one, and the beginning of the new one;
// a release queues the session's end, but only if the session is still the holder. So the order is decided once, when
// events are queued, and nobody can speak for a session that is no longer his.
//
// Outboxes are emptied in order by one process at a time (drainer.go): an event goes to the [Publisher] when the one before
// is stored, and is taken out of the outbox afterwards. The lock of an outbox holds as long as its owner lives. Who queued
// events empties the outbox at once; the sweep of every process finds what was left, because Kafka was away or a process
// died, and tries again, after pauses that grow with the age of the events up to Config.MaxPause.
//
// The ids of a session's three events are fixed when it begins (entry.go). An event that is stored twice, because a process
// died or Redis did not answer between storing it and saying so, has the same id both times. Kafka and Redis cannot be changed
// as one, so this cannot be ruled out; it does not happen when a process closes while both answer. Consumers that want each
// event once compare ids.
//
// # Death
//
// Each process counts its heartbeats in Redis. The others watch them with their own clocks: a process whose count has not
// changed for Config.Life is declared dead by whoever sees it first, and all it holds is released, with the wills. With
// the defaults that begins within 9 s of the death. A watcher that was itself away from Redis for half that time begins
// anew, so that after an outage of Redis nobody is declared dead who only could not say that he lives. If no process is
// left, the next one that starts does all that.
//
// A process that was declared dead but was only paused finds out at its next heartbeat. It goes on under another name, keeps
// the sessions that nobody has released yet, and gives up the others: their lost function is called, and it emits nothing
// for them. A process that is not sure to count among the living stores no events.
//
// # Redis away, or without its data
//
// While Redis is away sessions go on, their ends are queued in memory, and new ones are refused as unavailable. That Redis
// came back empty, or with a part of its data, shows in heartbeats and in the comparison that each process makes every
// Config.Verify: Redis and the process each add up what the process holds (tally.go), and unless they come to the same, its
// sessions are compared one by one. It registers them again unless another holds the device by then, and queues the ends that
// were lost, and the connection events that it does not know to be stored. For three heartbeats nobody may claim meanwhile, so
// that a device is not claimed before its previous session is known again. What is lost with the data are waiting events of
// sessions that had ended, and the ends of sessions whose process died at the same time: run Redis with its append-only
// file on. The keys of this package do not expire, so Redis must not evict them (maxmemory-policy noeviction, or one of the
// volatile policies).
//
// # Bounds
//
// An outbox holds Config.Outbox events. Beyond, of a device that comes and goes while Kafka is away, pairs of transitions in
// the middle give way, with the wills between them, counted: what is left still alternates and ends with the truth. When
// Config.Waiting devices have waiting events, new sessions are refused as overloaded. Events older than Config.Keep are
// given up, counted and logged. Wills are bounded one by one and, in memory, together.
//
// A will is user data, and is never logged. Redis holds it, and must be protected, as package cache says.
//
// No lock is taken while another is held, and none is held while anything outside of the package is called.
package presence
