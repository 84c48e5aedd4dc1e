package main

import (
	"fmt"
	"runtime"
	"syscall"
	"time"
)

// saturated is the share of its cores from which on a load generator may be what limits a figure.
const saturated = 0.95

// processorTime is what this process has used, user and system.
func processorTime() time.Duration {
	var used syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &used); err != nil {
		return 0
	}
	return time.Duration(used.Utime.Nano() + used.Stime.Nano())
}

// A busyness tells how busy a load generator was.
type busyness struct {
	began time.Time
	used  time.Duration
}

func startBusyness() busyness { return busyness{time.Now(), processorTime()} }

// share is of all cores that this process may use.
func (b busyness) share() float64 {
	return float64(processorTime()-b.used) / float64(time.Since(b.began)) / float64(runtime.GOMAXPROCS(0))
}

// busyRow says how busy the load generator was against a server.
func busyRow(server string, shares sample[float64]) row {
	r := row{figure: server + ", load generator busy", value: percent(shares.median()), span: shares.span(percent)}
	if shares.median() >= saturated {
		r.doubt = "it limits what the server is asked"
	}
	return r
}

func percent(v float64) string { return fmt.Sprintf("%.0f %%", 100*v) }
