// Command bench measures what Fairlead promises about its own cost, against real Kafka, Redis and PostgreSQL, and prints one
// table: each figure with its target and whether it holds. Where machines differ, a figure is a ratio of two things
// measured in turns in the same run.
//
//	go run ./test/bench [--quick] [--only SECTION,…]
//	go run ./test/bench --profile FILE
//
// A target that is missed is marked and is no failure: on a busy machine it says little. The exit code is 1 only if
// something did not run.
//
// The program starts itself again for what must be a process of its own: "bench load" makes the requests, "bench bare"
// is the server that telemetry is compared with. docs/performance.md explains the figures.
package main
