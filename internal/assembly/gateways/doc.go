// Package gateways attaches to each gateway of the table in internal/assembly the constructor of its adapter, and runs it: with
// probes that say when devices may come, until it is told to stop, when it drains.
package gateways
