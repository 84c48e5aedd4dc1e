package process

import (
	"os"
	"runtime/debug"
	"strconv"
	"strings"
)

const (
	// gcPercent lets the heap grow to five times what is in use before it is collected. What is in use is small in every
	// process here, and most of what is allocated lives for one message.
	gcPercent = 400

	// limitShare is the part of a container's memory, in percent, at which collecting becomes more eager instead.
	limitShare = 80

	// limitFile is where a container of cgroup version 2 finds its limit in bytes, or "max".
	limitFile = "/sys/fs/cgroup/memory.max"
)

// TuneMemory trades memory that is there for processor time: it has garbage collected less often, as long as the
// container's limit is far. GOGC and GOMEMLIMIT in the environment take precedence.
func TuneMemory() { tuneMemory(os.LookupEnv, limitFile) }

func tuneMemory(lookup func(string) (string, bool), file string) {
	limit, bounded := containerLimit(file)
	if _, given := lookup("GOMEMLIMIT"); !given && bounded {
		debug.SetMemoryLimit(limit / 100 * limitShare)
	}
	if _, given := lookup("GOGC"); !given {
		debug.SetGCPercent(gcPercent)
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
