// Package command takes commands to the devices that listen for them, best effort: to who listens now, never stored.
//
//   - A gateway or function asks its [Hub] for what is addressed to a connected device, to all devices it acts for, or to one
//     of them. Every listener has a bound; what it cannot take gives way, and is counted.
//   - A [Router] connects the hubs of all processes through Redis. There is one channel for each connected device, which a process
//     hears while it has a listener of that device: others get nothing of its commands, and a process without listeners has no
//     connection.
//   - A [Poll] is a listener that takes one command, for requests that wait.
//   - An [Expectation] waits for what a device answers: a message with the correlation of its command, which goes back to the one
//     process that waits, and counts only from the device that was asked.
//   - Each process that was given a command tells the sender to whom it has handed it: that is the [Receipt]. It says what was handed
//     to connections, not what a device has done.
package command
