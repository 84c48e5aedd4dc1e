// Package command takes commands to the devices that listen for them, best effort: to who listens now, never stored.
//
// A gateway or function asks its [Hub] for what is addressed to a connected device, to all devices it acts for, or to one
// of them. Every listener has a bound; what it cannot take gives way, and is counted.
package command
