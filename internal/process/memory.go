package process

import (
	"os"
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

// containerLimit reads the limit; there is none outside of a container.
func containerLimit(file string) (bytes int64, ok bool) {
	text, err := os.ReadFile(file)
	if err != nil {
		return 0, false
	}
	bytes, err = strconv.ParseInt(strings.TrimSpace(string(text)), 10, 64)
	return bytes, err == nil && bytes > 0
}
