package main

import (
	"context"
	"errors"
	"fmt"
	"syscall"
	"time"
)

// maxGrowth is the target of growth: of the cost of one of many, from the smallest number of them to the largest.
const maxGrowth = 1.2

// A growthSizes is how many of everything there are, growing.
type growthSizes struct {
	connections, sessions, applications, devices, triggers []int

	lookups int // of devices

	// publish is how long devices of many applications publish before they are measured, and while they are. Each topic gets less than the
	// 4 KiB at which Kafka begins its index: where that is done for a thousand topics at once, the broker does nothing else for seconds.
	publish time.Duration

	// settle is how long the memory of a process is watched after the last log-in: a gateway gives back what logging in has left behind
	// half a minute after it has become idle. idle is how long it is watched then.
	settle, idle time.Duration
}

// fullGrowth takes about ten minutes.
var (
	fullGrowth = growthSizes{
		connections: []int{1000, 10_000, 50_000}, sessions: []int{1000, 10_000}, applications: []int{1, 100, 1000},
		devices: []int{1000, 100_000, 1_000_000}, triggers: []int{1, 30, 1000},
		lookups: 1000, publish: 5 * time.Second, settle: 45 * time.Second, idle: 30 * time.Second,
	}
	quickGrowth = growthSizes{
		connections: []int{200, 2000}, sessions: []int{50, 300}, applications: []int{1, 20}, devices: []int{100, 10_000}, triggers: []int{1, 20},
		lookups: 100, publish: 3 * time.Second, settle: 20 * time.Second, idle: 10 * time.Second,
	}
)

// measureGrowth measures what one more of everything costs. What cannot be measured keeps nothing else from it.
func measureGrowth(ctx context.Context, s *scene) (rows []row, err error) {
	for _, part := range []struct {
		name string
		grow func(context.Context, *scene) ([]row, error)
	}{
		{"connections", growConnections}, {"sessions", growSessions}, {"applications", growApplications}, {"devices", growDevices},
		{"Triggers", growTriggers},
	} {
		more, failure := part.grow(ctx, s)
		rows = append(rows, more...)
		if failure != nil {
			err = errors.Join(err, fmt.Errorf("%s: %w", part.name, failure))
		}
		if ctx.Err() != nil {
			return rows, err
		}
	}
	return rows, err
}

// growthRow tells whether a cost grows at most linearly: what one costs where there are most, to what one costs where there are fewest.
func growthRow(what string, fewest, most int, before, after float64) row {
	r := row{figure: fmt.Sprintf("%s, %d to %d", what, most, fewest), target: atMost(maxGrowth).String()}
	if before <= 0 { // as little as what else changed meanwhile
		r.value, r.doubt = "none", "what few cost is too little to be measured"
		return r
	}
	r.value, r.holds = ratio(after/before), after/before <= maxGrowth
	return r
}

// allowConnections raises the limit of open files of this process and of those that it starts for so many connections of one process,
// and tells how many of them it allows: only root may raise it as far as it likes, and not on every machine.
func allowConnections(connections int) (allowed int, err error) {
	const others = 1000
	wanted := uint64(connections + others)
	var limit syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil {
		return 0, fmt.Errorf("reading the limit of open files: %w", err)
	}
	raised := syscall.Rlimit{Cur: max(limit.Cur, wanted), Max: max(limit.Max, wanted)}
	if syscall.Setrlimit(syscall.RLIMIT_NOFILE, &raised) == nil {
		return connections, nil
	}
	limit.Cur = limit.Max
	if err := syscall.Setrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil || limit.Max <= others {
		return 0, fmt.Errorf("raising the limit of open files: %w", err)
	}
	return int(limit.Max) - others, nil
}

// fitting are the sizes that the limit of open files allows: in place of those beyond it the largest that it does, with a row that says so.
func fitting(sizes []int, of string) (fit []int, rows []row, err error) {
	most := sizes[len(sizes)-1]
	allowed, err := allowConnections(most)
	if err != nil || allowed == most {
		return sizes, nil, err
	}
	for _, size := range sizes {
		if size < allowed {
			fit = append(fit, size)
		}
	}
	return append(fit, allowed), []row{{
		figure: fmt.Sprintf("%d %s", most, of), value: "none", doubt: fmt.Sprintf("the limit of open files allows %d", allowed),
	}}, nil
}
