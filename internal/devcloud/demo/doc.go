// Package demo is what `fairlead dev --demo` adds: simulated devices that post through the front door with credentials of
// their own, a Trigger with a receiver, and a live table of what arrives.
package demo
