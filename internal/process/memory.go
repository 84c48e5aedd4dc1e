package process

import (
	"context"
	"os"
	"runtime"
	"runtime/debug"
	"strconv"
	"strings"
)

const (
	// FunctionGC lets the heap of a function grow to five times what is in use before it is collected. What is in use is small,
	// and most of what is allocated lives for one message.
	FunctionGC = 400

	// GatewayGC lets the heap of a gateway grow to half as much again as is in use: each of many connections holds some, and
	// the holes that a storm of log-ins leaves between them stay.
	GatewayGC = 50

	// leastGrowth is how many bytes a process allocates at least between two collections. With few connections little is in use, and half
	// of that again would have it collect dozens of times a second under load.
	leastGrowth = 32 << 20

	// limitShare is the part of a container's memory, in percent, at which collecting becomes more eager instead.
	limitShare = 80

	// limitFile is where a container of cgroup version 2 finds its limit in bytes, or "max".
	limitFile = "/sys/fs/cgroup/memory.max"
)

// TuneMemory trades memory that is there for processor time: garbage is collected when the heap has grown by that many percent,
// as long as the container's limit is far. GOGC and GOMEMLIMIT in the environment take precedence.
func TuneMemory(percent int) { tuneMemory(percent, os.LookupEnv, limitFile) }

func tuneMemory(percent int, lookup func(string) (string, bool), file string) {
	limit, bounded := containerLimit(file)
	if _, given := lookup("GOMEMLIMIT"); !given && bounded {
		debug.SetMemoryLimit(limit / 100 * limitShare)
	}
	if _, given := lookup("GOGC"); !given {
		debug.SetGCPercent(percent)
	}
}

// SpareCollections has the heap grow by at least leastGrowth between two collections, and by the percentage in force where that is
// more, until ctx ends. GOGC in the environment takes precedence.
func SpareCollections(ctx context.Context) {
	if _, given := os.LookupEnv("GOGC"); given {
		return
	}
	percent := debug.SetGCPercent(-1)
	debug.SetGCPercent(percent)
	if percent > 0 {
		(&growth{least: percent, now: percent, live: liveHeap, set: debug.SetGCPercent}).followCollections(ctx)
	}
}

// A growth is by how many percent the heap may grow until it is collected.
type growth struct {
	least, now int
	live       func() uint64 // bytes in use at the last collection
	set        func(int) int
}

// followCollections adjusts the growth after each collection, which finds that nothing refers to the object that is made here.
func (g *growth) followCollections(ctx context.Context) {
	type collected struct{ _ [32]byte }
	runtime.AddCleanup(new(collected), func(g *growth) {
		if ctx.Err() == nil {
			g.adjust()
			g.followCollections(ctx)
		}
	}, g)
}

// adjust sets the growth if it is to change by more than an eighth, since setting it stops the process for a moment.
func (g *growth) adjust() {
	wanted := growthFor(g.live(), g.least)
	if wanted > g.now+g.now/8 || wanted < g.now-g.now/8 {
		g.now = wanted
		g.set(wanted)
	}
}

func liveHeap() uint64 { return readHeap().live }

// growthFor is leastGrowth in percent of what is in use, or least if that is more.
func growthFor(live uint64, least int) int {
	return max(least, int(100*leastGrowth/max(live, 1<<20)))
}

// containerLimit reads the limit; there is none outside of a container.
func containerLimit(file string) (bytes int64, ok bool) {
	text, err := os.ReadFile(file)
	if err != nil {
		return 0, false
	}
	bytes, err = strconv.ParseInt(strings.TrimSpace(string(text)), 10, 64)
	return bytes, err == nil && bytes > 0
}
